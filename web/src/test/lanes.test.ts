import assert from "node:assert/strict";
import { test } from "node:test";
import { geometry, Pace } from "../bullets/geometry";
import { following, Lanes, standing, type Body } from "../bullets/lanes";
import { defaults } from "../bullets/settings";
import { random } from "./stageplay";

const stage = 44; // em
const time = 8000;
const gap = 1.2;
const least = new Pace(stage, stage, time);
const shape = { least: stage, most: stage + 4 };

interface Flight extends Body {
  lane: number;
}

/** The horizontal extent in em of a flight over a stage of `wide` at `t`; null = not on the stage. */
function extent(f: Flight, t: number, wide: number): [number, number] | null {
  const pace = new Pace(stage, wide, time);
  if (t < f.at || t > f.at + pace.span("scroll", f.width)) return null;
  const x = wide - pace.speed(pace.class(f.width)) * (t - f.at);
  return [x, x + f.width];
}

function flood(seed: number, n: number, every: number): Flight[] {
  const lanes = new Lanes<Flight>(13, following(least, shape, gap));
  const next = random(seed);
  const flights: Flight[] = [];
  for (let i = 0; i < n; i++) {
    const width = 4 + Math.floor(next() * 30);
    const at = Math.floor(i * every - next() * 4000); // not in the order of time
    const lane = lanes.first(at, width);
    if (lane < 0) continue;
    const f = { lane, at, width };
    lanes.put(lane, f);
    flights.push(f);
  }
  return flights;
}

test("bullets of one lane never touch, on a stage of that shape or a wider one, in whatever order they came", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const flights = flood(seed, 400, 60).sort((a, b) => a.at - b.at);
    for (const wide of [stage, stage + 3.9]) {
      for (const [i, a] of flights.entries()) {
        for (const b of flights.slice(i + 1)) {
          if (a.lane !== b.lane || b.at > a.at + 9000) continue;
          for (let t = b.at; t <= a.at + 9000; t += 50) {
            const [ea, eb] = [extent(a, t, wide), extent(b, t, wide)];
            if (ea && eb) assert.ok(eb[0] >= ea[1], `seed ${seed}, ${wide} em: ${JSON.stringify([a, b])} touch at ${t}`);
          }
        }
      }
    }
  }
});

test("full lanes refuse instead of overlapping", () => {
  const flights = flood(7, 400, 1);
  assert.ok(flights.length < 60, `${flights.length} bullets were placed in 400 ms`);
  assert.ok(flights.length >= 13, "every lane takes one");
});

test("a bullet is put between two others where it has room", () => {
  const apart = following(least, shape, 0);
  const lanes = new Lanes<Body>(1, apart);
  lanes.put(0, { at: 0, width: 10 });
  lanes.put(0, { at: 5000, width: 10 });
  const same = Math.ceil(apart(10, 10));
  assert.equal(same, Math.ceil(10 / ((stage + 14) / time)), "of one speed: until the first is in");
  const cases: [number, number, boolean][] = [
    [same - 1, 10, false], [same, 10, true], [5000 - same, 10, true], [5000 - same + 1, 10, false],
    [2500, 40, false], // it would run into the first one
    [-same, 10, true], [5000 + same, 10, true],
    [5000 + Math.ceil(apart(10, 40)), 40, true], [-Math.ceil(apart(40, 10)), 40, true],
  ];
  for (const [at, width, want] of cases) assert.equal(lanes.fits(0, at, width), want, `${at} ${width}`);
  assert.equal(lanes.fits(1, 0, 1), false, "no such lane");
});

test("who must go for a newcomer: as few as possible", () => {
  const lanes = new Lanes<Body>(2, following(least, shape, 0));
  const [a, b, c] = [{ at: 0, width: 10 }, { at: 1600, width: 10 }, { at: 800, width: 10 }];
  lanes.put(0, a);
  lanes.put(0, b);
  lanes.put(1, c);
  assert.deepEqual(lanes.inTheWay(900, 10), [c]);
  lanes.remove(1, c);
  assert.deepEqual(lanes.inTheWay(900, 10), []);
});

test("bullets that stand have their lane to themselves", () => {
  const lanes = new Lanes<Body>(2, standing(4000));
  lanes.put(0, { at: 0, width: 5 });
  assert.equal(lanes.first(100, 5), 1, "the lane below while the first stands");
  assert.equal(lanes.first(4000, 5), 0, "free again");
});

test("stages of one shape have one wall; other shapes and wishes have their own", () => {
  const shapeOf = (w: number, h: number, change = {}) => {
    const g = geometry(w, h, { ...defaults, ...change });
    return [g.lanes.scroll, g.lanes.top, Math.round(g.apart.scroll(10, 5)), g.pace.speed(0)];
  };
  const laptop = shapeOf(1280, 720);
  for (const [w, h] of [[1278, 720], [1920, 1080], [2560, 1440], [878, 494]] as const) assert.deepEqual(shapeOf(w, h), laptop, `${w}×${h}`);
  assert.equal(laptop[0], 13);
  for (const change of [{ area: 0.25 }, { size: 1.6 }, { speed: "fast" }, { density: "few" }]) {
    assert.notDeepEqual(shapeOf(1280, 720, change), laptop, JSON.stringify(change));
  }
  const phone = geometry(390, 219, defaults);
  assert.ok(phone.font >= 14 && phone.lanes.scroll >= 5, JSON.stringify(phone));
  assert.ok(phone.lanes.scroll * phone.lane <= 219);
  assert.equal(geometry(0, 0, defaults).lanes.scroll, 1, "a stage that is not there yet");
});
