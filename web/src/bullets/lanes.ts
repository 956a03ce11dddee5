// Who may share a lane. Pure; times in ms of one clock, widths in em of the
// bullets' own font, so that the answer is the same on every screen of a shape.

import type { Mode } from "../protocol";

export interface Body {
  readonly at: number; // when its head enters at the right edge
  readonly width: number;
}

/** How long must lie between the entries into one lane of a bullet so wide and the next one, so wide. */
export type Apart = (ahead: number, behind: number) => number;

/** How fast a bullet of a width moves, in em per ms. */
export interface Speeds {
  class(width: number): number;
  speed(index: number): number;
}

/**
 * Two must not touch, neither when the second enters nor, if it is faster, when
 * the first leaves. That takes longest on the widest stage of a shape.
 */
export function following(speeds: Speeds, stage: { least: number; most: number }, gap: number): Apart {
  const clear = Math.min(gap, stage.least);
  return (ahead, behind) => {
    const [first, second] = [speeds.speed(speeds.class(ahead)), speeds.speed(speeds.class(behind))];
    const entered = (ahead + clear) / first;
    const left = (stage.most + ahead) / first - (stage.most - clear) / second;
    return Math.max(entered, left);
  };
}

/** Bullets that stand have their lane to themselves. */
export const standing = (time: number): Apart => () => time;

export class Lanes<B extends Body> {
  private readonly lanes: B[][]; // each by `at`

  constructor(
    readonly count: number,
    private readonly apart: Apart,
  ) {
    this.lanes = Array.from({ length: count }, () => []);
  }

  /** Whether a body has room; `except` is not in its way. */
  fits(lane: number, at: number, width: number, except?: B): boolean {
    const all = this.lanes[lane];
    if (!all) return false;
    const i = after(all, at);
    // Nobody overtakes in a lane: only the neighbours matter.
    const before = all[i - 1] === except ? all[i - 2] : all[i - 1];
    const next = all[i] === except ? all[i + 1] : all[i];
    if (before && at - before.at < this.apart(before.width, width)) return false;
    return !next || next.at - at >= this.apart(width, next.width);
  }

  /** The topmost lane with room, or -1. */
  first(at: number, width: number): number {
    for (let lane = 0; lane < this.count; lane++) if (this.fits(lane, at, width)) return lane;
    return -1;
  }

  put(lane: number, body: B): void {
    const all = this.lanes[lane];
    all?.splice(after(all, body.at), 0, body);
  }

  remove(lane: number, body: B): void {
    const all = this.lanes[lane];
    const i = all?.lastIndexOf(body) ?? -1;
    if (i >= 0) all!.splice(i, 1);
  }

  /** Who would have to go for a newcomer, in the lane where the fewest would. */
  inTheWay(at: number, width: number): B[] {
    let fewest: B[] = [];
    this.lanes.forEach((all, lane) => {
      const them = all.filter((b) => (b.at <= at ? at - b.at < this.apart(b.width, width) : b.at - at < this.apart(width, b.width)));
      if (lane === 0 || them.length < fewest.length) fewest = them;
    });
    return fewest;
  }
}

/** Empty lanes for every way to fly. */
export function lanesOf<B extends Body>(g: { lanes: Record<Mode, number>; apart: Record<Mode, Apart> }): Record<Mode, Lanes<B>> {
  const of = (mode: Mode): Lanes<B> => new Lanes(g.lanes[mode], g.apart[mode]);
  return { scroll: of("scroll"), top: of("top"), bottom: of("bottom") };
}

/** Index of the first body later than `at`; almost always near the end. */
function after(all: readonly Body[], at: number): number {
  let i = all.length;
  while (i > 0 && all[i - 1]!.at > at) i--;
  return i;
}
