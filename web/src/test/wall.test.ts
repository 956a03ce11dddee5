import assert from "node:assert/strict";
import { test } from "node:test";
import { defaults } from "../bullets/settings";
import { comment, Play, random, shape, start, type Seen } from "./stageplay";

test("a bullet flies when the playhead reaches its moment and the delay", () => {
  for (const behind of [0, 2000, 8000, 25_000]) {
    const p = new Play({ behind });
    p.tell([comment(start, { text: "now" })]);
    p.pass(behind + 339);
    assert.deepEqual(p.up, [], `${behind} ms behind: too early`);
    p.pass(61);
    assert.equal(p.one("now").at, behind + 400, "to the millisecond, whenever it was put there");
    p.pass(shape.pace.span("scroll", p.one("now").width) + 50);
    assert.deepEqual(p.up, [], "it has flown");
  }
});

test("late ones fly at once, older ones are only in the list", () => {
  const cases: [number, boolean][] = [[100, true], [5000, true], [15_000, true], [15_001, false]];
  for (const [late, flies] of cases) {
    const p = new Play();
    p.tell([comment(start - 400 - late)]);
    assert.equal(p.up.length, flies ? 1 : 0, `${late} ms late`);
  }
});

test("without a picture a combo grows as it is told", () => {
  const p = new Play({ picture: false });
  const c = comment(start, { text: "草" });
  p.tell([c]);
  p.tell([], { combos: [{ id: c.id, total: 7 }] });
  p.pass(1000);
  assert.equal(p.one("草").total, 7);
});

test("a little late is not late: it is where it should be by now", () => {
  const p = new Play();
  p.tell([comment(start - 600)]);
  assert.equal(p.sky.seen[0]!.at, -200, "stage time: it has been flying for 200 ms");
});

test("without a picture everything flies at once", () => {
  const p = new Play({ picture: false });
  p.tell([comment(start + 5000, { text: "a" }), comment(0, { text: "b" })]);
  assert.deepEqual(p.up, ["a", "b"]);
  p.seek(start + 4000);
  assert.deepEqual([p.up, p.wall.shown], [["a", "b"], 2], "and on, when the picture comes");
  p.pass(9000);
  assert.deepEqual([p.up, p.wall.shown], [[], 2], "but not again");
});

test("when the picture goes, nothing waits for a moment that will not come", () => {
  const p = new Play({ behind: 8000 });
  p.tell([comment(start)]);
  assert.deepEqual(p.up, []);
  p.seek(null);
  assert.deepEqual(p.up, ["hello"]);
});

test("history flies where the playhead is or comes", () => {
  const p = new Play();
  p.wall.recall([comment(start - 9000, { text: "old" }), comment(start - 3000, { text: "in flight" }), comment(start + 1000, { text: "to come" })]);
  assert.deepEqual(p.up, ["in flight"]);
  assert.equal(p.one("in flight").at, -2600);
  p.pass(2000);
  assert.deepEqual(p.up, ["in flight", "to come"]);
});

test("a bullet moves with the picture: pause, and another rate", () => {
  const p = new Play();
  p.tell([comment(start)]);
  p.pass(1000);
  p.rate = 0;
  p.pass(60_000);
  assert.equal(p.sky.rate, 0);
  assert.equal(p.up.length, 1, "it stands while the picture does");
  p.rate = 2;
  const left = 400 + shape.pace.span("scroll", p.one("hello").width) - 1000;
  p.pass(left / 2 - 100);
  assert.equal(p.up.length, 1);
  assert.equal(p.sky.rate, 2);
  p.pass(200);
  assert.equal(p.up.length, 0, "twice as fast through the rest");
});

test("while the picture stands nothing piles up at the edge", () => {
  const p = new Play();
  p.rate = 0;
  p.wall.step();
  p.tell([comment(start - 2000, { text: "late" }), comment(start + 100, { text: "next" })]);
  p.pass(5000);
  assert.deepEqual(p.up, []);
  p.rate = 1;
  p.pass(600);
  assert.deepEqual(p.up, ["next"]);
});

test("after a seek the bullets of that moment fly again, in their lanes", () => {
  const p = new Play();
  const all = Array.from({ length: 40 }, (_, i) => comment(start + i * 250, { text: `c${i}` }));
  p.tell(all);
  p.pass(6000);
  const before = new Map(p.sky.seen.filter((s) => !s.landed).map((s) => [s.text, [s.lane, s.at]]));
  assert.ok(before.size > 15);
  p.pass(20_000);
  assert.equal(p.up.length, 0);
  p.seek(start + 6000);
  const shift = p.now - 6000;
  const after = new Map(p.sky.seen.filter((s) => !s.landed).map((s) => [s.text, [s.lane, s.at - shift]]));
  assert.deepEqual(after, before, "the same wall as when the playhead was there first");
  p.pass(5000);
  assert.ok(p.up.includes("c39"), "and it goes on from there");
});

test("a seek forward jumps over what lies between", () => {
  const p = new Play({ behind: 30_000 });
  p.tell([comment(start - 20_000, { text: "skipped" }), comment(start, { text: "there" })]);
  p.seek(start + 399);
  p.pass(50);
  assert.deepEqual(p.sky.seen.map((s) => s.text), ["there"]);
});

test("everybody of one shape sees the same wall, at the edge and behind, in a small window and a large one", () => {
  const next = random(21);
  const ticks = Array.from({ length: 200 }, (_, i) => ({
    at: 400 + i * 100,
    comments: Array.from({ length: Math.floor(next() * 3) }, (_, j) => comment(start + i * 100 - Math.floor(next() * 200), {
      id: `w${i}-${j}`, text: `${i}-${j} ${"x".repeat(1 + Math.floor(next() * 20))}`, mode: next() < 0.1 ? "top" : "scroll",
    })),
  }));
  const wall = (play: Play, behind: number): Map<string, [number, number]> => {
    for (const t of ticks) {
      p(play, t.at);
      play.tell(t.comments);
    }
    play.pass(behind + 2000);
    return new Map(play.sky.seen.map((s) => [s.text, [s.lane, Math.round(s.at - behind)]]));
  };
  const p = (play: Play, until: number): void => play.pass(Math.max(0, until - play.now));
  const edge = wall(new Play(), 0);
  assert.ok(edge.size > 100);
  assert.deepEqual(wall(new Play({ behind: 8000, width: 1920, height: 1080 }), 8000), edge);
});

/** Whether two flights ever touch, on a stage of `width` em. */
function touch(a: Seen, b: Seen, width: number): boolean {
  if (a.mode !== b.mode || a.lane !== b.lane) return false;
  const { pace } = shape;
  const ends = (s: Seen): number => s.at + pace.span(s.mode, s.width);
  if (a.mode !== "scroll") return a.at < ends(b) && b.at < ends(a);
  for (let t = Math.max(a.at, b.at); t <= Math.min(ends(a), ends(b)); t += 100) {
    const x = (s: Seen): number => width - pace.speed(pace.class(s.width)) * (t - s.at);
    if (x(a) < x(b) + b.width - 1e-6 && x(b) < x(a) + a.width - 1e-6) return true;
  }
  return false;
}

test("in a storm of late, own and timely comments nothing touches", () => {
  for (const seed of [1, 2, 3]) {
    const next = random(seed);
    const p = new Play({ behind: 1000 });
    for (let i = 0; i < 150; i++) {
      const c = comment(start + p.now - 1000 + Math.floor(next() * 4000) - 2000, {
        text: "x".repeat(1 + Math.floor(next() * 18)), mode: next() < 0.8 ? "scroll" : next() < 0.5 ? "top" : "bottom",
      });
      p.tell([c]);
      if (i % 20 === 0) p.wall.own(`own-${i}`, comment(0, { text: "mine" }));
      p.rate = [1, 1.05, 0.95][i % 3]!;
      p.pass(40 + Math.floor(next() * 60));
    }
    const all = p.sky.seen;
    assert.ok(all.length > 60, `${all.length} flew`);
    for (const [i, a] of all.entries()) {
      for (const b of all.slice(i + 1)) {
        if (a.landed && a.text !== "mine" && b.text === "mine") continue; // it made room
        assert.ok(!touch(a, b, 1280 / shape.font), `seed ${seed}: ${JSON.stringify([a, b])}`);
      }
    }
  }
});

test("the reader's own comment flies at once, stays one, and is planned where the others see it", () => {
  const p = new Play();
  p.wall.own("me-1", comment(start, { id: "", text: "mine" }));
  assert.equal(p.one("mine").own, true);
  p.pass(100);
  const confirmed = comment(start, { text: "mine" });
  p.tell([confirmed], { own: new Map([[confirmed.id, "me-1"]]) });
  p.pass(2000);
  p.one("mine");
  p.tell([], { combos: [{ id: confirmed.id, total: 3 }] });
  p.pass(2000);
  assert.equal(p.one("mine").total, 3, "its combo grows on the bullet that flies");
  p.wall.resize(1000, 562);
  p.one("mine");
  p.seek(start - 1000);
  p.pass(1500);
  assert.equal(p.one("mine").own, false, "back at that moment it flies as everybody sees it");
});

test("an own comment finds a place on a full wall, and one that is refused goes", () => {
  const p = new Play();
  p.tell(Array.from({ length: 60 }, () => comment(start - 400)));
  const full = p.up.length;
  assert.equal(full, shape.lanes.scroll);
  p.wall.own("me-1", comment(start, { text: "mine" }));
  p.one("mine");
  assert.equal(p.up.length, full, "one made room");
  p.wall.remove("me-1");
  assert.ok(!p.up.includes("mine"));
});

test("while the picture stands an own comment can be read", () => {
  const p = new Play();
  p.rate = 0;
  p.wall.step();
  p.wall.own("me-1", comment(start, { text: "mine" }));
  const s = p.one("mine");
  const moved = (0 - s.at) * shape.pace.speed(shape.pace.class(s.width));
  assert.ok(Math.abs(moved - s.width) < 0.01, `its head is ${moved} em inside, its width is ${s.width}`);
});

test("a combo grows with the playhead: who is behind sees the count of that moment", () => {
  const c = comment(start, { text: "草" });
  const k = (total: number) => ({ combos: [{ id: c.id, total }] });
  const edge = new Play();
  const behind = new Play({ behind: 8000 });
  for (const p of [edge, behind]) {
    p.tell([c]);
    for (const total of [5, 50, 500]) {
      p.pass(1000);
      p.tell([], k(total));
    }
    p.tell([], k(499)); // an old count that comes late
  }
  edge.pass(450);
  assert.equal(edge.one("草").total, 500);
  behind.pass(8000 - 3000 + 450); // its playhead: start + 450
  assert.equal(behind.one("草").total, 1);
  behind.pass(1000);
  assert.equal(behind.one("草").total, 5);
  behind.pass(2000);
  assert.equal(behind.one("草").total, 500);
  behind.seek(start + 2500);
  assert.equal(behind.one("草").total, 50, "and backwards");
});

test("a count for nobody is nothing", () => {
  const p = new Play();
  p.tell([], { combos: [{ id: "unknown", total: 9 }] });
  assert.deepEqual(p.up, []);
});

test("a resize draws the moment in the new shape and loses nobody who has room", () => {
  const p = new Play();
  p.tell(Array.from({ length: 10 }, (_, i) => comment(start - 400 + i * 300, { text: `c${i}` })));
  p.tell([comment(start - 6000, { text: "late" })]);
  p.pass(2800);
  const up = [...p.up].sort();
  assert.equal(up.length, 11);
  const { shown } = p.wall;
  p.wall.resize(1920, 1080);
  assert.deepEqual([...p.up].sort(), up);
  assert.equal(p.wall.shown, shown, "nobody is counted twice");
  p.wall.configure({ ...defaults, area: 0.25 });
  assert.ok(p.sky.seen.filter((s) => !s.landed).every((s) => s.lane < 4));
});

test("who looks away and back sees the moment as it is", () => {
  const p = new Play();
  p.tell([comment(start, { text: "a" }), comment(start + 3000, { text: "b" })]);
  p.pass(1000);
  p.wall.show(false);
  assert.deepEqual(p.up, []);
  p.pass(4000);
  assert.deepEqual(p.up, []);
  p.wall.show(true);
  assert.deepEqual([...p.up].sort(), ["a", "b"]);
  assert.equal(p.one("a").at, 400, "where it would be by now");
});

test("off, and on again", () => {
  const p = new Play();
  p.tell([comment(start)]);
  p.pass(1000);
  p.wall.configure({ ...defaults, on: false });
  p.wall.own("me", comment(0));
  assert.deepEqual(p.up, []);
  p.wall.configure(defaults);
  assert.deepEqual(p.up, ["hello"]);
});

test("what the reader does not want leaves its place empty, so that the wall stays the same", () => {
  const p = new Play();
  p.blocked = (c) => c.text === "bad";
  p.tell([comment(start, { text: "bad" }), comment(start, { text: "good" })]);
  p.pass(1000);
  assert.deepEqual(p.up, ["good"]);
  assert.equal(p.one("good").lane, 1);
  p.blocked = (c) => c.text === "good";
  p.wall.configure(defaults);
  assert.deepEqual(p.up, ["bad"]);
});

test("a comment that was deleted leaves the wall, also before its moment", () => {
  const p = new Play();
  const [a, b] = [comment(start - 400, { text: "a" }), comment(start + 1000, { text: "b" })];
  p.tell([a, b]);
  p.wall.remove(a.id);
  p.wall.remove(b.id);
  p.pass(3000);
  assert.deepEqual(p.sky.seen.map((s) => [s.text, s.landed]), [["a", true]]);
});

test("the same comment twice is one bullet", () => {
  const p = new Play();
  const c = comment(start - 400);
  p.tell([c]);
  p.tell([c]);
  p.wall.recall([c]);
  assert.equal(p.sky.seen.length, 1);
});
