// Bullets of one stage: comments in, flying text out.

import type { Comment } from "../protocol";
import { Renderer, type Drawing } from "./renderer";
import { Schedule } from "./schedule";

export interface Clock {
  /** Program date time at the playhead, ms; null while there is no picture. */
  playhead(): number | null;
}

const beat = 100; // ms between two looks at the playhead

export class Bullets {
  shown = 0;
  private readonly schedule = new Schedule<Drawing>();
  private readonly renderer: Renderer;
  private readonly still: MediaQueryList;
  private readonly timer: number;
  private on = true;

  constructor(
    layer: HTMLElement,
    private readonly clock: Clock,
  ) {
    this.renderer = new Renderer(layer);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.timer = window.setInterval(() => this.tick(), beat);
  }

  set delay(ms: number) {
    this.schedule.delay = ms;
  }

  set enabled(on: boolean) {
    this.on = on;
    if (!on) this.renderer.clear();
  }

  get enabled(): boolean {
    return this.on;
  }

  set paused(paused: boolean) {
    this.renderer.setPaused(paused);
  }

  /** A comment of somebody. History flies only where the playhead has yet to come. */
  add(c: Comment, history = false): void {
    const item: Drawing = { text: c.text, mode: c.mode, color: c.color, own: false, host: c.role === "host" };
    const verdict = this.schedule.offer(
      { item, pdt: c.pdt, ...(history && { late: 0 }) },
      this.clock.playhead(),
    );
    if (verdict === "fly") this.fly([item]);
  }

  /** The reader's own comment: at once, whatever the time is. */
  addOwn(c: Pick<Comment, "text" | "mode" | "color">): void {
    this.fly([{ text: c.text, mode: c.mode, color: c.color, own: true, host: false }]);
  }

  stop(): void {
    clearInterval(this.timer);
    this.renderer.destroy();
  }

  private tick(): void {
    const due = this.schedule.take(this.clock.playhead());
    if (due.length > 0) this.fly(due);
  }

  /** A hidden tab draws nothing, or its bullets would all start when it is shown again. */
  private fly(drawings: Drawing[]): void {
    if (!this.on || this.still.matches || document.hidden) return;
    this.shown += this.renderer.draw(drawings);
  }
}
