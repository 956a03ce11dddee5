// The cards of the directory. Elements are kept and moved: focus and hover stay
// where they are, and what has not changed costs nothing.

import { h, icon, show } from "./dom";
import { count, hue } from "./format";
import type { Speaker, Key } from "./i18n";
import { icons } from "./icons";
import { languageName, type Listed } from "./rooms";

const shownTags = 4;

/** The letter on a poster: not a bracket or a quote. */
const first = (text: string): string => (/[\p{L}\p{N}\p{Extended_Pictographic}]/u.exec(text)?.[0] ?? "").toUpperCase();

class Card {
  readonly root: HTMLLIElement;
  private readonly poster = h("div", { class: "poster" });
  private readonly initial = h("span", { class: "initial", "aria-hidden": "true" });
  private readonly phase = h("span", { class: "phase" });
  private readonly language = h("span", { class: "card-language" });
  private readonly title = h("b", { class: "card-title", dir: "auto" });
  private readonly people = h("span");
  private readonly name = h("span", { class: "card-room" });
  private readonly tags = h("ul", { class: "card-tags" });
  private drawn = "";

  constructor(name: string, private readonly speaker: Speaker) {
    this.poster.style.setProperty("--hue", String(hue(name)));
    this.poster.append(this.initial, this.phase, this.language);
    speaker.say(this.tags, "dir.tags", {}, "aria-label");
    const foot = h("div", { class: "card-foot" }, this.title,
      h("div", { class: "card-line" }, this.name, h("span", { class: "people" }, icon(...icons.people), this.people)),
      this.tags);
    this.root = h("li", {}, h("a", { class: "card", href: `/r/${name}`, testid: "room-card" }, this.poster, foot));
  }

  draw({ room, viewers }: Listed): void {
    const { lang } = this.speaker;
    const drawn = JSON.stringify([lang, room.title, room.tags, room.language, room.phase, viewers]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const title = room.title || room.room;
    this.title.textContent = title;
    this.title.title = title;
    this.name.textContent = room.title ? room.room : ""; // it is the title otherwise
    this.initial.textContent = first(title);
    this.phase.dataset.phase = room.phase;
    this.speaker.say(this.phase, `phase.${room.phase}` satisfies Key);
    this.speaker.say(this.people, "dir.viewers", { n: count(viewers, lang) });
    this.language.textContent = languageName(room.language, lang);
    show(this.language, room.language !== "");
    this.tags.replaceChildren(...room.tags.slice(0, shownTags).map((t) => h("li", { dir: "auto" }, t)));
    show(this.tags, room.tags.length > 0);
  }
}

export class Cards {
  readonly root = h("ul", { class: "rooms", testid: "rooms" });
  private readonly cards = new Map<string, Card>();

  constructor(private readonly speaker: Speaker) {}

  draw(rooms: readonly Listed[]): void {
    const focused = document.activeElement;
    const gone = new Set(this.cards.keys());
    rooms.forEach((l, i) => {
      const name = l.room.room;
      gone.delete(name);
      let card = this.cards.get(name);
      if (!card) this.cards.set(name, (card = new Card(name, this.speaker)));
      card.draw(l);
      const there = this.root.children[i] ?? null;
      if (there !== card.root) this.root.insertBefore(card.root, there);
    });
    for (const name of gone) {
      this.cards.get(name)!.root.remove();
      this.cards.delete(name);
    }
    // An element that was moved has lost its focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.root.contains(focused)) focused.focus();
  }
}
