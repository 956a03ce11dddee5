// Draws bullets: one element and one Web Animation each, so that the browser
// moves them without our script. Thin on purpose: every decision is in
// schedule.ts and lanes.ts.

import type { Mode } from "../protocol";
import { Lanes, timing, type Stage } from "./lanes";

export interface Drawing {
  text: string;
  mode: Mode;
  color: string;
  own: boolean;
  host: boolean;
}

interface Flying {
  element: HTMLElement;
  animation: Animation;
  width: number;
  scrolls: boolean;
}

const maxFlying = 240; // what Chromium draws at 60 frames/s in software, with room to spare

export class Renderer {
  private readonly lanes: Lanes;
  private readonly flying = new Set<Flying>();
  private stage: Stage;
  private paused = false;
  private clock = 0; // ms of flight: stands still while paused
  private since = performance.now();
  private readonly sizes: ResizeObserver;

  constructor(private readonly layer: HTMLElement) {
    this.stage = this.measure();
    this.lanes = new Lanes(this.stage);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(layer);
  }

  /** Draws what finds a lane; returns how many did. */
  draw(drawings: Drawing[]): number {
    if (this.stage.width === 0) return 0;
    const room = drawings.slice(0, maxFlying - this.flying.size);
    const elements = room.map((d) => this.element(d));
    this.layer.append(...elements);
    const widths = elements.map((e) => e.offsetWidth); // one layout for all of them
    const now = this.now();
    let drawn = 0;
    room.forEach((d, i) => {
      const y = this.lanes.place(d.mode, widths[i]!, now);
      if (y === null) elements[i]!.remove();
      else {
        this.launch(elements[i]!, d.mode, widths[i]!, y);
        drawn++;
      }
    });
    return drawn;
  }

  setPaused(paused: boolean): void {
    if (paused === this.paused) return;
    this.clock = this.now();
    this.since = performance.now();
    this.paused = paused;
    for (const f of this.flying) {
      if (paused) f.animation.pause();
      else f.animation.play();
    }
  }

  clear(): void {
    for (const f of [...this.flying]) f.animation.cancel();
    this.lanes.clear();
  }

  destroy(): void {
    this.sizes.disconnect();
    this.clear();
  }

  private now(): number {
    return this.paused ? this.clock : this.clock + performance.now() - this.since;
  }

  private element(d: Drawing): HTMLElement {
    const e = document.createElement("span");
    e.className = "bullet";
    e.dataset.testid = "bullet";
    e.dataset.mode = d.mode;
    if (d.own) e.classList.add("own");
    if (d.host) e.classList.add("host");
    e.textContent = d.text;
    e.style.color = d.color;
    return e;
  }

  private launch(element: HTMLElement, mode: Mode, width: number, y: number): void {
    const scrolls = mode === "scroll";
    element.style.top = `${y}px`;
    const animation = element.animate(this.frames(scrolls, width), {
      duration: scrolls ? timing.scroll : timing.fixed,
      easing: "linear",
    });
    if (this.paused) animation.pause();
    const f: Flying = { element, animation, width, scrolls };
    this.flying.add(f);
    const land = (): void => {
      this.flying.delete(f);
      element.remove();
    };
    animation.onfinish = land;
    animation.oncancel = land;
  }

  private frames(scrolls: boolean, width: number): Keyframe[] {
    const from = scrolls ? this.stage.width : Math.max(0, (this.stage.width - width) / 2);
    const to = scrolls ? -width : from;
    return [{ transform: `translate3d(${from}px,0,0)` }, { transform: `translate3d(${to}px,0,0)` }];
  }

  private measure(): Stage {
    const style = getComputedStyle(this.layer);
    const font = parseFloat(style.fontSize) || 24;
    return { width: this.layer.clientWidth, height: this.layer.clientHeight, laneHeight: Math.round(font * 1.5) };
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.layer;
    const font = Math.min(38, Math.max(17, Math.round(Math.min(clientHeight / 20, clientWidth / 34))));
    this.layer.style.fontSize = `${font}px`;
    this.stage = this.measure();
    this.lanes.resize(this.stage);
    for (const f of this.flying) {
      (f.animation.effect as KeyframeEffect | null)?.setKeyframes(this.frames(f.scrolls, f.width));
    }
  }
}
