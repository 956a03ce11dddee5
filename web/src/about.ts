// What the host says of the room: title, tags, language. In the studio.

import { ApiError, putRoom, type Room, type RoomCard } from "./api";
import { h } from "./dom";
import type { Key, Speaker } from "./i18n";
import { languageName } from "./rooms";

const maxTitle = 80;
const maxTags = 8;
const maxTag = 24;
// What a host most likely speaks; the API takes any other, too.
const offered = ["zh", "en", "ja", "ko", "es", "pt", "fr", "de", "ru", "vi", "th", "id", "ar", "hi"];

/** "walk, #city 猫" → tags; commas of both scripts and line breaks part them. */
export function parseTags(text: string): string[] {
  const all = text.split(/[,，、;；\n]/).map((t) => t.trim().replace(/^[#＃]+/, "").trim()).filter((t) => t !== "");
  return [...new Set(all)].map((t) => [...t].slice(0, maxTag).join("")).slice(0, maxTags);
}

export interface AboutOptions {
  room: string;
  token: string;
  saved(r: Room): void;
}

export class About {
  readonly root: HTMLElement;
  private readonly title = h("input", { type: "text", id: "about-title", testid: "about-title", maxlength: maxTitle, autocomplete: "off", dir: "auto" });
  private readonly tags = h("input", { type: "text", id: "about-tags", testid: "about-tags", maxlength: maxTags * (maxTag + 2), autocomplete: "off", dir: "auto" });
  private readonly language = h("select", { id: "about-language", testid: "about-language" });
  private readonly save = h("button", { class: "button primary", type: "submit", testid: "about-save" });
  private readonly said = h("p", { class: "about-said", role: "status", testid: "about-said" });
  private known = false; // the server has said what it has

  constructor(
    private readonly speaker: Speaker,
    private readonly options: AboutOptions,
  ) {
    speaker.say(this.save, "about.save");
    speaker.say(this.title, "about.title.example", {}, "placeholder");
    speaker.say(this.tags, "about.tags.example", {}, "placeholder");
    const form = h("form", { class: "about" },
      this.row("about.title", this.title), this.row("about.tags", this.tags), this.row("about.language", this.language),
      h("div", { class: "about-foot" }, this.save, this.said));
    form.addEventListener("submit", (e) => {
      e.preventDefault(); // the policy forbids that forms go anywhere
      void this.send();
    });
    this.root = h("section", { class: "sheet", testid: "about" }, speaker.say(h("h2"), "about"), speaker.say(h("p", { class: "sheet-lead" }), "about.lead"), form);
    this.choices("");
    speaker.follow(() => this.choices(this.language.value));
  }

  /** What the server has; the host's typing is worth more. */
  fill(r: RoomCard): void {
    if (this.known) return;
    this.known = true;
    this.title.value = r.title;
    this.tags.value = r.tags.join(", ");
    this.choices(r.language);
  }

  private row(key: Key, control: HTMLElement): HTMLElement {
    return h("div", { class: "field" }, this.speaker.say(h("label", { class: "field-name", for: control.id }), key), control);
  }

  private choices(chosen: string): void {
    const tags = chosen === "" || offered.includes(chosen) ? offered : [chosen, ...offered];
    this.language.replaceChildren(
      this.speaker.say(h("option", { value: "" }), "about.language.none"),
      ...tags.map((t) => h("option", { value: t }, languageName(t, this.speaker.lang))));
    this.language.value = chosen;
  }

  private async send(): Promise<void> {
    const card = { title: this.title.value, tags: parseTags(this.tags.value), language: this.language.value };
    this.save.disabled = true;
    try {
      const r = await putRoom(this.options.room, this.options.token, card);
      this.known = false;
      this.fill(r); // as others see it
      this.say("about.saved", false);
      this.options.saved(r);
    } catch (e) {
      const refused = e instanceof ApiError && e.status < 500;
      this.say(refused ? "about.refused" : "about.failed", true, refused ? e.message : "");
    }
    this.save.disabled = false;
  }

  private say(key: Key, bad: boolean, reason = ""): void {
    this.said.classList.toggle("bad", bad);
    this.speaker.say(this.said, key, { reason });
  }
}
