// The list of comments: bounded, and it follows the newest one unless the
// reader has scrolled back.

import type { Preferences } from "./bullets/settings";
import { h, icon, show } from "./dom";
import { hue } from "./format";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import type { Comment } from "./protocol";

const maxRows = 200;
const maxRowsBack = 600; // while somebody reads back, rows above must not vanish under their eyes
const nearEnd = 60; // px

export class CommentList {
  readonly root: HTMLElement;
  private readonly list: HTMLElement;
  private readonly pill: HTMLButtonElement;
  private readonly pillText: HTMLElement;
  private readonly empty: HTMLElement;
  private readonly own = new Map<string, HTMLElement>(); // by cid
  private readonly said = new WeakMap<Element, Comment>(); // by row
  private follows = true;
  private unread = 0;

  constructor(
    private readonly speaker: Speaker,
    private readonly preferences: Preferences,
    /** What else can be done about a comment. */
    private readonly more: (c: Comment, done: () => void) => HTMLElement[] = () => [],
  ) {
    this.list = h("ol", { class: "comments", testid: "comment-list", tabindex: 0 });
    speaker.say(this.list, "chat.list", {}, "aria-label");
    this.empty = speaker.say(h("p", { class: "comments-empty", testid: "comments-empty" }), "chat.empty");
    this.pillText = h("span");
    this.pill = h("button", { class: "pill-new", type: "button", testid: "new-comments", hidden: true }, this.pillText, icon(...icons.down));
    this.pill.addEventListener("click", () => this.toEnd());
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.list.addEventListener("click", (e) => this.chose(e.target));
    this.list.addEventListener("keydown", (e) => this.key(e));
    preferences.follow(() => this.review());
    this.root = h("div", { class: "comments-box" }, this.empty, this.list, this.pill);
    new ResizeObserver(() => this.follows && this.toEnd()).observe(this.list);
  }

  append(comments: Comment[]): void {
    if (comments.length === 0) return;
    const rows = document.createDocumentFragment();
    for (const c of comments) rows.append(this.row(c));
    this.insert(rows, comments.length);
  }

  /** The reader's own comment, before the server has answered. */
  appendOwn(cid: string, c: Comment): void {
    const row = this.row(c);
    row.classList.add("own");
    row.append(h("span", { class: "fate", testid: "fate" }));
    this.own.set(cid, row);
    this.insert(row, 1);
    this.setFate(cid, "fate.pending");
    this.toEnd();
  }

  /** Puts an own comment as the others see it: the server may have cleaned it. */
  correct(cid: string, c: Comment): void {
    const row = this.own.get(cid);
    if (row) this.said.set(row, c);
    const text = c.text;
    const said = row?.querySelector(".said");
    if (said && said.textContent !== text) said.textContent = text;
  }

  /** Says what became of an own comment; null = it is shown, nothing to say. */
  setFate(cid: string, key: Key | null, bad = false): void {
    const row = this.own.get(cid);
    const fate = row?.querySelector(".fate");
    if (!row || !fate) return;
    row.dataset.fate = key ?? "shown";
    row.classList.toggle("rejected", bad);
    row.classList.toggle("pending", key === "fate.pending");
    if (key) this.speaker.say(fate, key);
    else fate.remove();
  }

  /** Takes comments away: those with these ids, all by one person. Returns their ids. */
  remove(ids: readonly string[], who: string): string[] {
    const gone: string[] = [];
    for (const row of [...this.list.children]) {
      const c = this.said.get(row);
      if (!c || !(ids.includes(c.id) || (who !== "" && c.author === who))) continue;
      const focused = row.contains(document.activeElement);
      gone.push(c.id);
      row.remove();
      if (focused) this.list.focus();
    }
    return gone;
  }

  /** A line of the house: something to know that nobody said. */
  note(key: Key, vars: Record<string, string | number> = {}): void {
    this.insert(this.speaker.say(h("li", { class: "note" }), key, vars), 0);
  }

  private row(c: Comment): HTMLElement {
    // Not a stop for Tab, or two hundred would lie before the comment box: arrow keys go from name to name.
    const nick = h("button", { class: "nick", type: "button", tabindex: -1 }, c.nick);
    nick.style.setProperty("--hue", String(hue(c.author || c.nick)));
    const text = h("span", { class: "said" }, c.text);
    if (c.color !== "#ffffff") {
      text.classList.add("tinted");
      text.style.setProperty("--tint", c.color);
    }
    const row = h("li", { class: "comment", testid: "comment" }, this.badge(c), nick, " ", text);
    row.dataset.role = c.role;
    this.said.set(row, c);
    show(row, !this.preferences.blocks(c));
    return row;
  }

  /** The reader's wishes have changed. */
  private review(): void {
    for (const row of this.list.children) {
      const c = this.said.get(row);
      if (c && !row.classList.contains("own")) show(row as HTMLElement, !this.preferences.blocks(c));
    }
    if (this.follows) this.toEnd();
  }

  /** A name was chosen: it offers to hide what that person says. */
  private chose(target: EventTarget | null): void {
    const nick = target instanceof Element ? target.closest<HTMLElement>(".nick") : null;
    const row = nick?.closest(".comment");
    const c = row && this.said.get(row);
    if (!nick || !c || c.author === "") return;
    const offered = this.list.querySelector(".row-menu");
    offered?.remove();
    if (offered && row.contains(offered)) return;
    const close = (): void => {
      menu.remove();
      this.list.focus();
    };
    const menu = h("div", { class: "row-menu", role: "group", testid: "row-menu" }, ...this.more(c, close), this.hider(row, c));
    if (menu.childElementCount === 0) return;
    this.speaker.say(menu, "mod.menu", { name: c.nick }, "aria-label");
    menu.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      menu.remove();
      nick.focus();
    });
    row.append(menu);
    menu.querySelector("button")!.focus();
    menu.scrollIntoView({ block: "nearest" });
  }

  /** Hides what a person says, here alone. */
  private hider(row: Element, c: Comment): HTMLElement | null {
    if (row.classList.contains("own")) return null;
    const hide = h("button", { class: "hide-person", type: "button", testid: "hide-person" }, icon(...icons.block));
    hide.append(this.speaker.say(h("span"), "bul.people.hide", { name: c.nick }));
    hide.addEventListener("click", () => {
      this.preferences.blockPerson({ id: c.author, nick: c.nick });
      this.list.focus();
    });
    return hide;
  }

  /** Up and down go from name to name; from the list itself, up begins at the newest. */
  private key(e: KeyboardEvent): void {
    if (e.key !== "ArrowUp" && e.key !== "ArrowDown") return;
    const nicks = [...this.list.querySelectorAll<HTMLElement>(".comment:not([hidden]) .nick")];
    const at = nicks.findIndex((n) => n.closest(".comment")!.contains(document.activeElement));
    if (at < 0 && e.key === "ArrowDown") return;
    e.preventDefault();
    nicks[at < 0 ? nicks.length - 1 : Math.min(Math.max(at + (e.key === "ArrowUp" ? -1 : 1), 0), nicks.length - 1)]?.focus();
  }

  private badge(c: Comment): HTMLElement | null {
    if (c.role === "viewer") return null;
    return this.speaker.say(h("span", { class: "badge" }), c.role === "host" ? "chat.host" : "chat.moderator");
  }

  private insert(rows: Node, fresh: number): void {
    show(this.empty, false);
    this.list.append(rows);
    this.trim(this.follows ? maxRows : maxRowsBack);
    if (this.follows) this.toEnd();
    else if (fresh > 0) this.announce(this.unread + fresh);
  }

  private trim(limit: number): void {
    while (this.list.childElementCount > limit) {
      const first = this.list.firstElementChild as HTMLElement;
      for (const [cid, row] of this.own) if (row === first) this.own.delete(cid);
      first.remove();
    }
  }

  private scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    this.follows = scrollHeight - scrollTop - clientHeight < nearEnd;
    if (this.follows) this.announce(0);
  }

  private toEnd(): void {
    this.follows = true;
    this.announce(0);
    this.list.scrollTop = this.list.scrollHeight;
  }

  private announce(unread: number): void {
    this.unread = unread;
    show(this.pill, unread > 0);
    if (unread > 0) this.speaker.say(this.pillText, "chat.new", { n: unread });
  }
}
