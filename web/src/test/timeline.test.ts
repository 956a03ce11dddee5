import assert from "node:assert/strict";
import { test } from "node:test";
import { Timeline, type Verdict } from "../bullets/timeline";

const at = 1_790_000_000_000;

interface Step {
  now: number;
  read: number | null; // ms after `at`
  rate?: number;
  want: Verdict;
  stage: number;
  off?: number; // what nobody sees
}

const cases: Record<string, Step[]> = {
  "plays": [
    { now: 0, read: 0, want: "jump", stage: 0 },
    { now: 100, read: 100, want: "on", stage: 100 },
    { now: 200, read: 215, want: "on", stage: 200, off: 15 }, // unsteady
    { now: 300, read: 500, want: "on", stage: 500 }, // it had stood, or hurried: bullets follow
    { now: 400, read: 400, want: "on", stage: 400 },
  ],
  "twice as fast": [
    { now: 0, read: 0, rate: 2, want: "jump", stage: 0 },
    { now: 100, read: 200, rate: 2, want: "on", stage: 200 },
    { now: 200, read: 400, rate: 1, want: "on", stage: 400 },
    { now: 300, read: 500, rate: 1, want: "on", stage: 500 },
  ],
  "pause and go on": [
    { now: 0, read: 0, want: "jump", stage: 0 },
    { now: 100, read: 100, rate: 0, want: "on", stage: 100 },
    { now: 5000, read: 100, rate: 0, want: "on", stage: 100 },
    { now: 5000, read: 100, rate: 1, want: "on", stage: 100 },
    { now: 5050, read: 100, rate: 1, want: "on", stage: 100 }, // it says so, and does not move yet
    { now: 5100, read: 130, rate: 1, want: "on", stage: 130 },
    { now: 5200, read: 230, rate: 1, want: "on", stage: 230 },
  ],
  "seek back, and while paused": [
    { now: 0, read: 0, want: "jump", stage: 0 },
    { now: 100, read: -20_000, want: "jump", stage: 100 },
    { now: 200, read: -19_900, rate: 0, want: "on", stage: 200 },
    { now: 300, read: -5000, rate: 0, want: "jump", stage: 200 },
  ],
  "no picture, then one, then none": [
    { now: 50, read: null, want: "on", stage: 50 },
    { now: 100, read: 0, want: "jump", stage: 100 },
    { now: 200, read: null, want: "lost", stage: 200 },
    { now: 300, read: null, want: "on", stage: 300 },
  ],
};

for (const [name, steps] of Object.entries(cases)) {
  test(name, () => {
    const line = new Timeline(0);
    for (const s of steps) {
      const got = line.read({ at: s.read === null ? null : at + s.read, rate: s.rate ?? 1 }, s.now);
      const media = s.read === null ? null : at + s.read - (s.off ?? 0);
      assert.deepEqual([got, line.stage(s.now), line.media(s.now)], [s.want, s.stage, media], JSON.stringify(s));
    }
  });
}
