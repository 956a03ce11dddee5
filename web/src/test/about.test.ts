// Tags as hosts type them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTags } from "../about";

test("tags are parted by the commas of both scripts", () => {
  const cases: [string, string[]][] = [
    ["", []],
    [" , ，、", []],
    ["music, cozy，首播、猫;a；b", ["music", "cozy", "首播", "猫", "a", "b"]],
    ["#walk, ＃city, ##x", ["walk", "city", "x"]],
    ["first stream, first stream", ["first stream"]],
    ["1,2,3,4,5,6,7,8,9", ["1", "2", "3", "4", "5", "6", "7", "8"]],
    ["😀".repeat(30), ["😀".repeat(24)]],
    ["<b>x</b>", ["<b>x</b>"]],
  ];
  for (const [text, want] of cases) assert.deepEqual(parseTags(text), want, text);
});
