// What those who look after a room can do about one comment.

import { h, icon } from "./dom";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import type { Comment, Order } from "./protocol";

export interface MenuOptions {
  mine: boolean; // nobody mutes himself
  give(o: Order): void;
  done(): void;
}

/** The buttons of the menu of `c`. */
export function menuFor(speaker: Speaker, c: Comment, options: MenuOptions): HTMLElement[] {
  const entry = (key: Key, id: string, paths: readonly string[], order: Order): HTMLElement => {
    const b = h("button", { class: `act ${order.do}`, type: "button", testid: id }, icon(...paths), speaker.say(h("span"), key));
    b.addEventListener("click", () => {
      options.give(order);
      options.done();
    });
    return b;
  };
  const person = { who: c.author, name: c.nick };
  const about = c.id === "" ? [] : [
    // What does least harm is first: it has the focus, and Enter may come twice.
    entry("mod.pin", "mod-pin", icons.pin, { do: "pin", ids: [c.id] }),
    entry("mod.delete", "mod-delete", icons.bin, { do: "delete", ids: [c.id] }),
  ];
  if (options.mine || c.role === "host") return about;
  return [
    ...about,
    entry("mod.mute", "mod-mute", icons.hush, { do: "mute", ...person, seconds: 600 }),
    entry("mod.mute.show", "mod-mute-show", icons.hush, { do: "mute", ...person, show: true }),
    entry("mod.ban", "mod-ban", icons.block, { do: "ban", ...person, addr: true }),
  ];
}
