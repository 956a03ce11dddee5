import assert from "node:assert/strict";
import { test } from "node:test";
import { fit, fitter, widthClass } from "../bullets/widths";

const measure = (text: string): number => [...text].length;

test("width classes round up, more roughly where more is needed", () => {
  const cases: [number, number][] = [[0, 0], [0.1, 0.5], [1, 1], [3.2, 3.5], [7.9, 8], [8.1, 9], [15.5, 16], [16.1, 18], [39.2, 40]];
  for (const [em, want] of cases) assert.equal(widthClass(em), want, String(em));
});

test("fonts that differ a little have the same class", () => {
  assert.equal(widthClass(10.2), widthClass(10.7));
});

test("a text that nobody could read is cut, between letters", () => {
  assert.deepEqual(fit("short", measure), { text: "short", width: 5 });
  const long = fit("草".repeat(200), measure);
  assert.deepEqual([long.text, long.width], ["草".repeat(39) + "…", 40]);
  const emoji = fit("🎉".repeat(100), measure);
  assert.equal(emoji.text, "🎉".repeat(39) + "…");
});

test("what everybody shouts is measured once", () => {
  let asked = 0;
  const fitted = fitter((text) => {
    asked++;
    return text.length;
  });
  for (let i = 0; i < 100; i++) fitted("wwww");
  assert.equal(asked, 1);
  for (let i = 0; i < 2000; i++) fitted(`other ${i}`); // bounded: forgets
  fitted("wwww");
  assert.equal(asked, 2002);
});
