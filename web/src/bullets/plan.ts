// The wall in media time: which bullet has which lane at which moment. Pure.
//
// Comments come in the order of the room's ticks, the same for everybody, and
// each takes the topmost lane that has room at its own moment. So the plan
// depends on the room and the shape of the stage alone: not on when a comment
// arrived here, nor on how far behind this viewer is. It remembers, so that
// after a seek the bullets of that moment fly again.

import type { Geometry } from "./geometry";
import { lanesOf, type Lanes } from "./lanes";
import type { Comment, Mode } from "../protocol";

export interface Growth {
  at: number; // media time
  total: number;
}

export interface Entry {
  readonly comment: Comment;
  readonly text: string; // as it flies
  readonly width: number; // em
  readonly at: number; // media time at which it enters: pdt + delay
  readonly told: number | null; // the server's time of its tick; null = from history
  lane: number; // -1 = the moment is full
  growth: Growth[]; // of its combo, by time
  spent: boolean; // has flown when there was no picture to fly with
}

const keep = 150_000; // ms of the past, a little more than players can go back
const most = 6000;
const trimEvery = 256;

export class Plan {
  private entries: Entry[] = []; // by `at`, then as they came
  private readonly byId = new Map<string, Entry>(); // as they came
  private lanes: Record<Mode, Lanes<Entry>>;

  constructor(private geometry: Geometry) {
    this.lanes = lanesOf(this.geometry);
  }

  get size(): number {
    return this.entries.length;
  }

  find(id: string): Entry | undefined {
    return this.byId.get(id);
  }

  /** Takes a comment in; false = it is known. */
  add(e: Entry): boolean {
    if (this.byId.has(e.comment.id)) return false;
    this.byId.set(e.comment.id, e);
    let i = this.entries.length;
    while (i > 0 && this.entries[i - 1]!.at > e.at) i--;
    this.entries.splice(i, 0, e);
    this.lay(e);
    if (this.entries.length > most + trimEvery) this.drop(this.entries.length - most);
    return true;
  }

  remove(id: string): void {
    const e = this.byId.get(id);
    if (!e) return;
    this.byId.delete(id);
    this.entries.splice(this.entries.indexOf(e), 1);
    this.lanes[e.comment.mode].remove(e.lane, e);
  }

  /** A stage of another shape: every lane anew, in the order in which the comments came. */
  relay(g: Geometry): void {
    this.geometry = g;
    this.lanes = lanesOf(this.geometry);
    for (const e of this.byId.values()) this.lay(e);
  }

  /** What enters in (after, until], by time. */
  between(after: number, until: number): Entry[] {
    return this.entries.slice(this.index(after), this.index(until));
  }

  /** When the first one after `at` enters. */
  next(at: number): number | null {
    return this.entries[this.index(at)]?.at ?? null;
  }

  /** The lane a comment of `at` would have, as far as is known; -1 = none. */
  probe(mode: Mode, at: number, width: number): number {
    return this.lanes[mode].first(at, width);
  }

  /** Whether a bullet out of its time would be in nobody's way; `self` is its own place. */
  leaves(mode: Mode, spot: { lane: number; at: number; width: number }, self?: Entry): boolean {
    return this.lanes[mode].fits(spot.lane, spot.at, spot.width, self);
  }

  /** Forgets what nobody can go back to. */
  trim(media: number): void {
    const old = this.index(media - keep);
    if (old >= trimEvery) this.drop(old);
  }

  /** A seek gives every moment its bullets back. */
  renew(): void {
    for (const e of this.entries) e.spent = false;
  }

  private lay(e: Entry): void {
    const lanes = this.lanes[e.comment.mode];
    e.lane = lanes.first(e.at, e.width);
    if (e.lane >= 0) lanes.put(e.lane, e);
  }

  private drop(n: number): void {
    for (const e of this.entries.splice(0, n)) {
      this.byId.delete(e.comment.id);
      this.lanes[e.comment.mode].remove(e.lane, e);
    }
  }

  /** Index of the first entry later than `at`. */
  private index(at: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle]!.at > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
