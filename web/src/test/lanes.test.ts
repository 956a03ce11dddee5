import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes, type Stage } from "../bullets/lanes";

const stage: Stage = { width: 1280, height: 720, laneHeight: 40 };
const times = { scroll: 8000, fixed: 4000 };

interface Flight {
  y: number;
  start: number;
  width: number;
}

/** The horizontal extent of a flight at `t`, or null when it is not on the stage. */
function extent(f: Flight, t: number): [number, number] | null {
  if (t < f.start || t > f.start + times.scroll) return null;
  const x = stage.width - ((stage.width + f.width) * (t - f.start)) / times.scroll;
  return [x, x + f.width];
}

/** A small fixed generator, so that a failure can be repeated. */
function random(seed: number): () => number {
  let s = seed;
  return () => (s = (s * 1103515245 + 12345) % 2147483648) / 2147483648;
}

function flood(seed: number, n: number, every: number): Flight[] {
  const lanes = new Lanes(stage, times);
  const next = random(seed);
  const flights: Flight[] = [];
  for (let i = 0; i < n; i++) {
    const width = 40 + Math.floor(next() * 700);
    const y = lanes.place("scroll", width, i * every);
    if (y !== null) flights.push({ y, start: i * every, width });
  }
  return flights;
}

test("bullets of one lane never touch, at any moment", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const flights = flood(seed, 400, 60);
    for (const [i, a] of flights.entries()) {
      for (const b of flights.slice(i + 1)) {
        if (a.y !== b.y || b.start > a.start + times.scroll) continue;
        for (let t = b.start; t <= a.start + times.scroll; t += 50) {
          const [ea, eb] = [extent(a, t), extent(b, t)];
          if (ea && eb) assert.ok(eb[0] >= ea[1], `seed ${seed}: ${JSON.stringify([a, b])} touch at ${t}`);
        }
      }
    }
  }
});

test("a full stage refuses instead of overlapping", () => {
  const flights = flood(7, 400, 1);
  assert.ok(flights.length < 60, `${flights.length} bullets were placed in 400 ms`);
  assert.ok(flights.length >= 15, "every lane takes one");
});

test("the same input takes the same lanes", () => {
  assert.deepEqual(flood(11, 300, 40), flood(11, 300, 40));
});

test("lanes fill from the top, inside the stage and above the controls", () => {
  const lanes = new Lanes(stage, times);
  const ys = Array.from({ length: 20 }, () => lanes.place("scroll", 100, 0));
  assert.deepEqual(ys.slice(0, 3), [0, 40, 80]);
  const last = Math.max(...ys.filter((y): y is number => y !== null));
  assert.ok(last + stage.laneHeight <= stage.height * 0.85);
});

test("top and bottom bullets stand alone for their time", () => {
  const lanes = new Lanes(stage, times);
  const first = lanes.place("top", 300, 0);
  assert.equal(first, 0);
  assert.equal(lanes.place("top", 300, 100), 40, "the lane below while the first stands");
  assert.equal(lanes.place("top", 300, 4000), 0, "free again");
  const low = lanes.place("bottom", 300, 0)!;
  const above = lanes.place("bottom", 300, 0)!;
  assert.ok(low > above, "bottom bullets stack upwards");
  assert.ok(low + stage.laneHeight <= stage.height);
});

test("fixed lanes run out, too", () => {
  const lanes = new Lanes(stage, times);
  const placed = Array.from({ length: 30 }, () => lanes.place("top", 10, 0)).filter((y) => y !== null);
  assert.equal(placed.length, 7); // ⌊720 × 0.4 / 40⌋
});

test("a smaller stage has fewer lanes and keeps who is on the way", () => {
  const lanes = new Lanes(stage, times);
  lanes.place("scroll", 600, 0);
  lanes.resize({ width: 390, height: 80, laneHeight: 40 });
  assert.equal(lanes.place("scroll", 100, 100), null, "the only lane is taken by the wide one");
  assert.equal(lanes.place("scroll", 100, 8000), 0);
});

test("clear frees every lane", () => {
  const lanes = new Lanes(stage, times);
  lanes.place("scroll", 600, 0);
  lanes.place("top", 600, 0);
  lanes.clear();
  assert.equal(lanes.place("scroll", 600, 1), 0);
  assert.equal(lanes.place("top", 600, 1), 0);
});
