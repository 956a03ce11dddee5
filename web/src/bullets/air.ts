// What is in flight, in stage time, and its lanes. Two in one lane never
// touch, whatever brought them there.

import type { Geometry } from "./geometry";
import { lanesOf, type Body, type Lanes } from "./lanes";
import type { Entry } from "./plan";
import type { Sky, Sprite } from "./sky";
import type { Comment, Mode } from "../protocol";

export interface Place {
  readonly lane: number;
  readonly at: number; // stage time at which it enters
  readonly planned: boolean; // at its own moment, in its own lane
}

export interface Flight extends Body, Place {
  key: string; // the comment's id, or the page's own name for one that has none yet
  readonly comment: Comment;
  readonly text: string;
  readonly own: boolean;
  readonly ends: number; // stage time
  readonly sprite: Sprite;
  entry: Entry | null; // null = nobody else knows it yet
  total: number; // of its combo, as shown
}

/** What flies, before it has a place. */
export type Cargo = Pick<Flight, "key" | "comment" | "text" | "width" | "own" | "entry">;

// What a slow computer still draws at 60 frames/s.
const most = 400;

export class Air {
  private flights = new Map<string, Flight>();
  private readonly combos = new Set<Flight>();
  private lanes: Record<Mode, Lanes<Flight>>;

  constructor(
    geometry: Geometry,
    private readonly sky: Sky,
  ) {
    this.lanes = lanesOf(geometry);
  }

  get all(): Flight[] {
    return [...this.flights.values()];
  }

  get firstEnd(): number {
    let first = Infinity;
    for (const f of this.flights.values()) first = Math.min(first, f.ends);
    return first;
  }

  /** Whether a combo is in flight. */
  get counting(): boolean {
    return this.combos.size > 0;
  }

  has(key: string): boolean {
    return this.flights.has(key);
  }

  fits(mode: Mode, spot: { lane: number; at: number; width: number }): boolean {
    return this.lanes[mode].fits(spot.lane, spot.at, spot.width);
  }

  /** The reader's own comment is worth the place of another. */
  makeRoom(mode: Mode, at: number, width: number): Place | null {
    for (const f of this.lanes[mode].inTheWay(at, width)) this.land(f);
    const lane = this.lanes[mode].first(at, width);
    return lane < 0 ? null : { lane, at, planned: false };
  }

  /** Starts a flight, unless there is no point in it. */
  launch(what: Cargo, p: Place & { ends: number }, stage: number): boolean {
    if (p.ends <= stage || this.flights.size >= most) return false;
    const { mode, color, role } = what.comment;
    const sprite = this.sky.launch({ text: what.text, width: what.width, color, mode, role, own: what.own }, { lane: p.lane, at: p.at, stage });
    const { key, comment, text, width, own, entry } = what;
    const flight: Flight = { key, comment, text, width, own, entry, sprite, total: 1, lane: p.lane, at: p.at, planned: p.planned, ends: p.ends };
    this.flights.set(key, flight);
    if (entry && entry.growth.length > 0) this.combos.add(flight);
    this.lanes[mode].put(p.lane, flight);
    return true;
  }

  /** What has flown under the page's own name is `e`; false = it does not fly. */
  rename(key: string, e: Entry): boolean {
    const f = this.flights.get(key);
    if (!f) return false;
    this.flights.delete(key);
    f.key = e.comment.id;
    f.entry = e;
    this.flights.set(f.key, f);
    return true;
  }

  remove(key: string): void {
    const f = this.flights.get(key);
    if (f) this.land(f);
  }

  /** Ends what is over. */
  sweep(stage: number): void {
    for (const f of this.flights.values()) if (f.ends <= stage) this.land(f);
  }

  /**
   * Combos show the total of the newest count that has been passed. At most
   * `budget` change at once, the longest unchanged first, so that a surge does
   * not cost a frame.
   */
  count(media: number, budget = Infinity): void {
    for (const f of this.combos) {
      if (budget <= 0) return;
      const total = totalAt(f.entry!, media);
      if (total === f.total) continue;
      f.total = total;
      f.sprite.badge(total);
      this.combos.delete(f);
      this.combos.add(f);
      budget--;
    }
  }

  /** The combo of a comment has grown. */
  grown(key: string): void {
    const f = this.flights.get(key);
    if (f) this.combos.add(f);
  }

  clear(): void {
    for (const f of this.flights.values()) this.land(f);
  }

  reset(geometry: Geometry): void {
    this.clear();
    this.lanes = lanesOf(geometry);
  }

  private land(f: Flight): void {
    this.flights.delete(f.key);
    this.combos.delete(f);
    this.lanes[f.comment.mode].remove(f.lane, f);
    f.sprite.land();
  }
}

const totalAt = (e: Entry, media: number): number =>
  e.growth.reduce((total, g) => (g.at <= media ? Math.max(total, g.total) : total), 1);
