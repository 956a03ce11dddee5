// Where in the show the picture is, as far as it can be gone back.

import { h, show } from "./dom";
import { ago } from "./format";
import type { Speaker } from "./i18n";
import type { Player } from "./player";

const shortest = 4; // seconds: below that there is nowhere to go

export class Seekbar {
  readonly root: HTMLElement;
  private readonly slider = h("input", { type: "range", class: "seek", testid: "seek", min: 0, max: 1, step: 0.1 });
  private readonly tip = h("output", { class: "seek-tip", hidden: true, "aria-hidden": "true" });
  private dragging = false;

  constructor(
    private readonly speaker: Speaker,
    private readonly player: Player,
  ) {
    speaker.say(this.slider, "ctl.seek", {}, "aria-label");
    this.root = h("div", { class: "seek-row", hidden: true }, this.slider, this.tip);
    this.slider.addEventListener("input", () => {
      this.dragging = true;
      this.paint();
    });
    this.slider.addEventListener("change", () => {
      this.dragging = false;
      player.seek(Number(this.slider.value));
      this.refresh();
    });
    for (const type of ["pointermove", "pointerdown"] as const) {
      this.slider.addEventListener(type, (e) => this.point(e.clientX));
    }
    for (const type of ["pointerleave", "pointerup", "blur"]) this.slider.addEventListener(type, () => show(this.tip, false));
    this.slider.addEventListener("keydown", (e) => {
      // Steps of a slider are a tenth of a second; people want to see a difference.
      const by = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -15, PageUp: 15 }[e.key];
      if (by === undefined) return;
      e.preventDefault();
      e.stopPropagation();
      this.step(by);
    });
  }

  /** Goes so many seconds forward or back. */
  step(seconds: number): void {
    this.player.seek(this.player.video.currentTime + seconds);
    this.refresh();
  }

  /** Called several times a second. */
  refresh(): void {
    const range = this.player.range();
    const there = range !== null && range[1] - range[0] > shortest;
    show(this.root, there);
    if (!there || this.dragging) return;
    this.slider.min = String(range[0]);
    this.slider.max = String(range[1]);
    const { currentTime } = this.player.video;
    this.slider.value = String(this.player.behind() < 1.5 ? range[1] : currentTime); // live is the end, whatever the clock trembles
    this.paint();
  }

  private paint(): void {
    const [min, max, value] = [this.slider.min, this.slider.max, this.slider.value].map(Number) as [number, number, number];
    this.root.style.setProperty("--played", `${((value - min) / Math.max(max - min, 0.001)) * 100}%`);
    const behind = max - value;
    this.slider.setAttribute("aria-valuetext", behind < 1.5 ? this.speaker.t("ctl.live") : this.speaker.t("ctl.behind", { n: Math.round(behind) }));
  }

  /** Says what is under the pointer. */
  private point(x: number): void {
    const box = this.slider.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (x - box.left) / box.width));
    const behind = (1 - part) * (Number(this.slider.max) - Number(this.slider.min));
    this.tip.textContent = behind < 1.5 ? this.speaker.t("ctl.live") : `−${ago(behind)}`;
    this.root.style.setProperty("--at", `${part * 100}%`);
    show(this.tip, true);
  }
}
