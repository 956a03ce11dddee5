// An overlay takes its settings from its address, and only what makes sense.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaults, parseSettings } from "../bullets/settings";
import { settingsIn } from "../overlay-settings";

test("an overlay's address holds its settings", () => {
  const whole = { ...defaults, area: 1 };
  const cases: [string, object][] = [
    ["", whole],
    ["?size=1.3&opacity=0.5&area=0.5&speed=slow&density=few", { ...defaults, size: 1.3, opacity: 0.5, area: 0.5, speed: "slow", density: "few" }],
    ["?size=99&opacity=7&speed=warp&density=%22%7D&words=a&on=false&__proto__=x", whole],
    ["?area=&size=big", { ...defaults }],
  ];
  for (const [search, want] of cases) assert.deepEqual(parseSettings(settingsIn(search)), want, search);
});
