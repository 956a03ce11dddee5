import assert from "node:assert/strict";
import { test } from "node:test";
import { bitrate, count, elapsed, hue, short } from "../format";

test("numbers of people", () => {
  assert.equal(count(0, "en"), "0");
  assert.equal(count(1234, "en"), "1,234");
  assert.equal(count(143_199, "en"), "143K");
  assert.equal(count(143_199, "zh"), "14.3万");
});

test("time on air", () => {
  const cases: [number, string][] = [[-5, "00:00"], [0, "00:00"], [61_500, "01:01"], [3_725_000, "1:02:05"], [36_000_000, "10:00:00"]];
  for (const [ms, want] of cases) assert.equal(elapsed(ms), want);
});

test("bitrates and short numbers", () => {
  assert.equal(bitrate(5_961_000), "5.96 Mbit/s");
  assert.equal(bitrate(128_400), "128 kbit/s");
  assert.equal(short(29.97), "29.97");
  assert.equal(short(30), "30");
  assert.equal(short(2.004), "2");
  assert.equal(short(8.333, 1), "8.3");
});

test("a name keeps its colour", () => {
  assert.equal(hue("小明"), hue("小明"));
  assert.ok(new Set(["a", "b", "c", "d", "e", "f"].map(hue)).size > 2);
});
