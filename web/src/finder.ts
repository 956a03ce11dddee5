// The search of the directory: a text, a language, and what came of it.

import { h, icon, show, typing } from "./dom";
import { count } from "./format";
import type { Speaker } from "./i18n";
import { icons } from "./icons";
import { languageName, languages, primary, type Listed, type Wish } from "./rooms";

export class Finder {
  readonly root: HTMLElement;
  readonly found = h("p", { class: "found", role: "status", testid: "rooms-found", hidden: true });
  private readonly input = h("input", { type: "search", testid: "rooms-search", spellcheck: "false", autocomplete: "off", maxlength: 100 });
  private readonly choice = h("select", { testid: "rooms-language", hidden: true });
  private offered = "";

  constructor(
    private readonly speaker: Speaker,
    private readonly wish: Wish,
    private readonly wished: () => void,
  ) {
    this.input.value = wish.query;
    speaker.say(this.input, "dir.search", {}, "placeholder");
    speaker.say(this.input, "dir.search.label", {}, "aria-label");
    speaker.say(this.choice, "dir.language", {}, "aria-label");
    this.input.addEventListener("input", () => this.change({ query: this.input.value }));
    this.choice.addEventListener("change", () => this.change({ language: this.choice.value }));
    document.addEventListener("keydown", (e) => {
      if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || this.input.offsetParent === null) return;
      e.preventDefault();
      this.input.focus();
    });
    const box = h("label", { class: "search" }, icon(...icons.search), this.input);
    this.root = h("div", { class: "finder", role: "search" }, box, this.choice);
  }

  /** Brings the choice of languages and the sentence up to date. */
  draw(all: readonly Listed[], found: number): void {
    const { lang } = this.speaker;
    const tags = languages(all);
    if (this.wish.language !== "" && !tags.includes(this.wish.language)) tags.push(this.wish.language);
    const offered = [lang, ...tags].join(" ");
    if (offered !== this.offered) {
      this.offered = offered;
      const any = this.speaker.say(h("option", { value: "" }), "dir.language.any");
      this.choice.replaceChildren(any, ...tags.map((t) => h("option", { value: t }, languageName(primary(t), lang))));
      this.choice.value = this.wish.language;
    }
    show(this.choice, tags.length > 1 || this.wish.language !== "");
    const searching = this.wish.query.trim() !== "" || this.wish.language !== "";
    show(this.found, searching && all.length > 0);
    this.found.dataset.none = String(found === 0);
    if (found === 0) this.speaker.say(this.found, "dir.none");
    else this.speaker.say(this.found, "dir.found", { n: count(found, lang), all: count(all.length, lang) });
  }

  private change(c: Partial<Wish>): void {
    Object.assign(this.wish, c);
    this.wished();
  }
}
