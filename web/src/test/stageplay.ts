// A stage for tests: a clock that the test moves, a playhead, and a screen
// that remembers what it was told.

import { geometry } from "../bullets/geometry";
import { defaults, type Settings } from "../bullets/settings";
import type { Look, Sky, Sprite, Spot } from "../bullets/sky";
import type { Reading } from "../bullets/timeline";
import { Wall, type News } from "../bullets/wall";
import type { Combo, Comment } from "../protocol";

export const start = 1_790_000_000_000; // program date time at the beginning of every play

/** A small fixed generator, so that a failure can be repeated. */
export function random(seed: number): () => number {
  let s = seed;
  return () => (s = (s * 1103515245 + 12345) % 2147483648) / 2147483648;
}

let ids = 0;

export function comment(pdt: number, change: Partial<Comment> = {}): Comment {
  return { id: `i${++ids}`, pdt, author: "a", nick: "n", text: "hello", mode: "scroll", color: "#ffffff", role: "viewer", ...change };
}

export interface Seen extends Look, Spot {
  total: number;
  landed: boolean;
  began: number; // real time
}

class FakeSky implements Sky {
  readonly seen: Seen[] = [];
  rate = 1;

  constructor(private readonly now: () => number) {}

  launch(look: Look, spot: Spot): Sprite {
    const s: Seen = { ...look, ...spot, total: 1, landed: false, began: this.now() };
    this.seen.push(s);
    return { badge: (n) => (s.total = n), land: () => (s.landed = true) };
  }

  pace(_: number, rate: number): void {
    this.rate = rate;
  }

  shape(): void {}
}

export class Play {
  now = 0;
  rate = 1;
  blocked = (_: Comment): boolean => false;
  readonly sky = new FakeSky(() => this.now);
  readonly wall: Wall;
  private media: number | null;

  constructor(o: { behind?: number; picture?: boolean; width?: number; height?: number; settings?: Partial<Settings> } = {}) {
    this.media = o.picture === false ? null : start - (o.behind ?? 0);
    this.wall = new Wall({
      sky: this.sky,
      measure: (text) => [...text].length,
      now: () => this.now,
      reading: (): Reading => ({ at: this.media, rate: this.media === null ? 1 : this.rate }),
      blocks: (c) => this.blocked(c),
    });
    this.wall.delay = 400;
    this.wall.configure({ ...defaults, ...o.settings });
    this.wall.resize(o.width ?? 1280, o.height ?? 720);
    this.wall.step();
  }

  /** Lets time pass, looking as often as the wall asks for. */
  pass(ms: number): void {
    const until = this.now + ms;
    while (this.now < until) {
      const step = Math.min(this.wall.step(), until - this.now);
      this.now += step;
      if (this.media !== null) this.media += step * this.rate;
    }
    this.wall.step();
  }

  seek(to: number | null): void {
    this.media = to;
    this.wall.step();
  }

  get playhead(): number | null {
    return this.media;
  }

  tell(comments: Comment[], change: Partial<News> & { combos?: Combo[] } = {}): void {
    this.wall.tell({ t: start + this.now, comments, combos: [], own: new Map(), ...change });
    this.wall.step();
  }

  /** Texts on the screen. */
  get up(): string[] {
    return this.sky.seen.filter((s) => !s.landed).map((s) => s.text);
  }

  one(text: string): Seen {
    const found = this.sky.seen.filter((s) => s.text === text && !s.landed);
    if (found.length !== 1) throw new Error(`${found.length} bullets say ${text}, want one`);
    return found[0]!;
  }
}

export const shape = geometry(1280, 720, defaults);
