// Likes as hearts that rise over the picture.

import { h, icon } from "./dom";
import { icons } from "./icons";

const most = 14; // in the air; a surge is a stream of them, not a wall
const burst = 5; // of one tick

export class Hearts {
  readonly root = h("div", { class: "hearts", "aria-hidden": "true", testid: "hearts" });
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private flown = 0;

  /** n likes came. */
  fly(n: number): void {
    if (this.still.matches || document.hidden) return;
    for (let i = 0; i < Math.min(n, burst); i++) this.one(i);
  }

  private one(i: number): void {
    if (this.root.childElementCount >= most) return;
    const k = this.flown++;
    const heart = h("i", { class: "heart", "data-way": k % 4, "data-tint": k % 5 }, icon(...icons.heart));
    heart.style.setProperty("--wait", `${i * 140}ms`);
    heart.style.setProperty("--aside", `${((k * 37) % 60) - 30}px`);
    heart.addEventListener("animationend", () => heart.remove());
    this.root.append(heart);
  }
}
