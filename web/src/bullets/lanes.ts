// Where a bullet flies. Pure and deterministic: the same bullets at the same
// times on a stage of the same size take the same lanes.
//
// Scrolling bullets all take `duration` from edge to edge, so a wide one moves
// faster: v = (W + w) / duration. Two in one lane must not touch, neither at
// the right edge when the second enters nor at the left one when it arrives.

import type { Mode } from "../protocol";

export interface Stage {
  width: number;
  height: number;
  laneHeight: number;
}

export interface Timing {
  scroll: number; // ms from edge to edge
  fixed: number; // ms that top and bottom bullets stand
}

export const timing: Timing = { scroll: 8000, fixed: 4000 };

const gap = 24; // px between two bullets of one lane
const fixedShare = 0.4; // top and bottom bullets use at most this part of the height each
const scrollShare = 0.85; // the lowest lanes stay free for the controls

interface Tail {
  start: number;
  width: number;
}

export class Lanes {
  private readonly scroll: (Tail | undefined)[] = [];
  private readonly top: number[] = []; // until when each lane is taken
  private readonly bottom: number[] = [];

  constructor(
    private stage: Stage,
    private readonly times: Timing = timing,
  ) {}

  /** A new size keeps what is on its way: widths stay, only the way gets longer or shorter. */
  resize(stage: Stage): void {
    this.stage = stage;
  }

  /** The y of a lane for a bullet of `width` at `now`, or null when every lane is taken. */
  place(mode: Mode, width: number, now: number): number | null {
    switch (mode) {
      case "top":
        return this.fixed(this.top, now);
      case "bottom":
        return this.fromBelow(this.fixed(this.bottom, now));
      case "scroll":
        return this.scrolling(width, now);
    }
  }

  clear(): void {
    this.scroll.length = this.top.length = this.bottom.length = 0;
  }

  private scrolling(width: number, now: number): number | null {
    for (let lane = 0; lane < this.count(scrollShare); lane++) {
      if (!this.free(this.scroll[lane], width, now)) continue;
      this.scroll[lane] = { start: now, width };
      return lane * this.stage.laneHeight;
    }
    return null;
  }

  private free(tail: Tail | undefined, width: number, now: number): boolean {
    if (!tail) return true;
    const W = this.stage.width;
    const T = this.times.scroll;
    const entered = (now - tail.start) * ((W + tail.width) / T) >= tail.width + gap;
    const reaches = now + (W - gap) * (T / (W + width)); // our head, a gap before the left edge
    return entered && reaches >= tail.start + T;
  }

  private fixed(until: number[], now: number): number | null {
    for (let lane = 0; lane < this.count(fixedShare); lane++) {
      if ((until[lane] ?? 0) > now) continue;
      until[lane] = now + this.times.fixed;
      return lane * this.stage.laneHeight;
    }
    return null;
  }

  private fromBelow(y: number | null): number | null {
    return y === null ? null : this.count(scrollShare) * this.stage.laneHeight - this.stage.laneHeight - y;
  }

  private count(share: number): number {
    return Math.max(1, Math.floor((this.stage.height * share) / this.stage.laneHeight));
  }
}
