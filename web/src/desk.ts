// The studio's desk of order: slow mode, notice, blocked words, who is muted or
// banned. It shows what is in force, whoever decided it.

import { h, icon, show } from "./dom";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import type { Order, RoomRules, Sentence } from "./protocol";

const speeds = [0, 3, 5, 10, 30, 60, 300];
const frameWords = 20; // of one order: a frame is 4 KiB

/** "a, b，c" → words; commas of both scripts and line breaks part them. */
export function parseWords(text: string): string[] {
  return [...new Set(text.split(/[,，、;；\n]/).map((w) => w.trim()).filter((w) => w !== ""))];
}

export type Give = (o: Order, answered: (error: Key | null) => void) => void;

export class Desk {
  readonly root: HTMLElement;
  private readonly slow = h("select", { id: "desk-slow", testid: "desk-slow" });
  private readonly notice = h("input", { type: "text", id: "desk-notice", testid: "desk-notice", maxlength: 200, autocomplete: "off", dir: "auto" });
  private readonly clear = h("button", { class: "button icon-only", type: "button", testid: "desk-clear" }, icon(...icons.close));
  private readonly words = h("input", { type: "text", id: "desk-words", testid: "desk-words", autocomplete: "off", dir: "auto" });
  private readonly chips = h("ul", { class: "chips", testid: "desk-chips" });
  private readonly people = h("ul", { class: "sentences", testid: "desk-people" });
  private readonly nobody: HTMLElement;
  private readonly said = h("p", { class: "about-said", role: "status", testid: "desk-said" });
  private rules: RoomRules = { slow: 0, notice: "", words: [], mutes: [], bans: [] };

  constructor(
    private readonly speaker: Speaker,
    private readonly give: Give,
  ) {
    speaker.say(this.notice, "desk.notice.example", {}, "placeholder");
    speaker.say(this.words, "desk.words.example", {}, "placeholder");
    this.nobody = speaker.say(h("p", { class: "field-note" }), "desk.people.none");
    this.slow.addEventListener("change", () => this.order({ do: "slow", seconds: Number(this.slow.value) }));
    speaker.label(this.clear, "desk.clear");
    this.clear.addEventListener("click", () => {
      this.notice.value = "";
      this.order({ do: "notice", text: "" });
    });
    this.root = h("section", { class: "sheet about", testid: "desk" },
      speaker.say(h("h2"), "desk"), speaker.say(h("p", { class: "sheet-lead" }), "desk.lead"),
      this.row("desk.slow", this.slow),
      this.form("desk.notice", this.notice, "desk.save", () => this.order({ do: "notice", text: this.notice.value }), this.clear),
      this.form("desk.words", this.words, "desk.words.add", () => this.block()), this.chips,
      speaker.say(h("h3", { class: "field-name" }), "desk.people"), this.nobody, this.people, this.said);
    this.fill(this.rules);
    speaker.follow(() => this.fill(this.rules));
  }

  /** What is in force now. */
  fill(r: RoomRules): void {
    if (r.notice !== this.rules.notice || this.notice.value === "") this.notice.value = r.notice;
    this.rules = r;
    show(this.clear, r.notice !== "");
    const { speaker } = this;
    const choices = speeds.includes(r.slow) ? speeds : [...speeds, r.slow];
    this.slow.replaceChildren(...choices.map((n) =>
      h("option", { value: n }, n === 0 ? speaker.t("desk.slow.off") : speaker.t("desk.slow.n", { n }))));
    this.slow.value = String(r.slow);
    this.chips.replaceChildren(...r.words.map((w) => this.chip(w)));
    this.people.replaceChildren(
      ...r.bans.map((s) => this.sentence(s, "unban")), ...r.mutes.map((s) => this.sentence(s, "unmute")));
    show(this.nobody, r.bans.length + r.mutes.length === 0);
  }

  private order(o: Order): void {
    this.give(o, (error) => {
      this.said.classList.toggle("bad", error !== null);
      this.speaker.say(this.said, error ?? "desk.saved");
    });
  }

  private block(): void {
    const words = parseWords(this.words.value);
    this.words.value = "";
    for (let i = 0; i < words.length; i += frameWords) this.order({ do: "block", words: words.slice(i, i + frameWords) });
  }

  private chip(word: string): HTMLElement {
    const b = h("button", { class: "chip", type: "button", testid: "desk-word" }, h("span", { dir: "auto" }, word), icon(...icons.close));
    this.speaker.label(b, "desk.words.remove", { word });
    b.addEventListener("click", () => this.order({ do: "unblock", words: [word] }));
    return h("li", {}, b);
  }

  private sentence(s: Sentence, undo: "unban" | "unmute"): HTMLElement {
    const { speaker } = this;
    const name = s.nick || s.who || s.cidr;
    const b = speaker.label(speaker.say(h("button", { class: "button", type: "button", testid: "desk-undo" }), "desk.undo"), "desk.undo.who", { name });
    b.addEventListener("click", () => this.order({ do: undo, ...(s.who === "" ? { cidr: s.cidr } : { who: s.who }) }));
    const what = speaker.say(h("span", { class: `tag ${undo}` }), undo === "unban" ? "desk.banned" : "desk.muted");
    const row = h("li", { testid: "desk-person" }, h("b", { dir: "auto" }, name), what, this.length(s), b);
    row.dataset.who = s.who;
    return row;
  }

  private length(s: Sentence): HTMLElement {
    const word = h("small");
    if (s.show) return this.speaker.say(word, "desk.show");
    if (s.until === 0) return this.speaker.say(word, "desk.forever");
    return this.speaker.say(word, "desk.minutes", { n: Math.max(1, Math.ceil((s.until - Date.now()) / 60_000)) });
  }

  private row(key: Key, control: HTMLElement, ...more: HTMLElement[]): HTMLElement {
    return h("div", { class: "field" }, this.speaker.say(h("label", { class: "field-name", for: control.id }), key),
      more.length === 0 ? control : h("div", { class: "desk-line" }, control, ...more));
  }

  private form(key: Key, control: HTMLElement, does: Key, submit: () => void, ...more: HTMLElement[]): HTMLElement {
    const go = this.speaker.say(h("button", { class: "button", type: "submit", testid: `${control.id}-go` }), does);
    const form = h("form", {}, this.row(key, control, go, ...more));
    form.addEventListener("submit", (e) => {
      e.preventDefault(); // the policy forbids that forms go anywhere
      submit();
    });
    return form;
  }
}
