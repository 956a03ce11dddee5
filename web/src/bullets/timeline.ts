// The clock of the stage. Pure: `now` goes in.
//
// Bullets in flight live in stage time, which runs as fast as the picture,
// stands when it stands, and runs by itself where there is none. `media` is
// the program date time that belongs to it.

export interface Reading {
  /** Program date time at the playhead, ms; null where there is no picture. */
  at: number | null;
  /** How fast it moves; 0 = it stands. */
  rate: number;
}

/** on: as expected; jump: another moment, or the first one; lost: the picture is gone. */
export type Verdict = "on" | "jump" | "lost";

// Below this a difference is the media clock's own unsteadiness, not a seek.
const slack = 250; // ms

export class Timeline {
  rate = 1;
  private clock = 0;
  private offset: number | null = null; // media − clock

  constructor(private since: number) {}

  stage(now: number): number {
    return this.clock + (now - this.since) * this.rate;
  }

  media(now: number): number | null {
    return this.offset === null ? null : this.stage(now) + this.offset;
  }

  read(r: Reading, now: number): Verdict {
    this.clock = this.stage(now);
    this.since = now;
    const before = this.offset;
    if (r.at === null) {
      this.rate = 1;
      this.offset = null;
      return before === null ? "on" : "lost";
    }
    this.rate = r.rate;
    this.offset = r.at - this.clock;
    return before !== null && Math.abs(this.offset - before) <= slack ? "on" : "jump";
  }
}
