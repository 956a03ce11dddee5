// A link to a moment: what it asks for, and where that is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, linkTo, locate, type Listed } from "../moment";

test("a link asks for a moment, or for none", () => {
  assert.equal(asked("?t=1764012345678"), 1764012345678);
  for (const search of ["", "?t=", "?t=12", "?t=1e12", "?t=-1764012345678", "?t=1764012345678.5", "?t=99999999999999999", "?x=1764012345678", "?t=<b>"]) {
    assert.equal(asked(search), null, search);
  }
  assert.equal(linkTo("live", null, "https://a.example"), "https://a.example/r/live");
  assert.equal(asked(new URL(linkTo("live", 1764012345678.6, "https://a.example")).search), 1764012345679);
});

// Ten seconds, then nobody published for 5 s, then four more and a part of one.
const pdt = 1_764_000_000_000;
const segment = (start: number, duration: number, at: number | null): Listed => ({ start, duration, programDateTime: at });
const segments = [segment(100, 6, pdt), segment(106, 4, pdt + 6000), segment(110, 4, pdt + 15_000)];
const where = (ms: number): unknown => locate(pdt + ms, segments, 115);

test("a moment inside the window has a place in the player's time", () => {
  const cases: [number, unknown][] = [
    [-1, "past"],
    [0, 100],
    [2500, 102.5],
    [6000, 106],
    [9999, 109.999],
    [12_000, 110],
    [15_500, 110.5],
    [17_000, "live"],
    [19_900, "live"],
    [25_000, "live"],
    [30_100, "future"],
  ];
  for (const [ms, want] of cases) assert.equal(where(ms), want, String(ms));
});

test("a playlist without dates is played live", () => {
  assert.equal(locate(pdt, [], 0), "live");
  assert.equal(locate(pdt, [segment(0, 6, null)], 6), "live");
});
