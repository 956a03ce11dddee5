// What stands above the comments: a notice of the house, and a comment that was
// pinned, for everybody.

import { h, icon, show } from "./dom";
import type { Speaker } from "./i18n";
import { icons } from "./icons";
import type { Comment } from "./protocol";

export class House {
  readonly root: HTMLElement;
  private readonly said = h("p", { dir: "auto" });
  private readonly board: HTMLElement;
  private readonly nick = h("b", { class: "pinned-nick" });
  private readonly text = h("span", { class: "pinned-text", dir: "auto" });
  private readonly card: HTMLElement;
  private readonly unpin: HTMLButtonElement;

  constructor(speaker: Speaker, unpin: () => void) {
    this.board = h("div", { class: "house-line notice", testid: "notice", hidden: true }, icon(...icons.horn), this.said);
    speaker.say(this.board, "mod.notice", {}, "aria-label");
    this.unpin = speaker.label(h("button", { class: "house-close", type: "button", testid: "unpin" }, icon(...icons.close)), "mod.unpin");
    this.unpin.addEventListener("click", unpin);
    this.card = h("div", { class: "house-line pinned", testid: "pinned", hidden: true },
      icon(...icons.pin), h("p", {}, this.nick, this.text), this.unpin);
    speaker.say(this.card, "mod.pinned", {}, "aria-label");
    for (const line of [this.board, this.card]) line.setAttribute("role", "group");
    this.root = h("div", { class: "house", "aria-live": "polite" }, this.board, this.card);
  }

  notice(text: string): void {
    this.said.textContent = text;
    show(this.board, text !== "");
  }

  /** `staff`: whoever may take it away. */
  pin(c: Comment | null, staff: boolean): void {
    show(this.card, c !== null);
    show(this.unpin, staff);
    this.nick.textContent = c?.nick ?? "";
    this.text.textContent = c?.text ?? "";
  }
}
