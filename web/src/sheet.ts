// A panel over the stage with a title and a way out. On a phone it is a modal
// dialog from the bottom of the screen: there is no room beside it.

import { h, icon, type Child } from "./dom";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";

export interface SheetOptions {
  title: Key;
  testid: string;
  close: string; // test id of the way out
}

const small = "(max-width: 720px), (max-height: 480px)";

export class Sheet {
  readonly root: HTMLDialogElement;
  onOpen: () => void = () => undefined;
  private opener: HTMLElement | null = null;

  constructor(speaker: Speaker, options: SheetOptions, ...content: Child[]) {
    const close = speaker.label(h("button", { class: "panel-close", type: "button", testid: options.close }, icon(...icons.close)), "close");
    close.addEventListener("click", () => this.close());
    this.root = h("dialog", { class: "panel", testid: options.testid },
      h("header", {}, speaker.say(h("h2"), options.title), close), h("div", { class: "panel-body" }, ...content));
    speaker.say(this.root, options.title, {}, "aria-label");
    this.root.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      e.preventDefault();
      e.stopPropagation();
      this.close();
    });
    this.root.addEventListener("cancel", (e) => {
      e.preventDefault(); // the way back of a phone
      this.close();
    });
    this.root.addEventListener("click", (e) => {
      if (e.target === this.root && this.modal) this.close(); // beside it
    });
  }

  get open(): boolean {
    return this.root.open;
  }

  /** Opens for the keyboard, too: the focus goes in, and comes back at the end. */
  toggle(opener: HTMLElement): void {
    if (this.open) {
      this.close();
      return;
    }
    this.opener = opener;
    opener.setAttribute("aria-expanded", "true");
    this.onOpen();
    if (matchMedia(small).matches) this.root.showModal();
    else this.root.show();
    this.root.querySelector<HTMLElement>("input, select, .panel-body button")?.focus();
  }

  close(): void {
    if (!this.open) return;
    const inside = this.root.contains(document.activeElement);
    this.root.close();
    this.opener?.setAttribute("aria-expanded", "false");
    if (inside) this.opener?.focus();
  }

  private get modal(): boolean {
    return this.root.matches(":modal");
  }
}
