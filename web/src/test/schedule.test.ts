import assert from "node:assert/strict";
import { test } from "node:test";
import { lateLimit, Schedule } from "../bullets/schedule";

const at = 1_790_000_000_000; // program date time of the comment

function scheduleWith(delay: number): Schedule<string> {
  const s = new Schedule<string>();
  s.delay = delay;
  return s;
}

test("offer decides by the playhead", () => {
  const cases: { name: string; playhead: number | null; late?: number; want: string }[] = [
    { name: "no picture: at once", playhead: null, want: "fly" },
    { name: "viewer is behind the writer: wait", playhead: at - 8000, want: "wait" },
    { name: "playhead at pdt, delay not over", playhead: at, want: "wait" },
    { name: "exactly due", playhead: at + 400, want: "fly" },
    { name: "late, within the limit", playhead: at + 400 + lateLimit, want: "fly" },
    { name: "too late: only in the list", playhead: at + 401 + lateLimit, want: "late" },
    { name: "history that has passed", playhead: at + 500, late: 0, want: "late" },
    { name: "history ahead of the playhead", playhead: at - 5000, late: 0, want: "wait" },
    { name: "history without a picture", playhead: null, late: 0, want: "late" },
  ];
  for (const c of cases) {
    const s = scheduleWith(400);
    const got = s.offer({ item: "x", pdt: at, ...(c.late !== undefined && { late: c.late }) }, c.playhead);
    assert.equal(got, c.want, c.name);
  }
});

test("take gives what is due, in the order of media time, once", () => {
  const s = scheduleWith(0);
  for (const [item, offset] of [["c", 300], ["a", 100], ["b", 200], ["b2", 200]] as const) {
    s.offer({ item, pdt: at + offset }, at);
  }
  assert.deepEqual(s.take(at + 99), []);
  assert.deepEqual(s.take(at + 200), ["a", "b", "b2"]);
  assert.deepEqual(s.take(at + 200), []);
  assert.deepEqual(s.take(at + 1000), ["c"]);
  assert.equal(s.size, 0);
});

test("a seek far ahead drops what it jumped over", () => {
  const s = scheduleWith(0);
  s.offer({ item: "old", pdt: at + 1000 }, at);
  s.offer({ item: "near", pdt: at + 30_000 }, at);
  assert.deepEqual(s.take(at + 31_000), ["near"]);
});

test("when the picture goes, nothing waits for a moment that will not come", () => {
  const s = scheduleWith(400);
  s.offer({ item: "a", pdt: at + 5000 }, at);
  assert.deepEqual(s.take(null), ["a"]);
});

test("a changed delay holds for what comes after it", () => {
  const s = scheduleWith(400);
  s.delay = 1300;
  assert.equal(s.offer({ item: "a", pdt: at }, at + 1000), "wait");
  assert.deepEqual(s.take(at + 1300), ["a"]);
});

test("the queue is bounded and lets the oldest go", () => {
  const s = scheduleWith(0);
  for (let i = 0; i < 2500; i++) s.offer({ item: String(i), pdt: at + 10_000 + i }, at);
  assert.equal(s.size, 2000);
  assert.equal(s.take(at + 13_000)[0], "500");
});
