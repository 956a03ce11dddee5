// The comment box. The first comment takes two actions: type, Enter. The name
// stands beside it with a suggestion, to be changed or not.

import { h, icon, show } from "./dom";
import type { Key, Speaker, Vars } from "./i18n";
import { icons } from "./icons";
import { runes, white, type Mode } from "./protocol";
import { settings } from "./storage";

export interface Said {
  text: string;
  mode: Mode;
  color: string;
}

export interface ComposerEvents {
  say(said: Said): void;
  nick(nick: string): void;
}

const modes: Mode[] = ["scroll", "top", "bottom"];
const colors = [white, "#ff5d73", "#ffb648", "#ffe66b", "#6ee7a0", "#63d4ff", "#b79cff", "#ff8ad8"];
const warnFrom = 30; // characters left when the counter appears
const maxNick = 24;

export class Composer {
  readonly root: HTMLElement;
  maxRunes = 200;
  private readonly input: HTMLInputElement;
  private readonly nick: HTMLInputElement;
  private readonly nickRow: HTMLElement;
  private readonly chip: HTMLButtonElement;
  private readonly send: HTMLButtonElement;
  private readonly hint: HTMLElement;
  private readonly styles: HTMLElement;
  private readonly box = settings();
  private mode: Mode = "scroll";
  private color = white;
  private slow = 0; // seconds between two comments
  private waitUntil = 0;
  private waitTimer = 0;

  constructor(
    private readonly speaker: Speaker,
    private readonly events: ComposerEvents,
  ) {
    this.input = this.textField("comment-input", "say.placeholder", "say.label");
    this.nick = this.textField("nick-input", "say.nick", "say.nick");
    this.nick.maxLength = maxNick;
    this.nick.value = this.box.get("nick") ?? "";
    this.chip = h("button", { class: "nick-chip", type: "button", testid: "nick-chip" });
    this.nickRow = h("div", { class: "nick-row", testid: "nick-row" }, speaker.say(h("span", { "aria-hidden": "true" }), "say.nick"), this.nick);
    this.send = speaker.label(h("button", { class: "send", type: "button", testid: "send" }, icon(...icons.send)), "say.send");
    this.hint = h("p", { class: "say-hint", testid: "say-hint", role: "status" });
    this.styles = this.stylePanel();
    this.root = this.assemble();
    this.listen();
    this.showNick(this.nick.value === "");
    this.review();
  }

  focus(): void {
    this.input.focus();
  }

  /** A name to start with, until the reader has chosen one. */
  suggest(nick: string): void {
    if (this.nick.value === "") this.nick.value = nick;
  }

  /** The server wants a pause. The text comes back, if nothing new was written. */
  wait(ms: number, text: string): void {
    this.restore(text);
    this.waitUntil = Math.max(this.waitUntil, performance.now() + Math.max(ms, 500));
    this.countDown();
  }

  /** Gives back a text that was not sent, if nothing new was written. */
  restore(text: string): void {
    if (this.input.value !== "") return;
    this.input.value = text;
    this.review();
  }

  /** One comment in so many seconds; 0 = as they come. */
  slowMode(seconds: number): void {
    if (seconds === 0) this.waitUntil = Math.min(this.waitUntil, performance.now());
    this.slow = seconds;
    this.countDown();
  }

  /** A comment was taken: in slow mode the next has to wait. */
  taken(): void {
    if (this.slow > 0) this.wait(this.slow * 1000, "");
  }

  /** The name cannot be had: the reader goes on as `nick`, until there is another. */
  refuseNick(nick: string): void {
    this.box.set("nick", null);
    this.nick.value = nick;
    this.showNick(true);
  }

  complain(key: Key): void {
    this.hintText(key);
  }

  private textField(testid: string, placeholder: Key, label: Key): HTMLInputElement {
    const input = h("input", {
      type: "text", testid, autocomplete: "off", autocapitalize: "sentences", enterkeyhint: "send", spellcheck: "false",
    });
    this.speaker.say(input, placeholder, {}, "placeholder");
    return this.speaker.say(input, label, {}, "aria-label");
  }

  private assemble(): HTMLElement {
    const style = h("button", { class: "style-button", type: "button", testid: "style-button", "aria-expanded": "false" }, icon(...icons.style));
    this.speaker.label(style, "say.style");
    style.addEventListener("click", () => {
      show(this.styles, this.styles.hidden);
      style.setAttribute("aria-expanded", String(!this.styles.hidden));
    });
    const line = h("div", { class: "say-line" }, style, this.input, this.send);
    const who = h("div", { class: "say-who" }, this.nickRow, this.chip, this.hint);
    return h("div", { class: "composer", role: "group", testid: "composer" }, this.styles, who, line);
  }

  private stylePanel(): HTMLElement {
    const modeButtons = modes.map((mode) => {
      const b = h("button", { type: "button", class: "mode", testid: `mode-${mode}`, "aria-pressed": String(mode === this.mode) });
      this.speaker.say(b, `say.mode.${mode}`);
      b.addEventListener("click", () => {
        this.mode = mode;
        press(modeButtons, b);
      });
      return b;
    });
    const colorButtons = colors.map((color) => {
      const b = h("button", { type: "button", class: "swatch", testid: `color-${color.slice(1)}`, "aria-pressed": String(color === this.color) });
      b.style.setProperty("--tint", color);
      this.speaker.label(b, "say.color", { color });
      b.addEventListener("click", () => {
        this.color = color;
        this.input.style.color = color;
        press(colorButtons, b);
      });
      return b;
    });
    return h("div", { class: "style-panel", testid: "style-panel", hidden: true },
      h("div", { class: "modes" }, ...modeButtons), h("div", { class: "swatches" }, ...colorButtons));
  }

  private listen(): void {
    this.input.addEventListener("input", () => this.review());
    this.send.addEventListener("click", () => this.submit());
    this.chip.addEventListener("click", () => {
      this.showNick(true);
      this.nick.focus();
      this.nick.select();
    });
    this.input.addEventListener("keydown", (e) => {
      if (entered(e)) this.submit();
    });
    this.nick.addEventListener("keydown", (e) => {
      if (!entered(e)) return;
      this.keepNick();
      this.input.focus();
    });
    this.nick.addEventListener("blur", () => {
      if (this.box.get("nick") !== null) this.keepNick();
    });
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (text === "") {
      this.input.focus();
      return;
    }
    if (runes(text) > this.maxRunes || performance.now() < this.waitUntil) {
      this.review();
      return;
    }
    this.keepNick();
    this.input.value = "";
    this.review();
    this.events.say({ text, mode: this.mode, color: this.color });
    this.input.focus();
  }

  private keepNick(): void {
    const nick = this.nick.value.trim();
    if (nick !== "" && nick !== this.box.get("nick")) {
      this.box.set("nick", nick);
      this.events.nick(nick);
    }
    this.showNick(false);
  }

  private showNick(editing: boolean): void {
    show(this.nickRow, editing);
    show(this.chip, !editing);
    this.speaker.say(this.chip, "say.as", { nick: this.nick.value });
    this.speaker.say(this.chip, "say.rename", {}, "title");
  }

  /** Shows the counter near the limit. */
  private review(): void {
    const left = this.maxRunes - runes(this.input.value.trim());
    this.send.disabled = left < 0 || this.input.value.trim() === "";
    this.hint.classList.toggle("bad", left < 0);
    if (performance.now() < this.waitUntil) return;
    if (left < 0) this.hintText("say.over", { n: -left });
    else if (left <= warnFrom) this.hintText("say.left", { n: left });
    else if (this.slow > 0) this.hintText("say.slow", { n: this.slow });
    else this.hintText(null);
  }

  private countDown(): void {
    clearTimeout(this.waitTimer);
    const left = this.waitUntil - performance.now();
    if (left <= 0) {
      this.hint.classList.remove("bad");
      this.review();
      return;
    }
    this.send.disabled = true;
    this.hint.classList.add("bad");
    this.hintText(this.slow > 0 ? "say.wait.slow" : "say.wait", { n: Math.ceil(left / 1000) });
    this.waitTimer = window.setTimeout(() => this.countDown(), Math.min(left, 250));
  }

  private hintText(key: Key | null, vars: Vars = {}): void {
    show(this.hint, key !== null);
    if (key) this.speaker.say(this.hint, key, vars);
  }
}

/** Enter that means "send": not the one that picks a word in an input method (Safari says so only by 229). */
export function entered(e: Pick<KeyboardEvent, "key" | "isComposing" | "keyCode">): boolean {
  return e.key === "Enter" && !e.isComposing && e.keyCode !== 229;
}

function press(all: HTMLElement[], one: HTMLElement): void {
  for (const b of all) b.setAttribute("aria-pressed", String(b === one));
}
