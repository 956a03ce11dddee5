// The panel in which a reader says how bullets should be.

import { h, icon, show } from "../dom";
import { Sheet } from "../sheet";
import type { Key, Speaker } from "../i18n";
import { icons } from "../icons";
import { areas, densities, sizes, speeds, type Preferences, type Settings } from "./settings";

type Choice = "area" | "size" | "speed" | "density";

const choices: [Choice, readonly (string | number)[]][] = [
  ["area", areas], ["size", sizes], ["speed", speeds], ["density", densities],
];

export class Panel {
  readonly sheet: Sheet;
  private readonly on: HTMLInputElement;
  private readonly opacity: HTMLInputElement;
  private readonly radios: [HTMLInputElement, Choice, string | number][] = [];
  private readonly word: HTMLInputElement;
  private readonly words = h("ul", { class: "chips", testid: "blocked-words" });
  private readonly people = h("ul", { class: "chips", testid: "blocked-people" });
  private readonly nobody: HTMLElement;

  constructor(
    private readonly speaker: Speaker,
    private readonly preferences: Preferences,
  ) {
    this.on = h("input", { type: "checkbox", class: "switch", role: "switch", testid: "set-on" });
    this.opacity = h("input", { type: "range", min: 0.2, max: 1, step: 0.1, testid: "set-opacity" });
    this.word = h("input", { type: "text", testid: "block-word", autocomplete: "off", maxlength: 50, enterkeyhint: "done" });
    this.nobody = this.say(h("p", { class: "panel-hint" }), "bul.people.none");
    this.sheet = this.assemble();
    this.listen();
    preferences.follow(() => this.refresh());
    this.refresh();
  }

  private say<E extends Element>(e: E, key: Key): E {
    return this.speaker.say(e, key);
  }

  private assemble(): Sheet {
    const reset = this.say(h("button", { class: "button", type: "button", testid: "set-reset" }), "bul.reset");
    reset.addEventListener("click", () => this.preferences.reset());
    const add = this.say(h("button", { class: "button", type: "button", testid: "block-word-add" }), "bul.words.add");
    add.addEventListener("click", () => this.addWord());
    this.speaker.say(this.word, "bul.words.placeholder", {}, "placeholder");
    this.speaker.say(this.word, "bul.words", {}, "aria-label");
    return new Sheet(this.speaker, { title: "bul.title", testid: "bullet-settings", close: "set-close" },
      h("label", { class: "panel-row" }, this.say(h("span"), "bul.on"), this.on),
      this.say(h("p", { class: "panel-hint still-only" }), "bul.still"),
      h("label", { class: "panel-row" }, this.say(h("span"), "bul.opacity"), this.opacity),
      ...choices.map(([name, values]) => this.choice(name, values)),
      this.say(h("h4"), "bul.words"), h("div", { class: "panel-add" }, this.word, add), this.words,
      this.say(h("h4"), "bul.people"), this.nobody, this.people, reset);
  }

  /** A row of radio buttons: arrow keys choose, as everywhere. */
  private choice(name: Choice, values: readonly (string | number)[]): HTMLElement {
    const options = values.map((value) => {
      const radio = h("input", { type: "radio", name: `bullet-${name}`, testid: `set-${name}-${value}` });
      radio.addEventListener("change", () => this.preferences.set({ [name]: value } as Partial<Settings>));
      this.radios.push([radio, name, value]);
      return h("label", {}, radio, this.say(h("span"), `bul.${name}.${value}` as Key));
    });
    return h("fieldset", { class: "panel-row" }, this.say(h("legend"), `bul.${name}`), h("div", { class: "segments" }, ...options));
  }

  private listen(): void {
    this.on.addEventListener("change", () => this.preferences.set({ on: this.on.checked }));
    this.opacity.addEventListener("input", () => this.preferences.set({ opacity: Number(this.opacity.value) }));
    this.word.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && !e.isComposing && e.keyCode !== 229) this.addWord();
    });
  }

  private addWord(): void {
    this.preferences.blockWord(this.word.value);
    this.word.value = "";
    this.word.focus();
  }

  private refresh(): void {
    const { value } = this.preferences;
    this.on.checked = value.on;
    this.opacity.value = String(value.opacity);
    for (const [radio, name, v] of this.radios) radio.checked = value[name] === v;
    this.words.replaceChildren(...value.words.map((w) => this.chip(w, () => this.preferences.allowWord(w))));
    this.people.replaceChildren(...value.people.map((p) => this.chip(p.nick, () => this.preferences.allowPerson(p.id))));
    show(this.nobody, value.people.length === 0);
  }

  private chip(name: string, allow: () => void): HTMLElement {
    const remove = h("button", { type: "button" }, icon(...icons.close));
    this.speaker.label(remove, "bul.allow", { name });
    remove.addEventListener("click", () => {
      const row = remove.closest("ul");
      allow();
      (row?.querySelector("button") ?? this.word).focus(); // the button that had it is gone
    });
    return h("li", { class: "chip" }, h("span", { dir: "auto" }, name), remove);
  }
}
