// The links of a room that viewers send to friends: the room, or this moment.

import { copyButton, field, type Field } from "./copying";
import { h, icon, show } from "./dom";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import { linkTo } from "./moment";
import { drawing } from "./qr";

export interface ShareOptions {
  room: string;
  /** Program date time the reader sees, ms; null = no picture. */
  playhead(): number | null;
}

export class Share {
  readonly root: HTMLElement;
  private readonly button = h("button", { class: "ghost share", type: "button", testid: "share", "aria-expanded": "false", "aria-controls": "share-links" });
  private readonly panel = h("div", { class: "share-panel", id: "share-links", role: "group", testid: "share-panel", hidden: true });
  private readonly moment: Field;
  private readonly link: Field;
  private readonly code = h("div", { class: "qr-box", testid: "share-qr" });

  constructor(private readonly speaker: Speaker, private readonly options: ShareOptions) {
    const one = (key: Key, testid: string): Field => {
      const f = field(speaker, key, testid);
      f.tools.append(copyButton(speaker, `copy-${testid}`, () => f.value.value));
      return f;
    };
    this.link = one("share.room", "share-room");
    this.moment = one("share.moment", "share-moment");
    this.moment.root.append(speaker.say(h("small", { class: "field-note" }), "share.moment.note"));
    speaker.say(this.panel, "share", {}, "aria-label");
    const note = speaker.say(h("p", { class: "field-note" }), "share.qr.note");
    this.panel.append(this.link.root, this.moment.root, h("div", { class: "qr-row" }, this.code, note));
    speaker.say(this.button, "share", {}, "aria-label"); // on a phone the icon stands alone
    this.button.append(icon(...icons.share), speaker.say(h("span"), "share"));
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    this.root = h("div", { class: "share-box" }, this.button, this.panel);
    document.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || this.panel.hidden || e.defaultPrevented) return;
      this.open(false);
      this.button.focus();
    });
    document.addEventListener("pointerdown", (e) => {
      if (!this.panel.hidden && e.target instanceof Node && !this.root.contains(e.target)) this.open(false);
    });
  }

  private open(wanted: boolean): void {
    const { room } = this.options;
    const at = this.options.playhead();
    this.link.value.value = linkTo(room, null, location.origin);
    this.code.replaceChildren(drawing(this.link.value.value, this.speaker.t("share.qr")));
    this.moment.value.value = at === null ? "" : linkTo(room, at, location.origin);
    show(this.moment.root, at !== null);
    show(this.panel, wanted);
    this.button.setAttribute("aria-expanded", String(wanted));
    if (wanted) this.link.value.focus();
  }
}
