// Bullets of one stage, in a browser: the wall with its clocks and its screen.

import type { Preferences } from "./settings";
import { Screen } from "./sky";
import type { Reading } from "./timeline";
import { Wall } from "./wall";
import { canvasMeasure } from "./widths";

const moments = ["play", "playing", "pause", "waiting", "seeking", "seeked", "ratechange", "emptied", "ended"];

export interface BulletsOptions {
  video: HTMLMediaElement;
  reading: () => Reading;
  preferences: Preferences;
}

export class Bullets {
  readonly wall: Wall;
  private timer = 0;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly ends = new AbortController();
  private readonly sizes: ResizeObserver;

  constructor(
    private readonly layer: HTMLElement,
    private readonly options: BulletsOptions,
  ) {
    const { video, reading, preferences } = options;
    this.wall = new Wall({
      sky: new Screen(layer),
      measure: canvasMeasure(layer),
      now: () => performance.now(),
      reading,
      blocks: (c) => preferences.blocks(c),
    });
    this.sizes = new ResizeObserver(([entry]) => this.wall.resize(entry!.contentRect.width, entry!.contentRect.height));
    this.sizes.observe(layer);
    const { signal } = this.ends;
    for (const type of moments) video.addEventListener(type, () => this.wake(), { signal });
    document.addEventListener("visibilitychange", () => this.appear(), { signal });
    this.still.addEventListener("change", () => this.appear(), { signal });
    preferences.follow(() => this.configure());
    this.configure();
    this.appear();
  }

  /** Looks at the playhead now, and again when something is due. */
  readonly wake = (): void => {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(this.wake, this.wall.step());
  };

  stop(): void {
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.ends.abort();
    this.wall.show(false);
  }

  private configure(): void {
    const { value } = this.options.preferences;
    this.layer.style.setProperty("--bullet-opacity", String(value.opacity));
    this.wall.configure(value);
    this.wake();
  }

  /** Who asked for less motion, or looks elsewhere, has the list. */
  private appear(): void {
    this.wall.show(!document.hidden && !this.still.matches);
    this.wake();
  }
}
