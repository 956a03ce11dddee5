// Together mode, simulated: pages with networks of their own steer to one room.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RoomClock } from "../clock";
import { maxChange, Pacer, type Step } from "../pacer";
import { random } from "./stageplay";

/** A page whose picture moves at the rate it says, with data up to `reach` seconds behind the room's now. */
class Page {
  readonly pacer = new Pacer();
  readonly rates: number[] = [];
  stalls = 0;
  last: Step = { rate: 1, jump: 0, union: "joining" };
  private now = 0;

  constructor(
    public late: number,
    readonly latency = 2.1,
    readonly reach: (now: number) => number = () => 0.7,
    readonly noise: () => number = () => 0,
  ) {
    this.pacer.begin(0);
  }

  run(seconds: number): this {
    for (let i = 0; i < seconds * 4; i++) {
      this.now += 250;
      const have = Math.max(0, this.latency + this.late - this.reach(this.now));
      if (have === 0) {
        this.stalls++;
        this.late += 1; // waits until something is there again
        this.pacer.stall(this.now);
      }
      this.last = this.pacer.see({ now: this.now, late: this.late + this.noise(), buffer: have });
      this.late -= this.last.jump + (this.last.rate - 1) * 0.25;
      this.rates.push(this.last.rate);
    }
    return this;
  }
}

test("pages meet, from wherever they begin", () => {
  for (const late of [-1.9, -0.5, -0.1, 0, 0.04, 0.3, 1, 2, 2.9]) {
    const p = new Page(late, 6).run(75);
    assert.ok(Math.abs(p.late) < 0.07, `from ${late} s: ${p.late} s off`);
    assert.equal(p.last.union, "together");
    assert.equal(p.last.rate, 1, `from ${late} s: at rest`);
  }
});

test("the rate is bounded, changes smoothly, and does not swing", () => {
  for (const late of [2.9, 0.8, -1.5]) {
    const page = new Page(0, 6).run(1); // it has begun
    page.late = late;
    const { rates } = page.run(120);
    let before = 1;
    for (const rate of rates) {
      assert.ok(Math.abs(rate - 1) <= maxChange + 1e-9, `rate ${rate}`);
      assert.ok(Math.abs(rate - before) <= 0.0126, `from ${before} to ${rate} in a quarter of a second`);
      before = rate;
    }
    const sides = rates.filter((r) => r !== 1).map((r) => Math.sign(r - 1));
    const turns = sides.filter((s, i) => i > 0 && s !== sides[i - 1]).length;
    assert.ok(turns <= 1, `${turns} turns from ${late} s`);
  }
});

test("a clock that is unsteady does not make the rate swing", () => {
  const r = random(7);
  const p = new Page(1, 6, undefined, () => (r() - 0.5) * 0.04).run(60);
  const before = p.rates.length;
  p.run(60);
  const busy = p.rates.slice(before).filter((rate) => Math.abs(rate - 1) > 0.01).length;
  assert.equal(busy, 0);
  assert.ok(Math.abs(p.late) < 0.09, `${p.late} s off`);
});

test("seconds off: one jump; then steering", () => {
  const p = new Page(9, 6);
  p.run(1);
  assert.ok(Math.abs(p.late) < 0.1);
  const q = new Page(-5, 9).run(1);
  assert.ok(Math.abs(q.late) < 0.1, "a room that has become slower is joined, too");
  // A machine that never gets there does not jump all the time.
  const stuck = new Pacer();
  let jumps = 0;
  for (let now = 0; now < 60_000; now += 250) jumps += stuck.see({ now, late: 9, buffer: 1 }).jump === 0 ? 0 : 1;
  assert.equal(jumps, 4);
});

test("at the start one hop within the buffer; later nobody is disturbed for so little", () => {
  const p = new Page(1, 6).run(1);
  assert.ok(Math.abs(p.late) < 0.01, `${p.late}`);
  p.run(10);
  p.late = 1;
  p.run(1);
  assert.ok(p.late > 0.9, `${p.late}`);
});

test("catching up does not eat the last of the buffer", () => {
  // Data is there 2.5 s after it was made: the room, at 2.1 s, is out of reach.
  const p = new Page(0.6, 2.1, () => 2.5).run(60);
  assert.equal(p.stalls, 0);
  assert.ok(p.late > 0.5, `${p.late}`);
  assert.equal(p.last.union, "apart");
});

test("near the end of the buffer nobody plays fast", () => {
  const p = new Pacer();
  let buffer = 2.5;
  let now = 0;
  for (; now < 20_000; now += 250) p.see({ now, late: 1.2, buffer });
  for (; buffer > 0; now += 250, buffer -= 0.25) {
    const { rate } = p.see({ now, late: 1.2, buffer }); // the network is gone
    assert.ok(buffer > 0.5 || rate === 1, `${rate} with ${buffer} s left`);
  }
});

test("a network that stalls at the room's pace takes a distance, and comes back when it is well", () => {
  // For a minute data comes seconds late in every tenth second.
  const p = new Page(0, 2.1, (now) => (now < 60_000 && now % 10_000 < 2000 ? 3 : 0.7)).run(60);
  const during = p.stalls;
  assert.ok(during >= 1 && during <= 4, `${during} stalls`);
  assert.ok(p.pacer.distance >= 0.5);
  assert.equal(p.last.union, "apart");
  p.run(400);
  assert.equal(p.stalls, during, "no stall from coming back");
  assert.equal(p.pacer.distance, 0);
  assert.equal(p.last.union, "together");
});

test("a stall right after a jump or the start says nothing of the network", () => {
  const p = new Pacer();
  p.begin(1000);
  p.stall(3000);
  p.stall(5000);
  assert.equal(p.distance, 0);
  p.stall(8000);
  assert.equal(p.distance, 0, "the first one can happen to anybody");
  p.stall(50_000);
  assert.equal(p.distance, 0, "and again much later");
  p.stall(60_000);
  assert.equal(p.distance, 0.5);
});

test("trials that fail become rare", () => {
  const p = new Pacer();
  const trials: number[] = [];
  p.stall(9000);
  p.stall(10_000);
  for (let now = 10_000; now < 3_600_000; now += 250) {
    const before = p.distance;
    p.see({ now, late: p.distance, buffer: 2 });
    if (p.distance < before) {
      trials.push(now);
      p.stall(now + 5000); // each fails
      p.stall(now + 6000);
    }
  }
  assert.ok(trials.length < 12, `${trials.length} trials in an hour`);
});

test("now is the server's, not this machine's", () => {
  const c = new RoomClock();
  assert.equal(c.pdt(0), null);
  // The server's clock is 1,000,000 ahead of ours, the picture's another 500.
  const hear = (sent: number, there: number, back: number): void =>
    c.hear({ sent, received: sent + there + back, now: 1_000_000 + sent + there, pdtNow: 1_000_500 + sent + there });
  hear(1000, 40, 360); // a bad exchange: 160 ms wrong
  assert.equal(c.pdt(2000), 1_002_500 - 160);
  hear(3000, 10, 12);
  assert.equal(c.pdt(4000), 1_004_499);
  hear(5000, 30, 400);
  assert.equal(c.pdt(6000), 1_006_499, "the best exchange counts, not the last");
  // The picture falls back by a second: everybody hears the same number.
  c.hear({ sent: 7000, received: 7900, now: 1_007_100, pdtNow: 1_006_600 });
  assert.equal(c.pdt(8000), 1_007_499);
  // Somebody sets the server's clock: all older exchanges are worthless.
  c.hear({ sent: 9000, received: 9020, now: 5_000_010, pdtNow: 1_009_510 });
  assert.equal(c.pdt(9500), 1_010_000);
  c.forget();
  assert.equal(c.pdt(9500), null);
});
