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

// Below this a difference is a picture that starts or stalls a little, not a seek.
const slack = 250; // ms
// And below this it is the unsteadiness of its clock, which nobody sees.
const steady = 20;

export class Timeline {
  rate = 1;
  /** Whether a picture that stood is said to move, and has not yet. */
  starting = false;
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
    this.starting = false;
    if (r.at === null) {
      this.rate = 1;
      this.offset = null;
      return before === null ? "on" : "lost";
    }
    const off = before === null ? Infinity : r.at - (this.clock + before);
    // A player says that it plays before its picture does.
    this.starting = this.rate === 0 && r.rate > 0 && Math.abs(off) < 1;
    this.rate = this.starting ? 0 : r.rate;
    if (Math.abs(off) > slack) {
      this.offset = r.at - this.clock;
      return "jump";
    }
    if (Math.abs(off) > steady) this.clock += off; // what is in flight moves with the picture
    return "on";
  }
}
