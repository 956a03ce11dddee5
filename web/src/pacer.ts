// Together: how fast one page plays, so that all pages of a room show the same
// picture at the same moment. Pure: what is seen goes in, a rate comes out.
//
// A page a little off plays up to 5 % faster or slower, which nobody hears with the
// pitch preserved; one that is seconds off jumps once. A page never plays faster
// into an empty buffer, and one whose network stalls at the room's pace takes a
// distance of its own, says so, and tries again later.

export interface Sight {
  now: number; // ms, monotonic
  late: number; // seconds behind the picture of the room; negative = ahead
  buffer: number; // seconds that can be played without the network
}

/** joining: on its way; together: nobody can tell; apart: this network is too slow for the room. */
export type Union = "joining" | "together" | "apart";

export interface Step {
  rate: number;
  jump: number; // seconds forward (negative: back); 0 = stay
  union: Union;
}

export const maxChange = 0.05; // of the rate
const gain = 0.15; // of the rate, per second off: half of it is gone after five seconds
const slew = 0.04; // of the rate, per second: a change nobody hears begin
const grain = 0.0025; // smaller changes of the rate are not worth telling the player
const settled = 0.02; // seconds: close enough to leave the rate alone
const stirred = 0.06; // seconds: and far enough to begin again
const startFrom = 0.4; // seconds, when the picture has only just begun: nobody has got used to it
const reserve = 0.6; // seconds of buffer that catching up does not touch
const brake = 0.12; // of the rate, per second, when the buffer is near it
const near = 0.15; // seconds: together
const far = 0.25; // seconds: no longer
const jumpFrom = 3; // seconds
const hopFrom = 1.5; // seconds, when that much and a little more is in the buffer: nothing is waited for
const jumpEvery = 15_000; // ms: a machine that cannot keep up must not jump all the time
const calmAfter = 6000; // ms after a jump or the start in which a stall says nothing
const step = 0.5; // seconds that a second stall costs; the first one can happen to anybody
const soonAgain = 30_000; // ms between two stalls that belong together
const maxDistance = 8; // seconds
const firstTrial = 60_000; // ms without a stall, then closer again
const lastTrial = 600_000;
const heldFor = 10_000; // ms that catching up was not possible: apart

export class Pacer {
  /** Seconds that this page stays behind the room by itself. */
  distance = 0;
  private change = 0; // of the rate, as it would be without grain
  private at: number | null = null;
  private moving = false; // steering, until settled
  private union: Union = "joining";
  private jumped = -Infinity;
  private fresh = true; // the picture has only just begun
  private calm = -Infinity; // until then stalls say nothing
  private heldSince: number | null = null;
  private stalledAt = -Infinity;
  private trialAt = -Infinity; // when the distance was shortened last
  private trial = firstTrial;

  /** The picture begins, or begins again somewhere else. */
  begin(now: number): void {
    this.change = 0;
    this.at = null;
    this.union = "joining";
    this.heldSince = null;
    this.calm = now + calmAfter;
    this.fresh = now - this.jumped >= jumpEvery;
  }

  /** This page's network had nothing more to play. */
  stall(now: number): void {
    if (now < this.calm) return;
    if (now - this.trialAt < firstTrial && this.trialAt > this.stalledAt) this.trial = Math.min(this.trial * 2, lastTrial);
    else if (now - this.stalledAt > 2 * lastTrial) this.trial = firstTrial; // another network by now
    if (now - this.stalledAt < soonAgain || this.distance > 0) this.distance = Math.min(this.distance + step, maxDistance);
    this.stalledAt = now;
  }

  see(s: Sight): Step {
    const seconds = this.at === null ? 0 : Math.min((s.now - this.at) / 1000, 1);
    this.at = s.now;
    this.closer(s.now);
    const off = s.late - this.distance;
    const jump = this.jump(off, s);
    const wanted = jump === 0 ? this.wanted(off, s.buffer, s.now) : 0;
    const low = this.change > 0 && s.buffer < reserve + maxChange * 10;
    const most = (low && wanted < this.change ? brake : slew) * seconds;
    this.change += Math.min(most, Math.max(-most, wanted - this.change));
    this.judge(s.late, s.now);
    return { rate: 1 + Math.round(this.change / grain) * grain, jump, union: this.union };
  }

  /** A minute without a stall, longer after trials that failed: half a second of the distance goes. */
  private closer(now: number): void {
    if (this.distance === 0 || now - Math.max(this.stalledAt, this.trialAt) < this.trial) return;
    this.distance = Math.max(0, this.distance - step);
    this.trialAt = now;
  }

  private jump(off: number, { now, buffer }: Sight): number {
    const there = buffer > off + reserve;
    const from = there && this.fresh ? startFrom : there && off > 0 ? hopFrom : jumpFrom;
    if (this.union === "together") this.fresh = false;
    if (Math.abs(off) < from || now - this.jumped < jumpEvery) return 0;
    this.jumped = now;
    this.begin(now);
    return off;
  }

  private wanted(off: number, buffer: number, now: number): number {
    this.moving = Math.abs(off) > (this.moving ? settled : stirred);
    if (!this.moving) return 0;
    const wish = Math.min(maxChange, Math.max(-maxChange, off * gain));
    const may = Math.max(0, (buffer - reserve) * 0.1);
    if (wish <= may || off < far) this.heldSince = null;
    else this.heldSince ??= now;
    return Math.min(wish, may);
  }

  private judge(late: number, now: number): void {
    const off = Math.abs(late);
    const held = this.heldSince !== null && now - this.heldSince > heldFor;
    if (off < (this.union === "together" ? far : near)) this.union = "together";
    else this.union = this.distance > 0 || held ? "apart" : "joining";
  }
}
