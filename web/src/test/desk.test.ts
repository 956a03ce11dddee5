import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWords } from "../desk";

test("words are parted by the commas of both scripts, and each is one", () => {
  assert.deepEqual(parseWords("spoiler, 剧透，spoiler、 ネタバレ\n;bad word "), ["spoiler", "剧透", "ネタバレ", "bad word"]);
  assert.deepEqual(parseWords(" ,， "), []);
});
