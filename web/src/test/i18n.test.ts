import assert from "node:assert/strict";
import { test } from "node:test";
import { preferred, sentence } from "../i18n";
import { en, type Key } from "../words-en";
import { zh } from "../words-zh";

const keys = Object.keys(en) as Key[];
const holes = (s: string): string[] => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!).sort();

test("both languages say everything", () => {
  assert.deepEqual(Object.keys(zh).sort(), [...keys].sort());
  for (const key of keys) {
    assert.equal(zh[key] === "", en[key] === "", `${key} is empty in one language only`);
    assert.equal(en[key], en[key].trim(), key);
  }
});

test("both languages have room for the same values", () => {
  for (const key of keys) assert.deepEqual(holes(zh[key]), holes(en[key]), key);
});

test("every screen and every reason has its sentence", () => {
  const screens = ["connecting", "offline", "starting", "live", "buffering", "away", "ended", "unreachable", "unsupported"];
  for (const s of screens) assert.ok(`screen.${s}` in en && `screen.${s}.more` in en, s);
  for (const r of ["too_long", "empty", "too_fast", "unavailable", "bad_mode", "bad_color"]) assert.ok(`fate.${r}` in en, r);
});

test("every warning of the server has its sentence", () => {
  for (const code of ["GOP_TOO_LONG", "NO_VIDEO", "NO_AUDIO", "BITRATE_LOW", "BITRATE_HIGH", "AV_DRIFT", "SENDER_BEHIND"]) {
    assert.ok(`warn.${code}` in en, code);
  }
});

test("values are put in, unknown holes stay visible", () => {
  assert.equal(sentence("en", "say.wait", { n: 3 }), "That was fast. Again in 3 s.");
  assert.equal(sentence("zh", "dir.viewers", { n: "1.2万" }), "1.2万 人在看");
  assert.match(sentence("en", "say.wait"), /\{n\}/);
});

test("the first language that can be spoken", () => {
  const cases: [string[], string][] = [
    [["zh-CN", "en"], "zh"], [["zh-TW"], "zh"], [["en-GB", "zh"], "en"], [["fr", "zh-CN", "en"], "zh"], [["fr"], "en"], [[], "en"],
  ];
  for (const [languages, want] of cases) assert.equal(preferred(languages), want, languages.join());
});
