import assert from "node:assert/strict";
import { test } from "node:test";
import { geometry } from "../bullets/geometry";
import { Plan, type Entry } from "../bullets/plan";
import { defaults } from "../bullets/settings";
import { comment, random, shape, start } from "./stageplay";

const entry = (at: number, width = 8, change = {}): Entry => ({
  comment: comment(at, change), text: "x", width, at, told: null, lane: -1, growth: [], spent: false,
});

/** Comments of a lively room, in the order of its ticks: most are new, some were written far behind. */
function room(seed: number, n: number, perSecond: number): Entry[] {
  const next = random(seed);
  return Array.from({ length: n }, (_, i) =>
    entry(start + Math.floor((i * 1000) / perSecond - (next() < 0.3 ? next() * 8000 : 0)), 4 + Math.floor(next() * 16), { id: `s${seed}-${i}` }));
}

const lanes = (plan: Plan, of: Entry[]): number[] => of.map((e) => plan.find(e.comment.id)!.lane);

test("the plan depends on the order of the comments, not on when they came", () => {
  const [one, two] = [new Plan(shape), new Plan(shape)];
  const all = room(3, 600, 9);
  for (const e of all) one.add({ ...e });
  for (const e of all) {
    two.add({ ...e });
    two.between(start, start + 5000); // looked at in between
  }
  assert.deepEqual(lanes(one, all), lanes(two, all));
  assert.ok(lanes(one, all).some((l) => l >= 6), "the wall is well filled");
});

test("who joins later soon has the same wall", () => {
  const all = room(5, 1200, 6);
  const [old, late] = [new Plan(shape), new Plan(shape)];
  for (const e of all) old.add({ ...e });
  for (const e of all.slice(400)) late.add({ ...e });
  const last = all.slice(-300);
  const same = last.filter((e) => old.find(e.comment.id)!.lane === late.find(e.comment.id)!.lane).length;
  assert.ok(same >= 0.95 * last.length, `${same} of ${last.length} bullets have the same lane`);
});

test("known comments are known", () => {
  const plan = new Plan(shape);
  const e = entry(start);
  assert.deepEqual([plan.add(e), plan.add({ ...e }), plan.size], [true, false, 1]);
});

test("between, next and remove go by media time", () => {
  const plan = new Plan(shape);
  const [c, a, b] = [entry(start + 300), entry(start + 100), entry(start + 200)];
  for (const e of [c, a, b]) plan.add(e);
  assert.deepEqual(plan.between(start + 100, start + 300), [b, c]);
  assert.equal(plan.next(start + 100), start + 200);
  plan.remove(b.comment.id);
  plan.remove("nobody");
  assert.deepEqual(plan.between(0, Infinity), [a, c]);
  assert.equal(plan.next(start + 300), null);
});

test("a place that was freed is taken again", () => {
  const plan = new Plan(geometry(1280, 30, defaults)); // one lane
  const [a, b, c] = [entry(start), entry(start + 100), entry(start + 200)];
  plan.add(a);
  plan.add(b);
  assert.deepEqual([a.lane, b.lane], [0, -1]);
  plan.remove(a.comment.id);
  plan.add(c);
  assert.equal(c.lane, 0);
});

test("another shape: lanes anew, in the order in which comments came", () => {
  const all = room(9, 300, 9);
  const [moved, born] = [new Plan(shape), new Plan(geometry(390, 219, defaults))];
  for (const e of all) {
    moved.add({ ...e });
    born.add({ ...e });
  }
  moved.relay(geometry(390, 219, defaults));
  assert.deepEqual(lanes(moved, all), lanes(born, all));
});

test("the past is kept for as long as players can go back, and is bounded", () => {
  const plan = new Plan(shape);
  for (let i = 0; i < 400; i++) plan.add(entry(start + i));
  plan.trim(start + 100_000);
  assert.equal(plan.size, 400);
  plan.trim(start + 200_000);
  assert.equal(plan.size, 0);
  for (let i = 0; i < 7000; i++) plan.add(entry(start + i));
  assert.ok(plan.size <= 6256, `${plan.size} entries`);
  assert.equal(plan.next(start + 6998), start + 6999, "the newest are kept");
});

test("renew gives spent bullets back", () => {
  const plan = new Plan(shape);
  const e = { ...entry(start), spent: true };
  plan.add(e);
  plan.renew();
  assert.equal(plan.find(e.comment.id)!.spent, false);
});
