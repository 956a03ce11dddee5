// The bullets of moments before this page was here: who goes back asks for them,
// in segments of ten seconds that are the same for everybody, so that a cache can
// have them. Who watches live never asks.

import type { PageConfig } from "./config";
import { addressOf } from "./config";
import { parseComment, type Combo, type Comment } from "./protocol";
import type { Stage } from "./stage";

const length = 10_000; // ms of a segment
const reach = 15_000; // ms before the playhead whose bullets are still in flight, D included
const ahead = 5_000; // ms after it that are asked for in time
const live = 5; // seconds behind: who is not further away hears it as it is said
const early = 1_000; // ms that a comment's moment can be ahead of its tick
const failedFor = 3_000; // ms until it is asked for again
const missingFor = 30_000;
const beat = 1_000;

/** What was shown in ten seconds, and how often it was said in the end. */
export interface Segment {
  comments: Comment[];
  totals: Combo[];
}

/** The segment in `data`; what cannot be understood is left out. */
export function parseSegment(data: unknown): Segment {
  const f = (typeof data === "object" && data !== null ? data : {}) as { c?: unknown; k?: unknown };
  const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
  const totals = list(f.k).flatMap((v) => {
    const [id, total] = list(v);
    return typeof id === "string" && typeof total === "number" && total > 1 ? [{ id, total }] : [];
  });
  return { comments: list(f.c).map(parseComment).filter((c): c is Comment => c !== null), totals };
}

export interface ReplayOptions {
  address(t: number): string;
  /** Program date time at the playhead, ms; null = unknown. */
  playhead(): number | null;
  /** Seconds behind the newest picture. */
  behind(): number;
  tell(s: Segment): void;
  now(): number;
  fetch(url: string): Promise<Response>;
}

export class Replay {
  private readonly asked = new Map<number, number>(); // segment → when it may be asked for again
  private since = Infinity; // server's time from which on this page has heard everything

  constructor(private readonly options: ReplayOptions) {}

  /** A connection that begins: what was said before its first tick may have been missed. */
  renew(): void {
    this.since = Infinity;
    this.asked.clear();
  }

  /** A tick of the server's time `t` has come. */
  hear(t: number): void {
    this.since = Math.min(this.since, t);
  }

  /** Asks for what the playhead is at, and has not been asked for. */
  async look(): Promise<void> {
    const at = this.options.playhead();
    if (at === null || this.options.behind() < live) return;
    const wanted: number[] = [];
    for (let t = start(at - reach); t <= at + ahead && t < this.since + early; t += length) {
      if ((this.asked.get(t) ?? 0) <= this.options.now()) wanted.push(t);
    }
    await Promise.all(wanted.map((t) => this.load(t)));
  }

  private async load(t: number): Promise<void> {
    this.asked.set(t, Infinity);
    const again = (ms: number): Map<number, number> => this.asked.set(t, this.options.now() + ms);
    try {
      const answer = await this.options.fetch(this.options.address(t));
      if (answer.status === 404) again(missingFor);
      else if (!answer.ok) again(failedFor);
      else this.options.tell(parseSegment(await answer.json()));
    } catch {
      again(failedFor);
    }
  }
}

const start = (pdt: number): number => Math.floor(pdt / length) * length;

/** The replay of a stage, looking by itself. */
export function replay(config: PageConfig, stage: Stage): Replay {
  const { player, bullets } = stage;
  const past = new Replay({
    address: (t) => addressOf(`/chat/v1/rooms/${config.room}/segments/${t}.json`, config.chatUrl),
    playhead: () => player.playhead(),
    behind: () => player.behind(),
    tell(s) {
      bullets.wall.recall(s.comments, undefined, s.totals);
      bullets.wake();
    },
    now: () => performance.now(),
    fetch: (url) => fetch(url, { credentials: "omit" }),
  });
  const look = (): void => void past.look();
  for (const type of ["seeked", "playing"]) player.video.addEventListener(type, look);
  setInterval(look, beat);
  return past;
}
