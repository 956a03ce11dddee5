import assert from "node:assert/strict";
import { test } from "node:test";
import { defaults, parseSettings, Preferences } from "../bullets/settings";
import { openBox, type Box } from "../storage";

const memory = (): Box => openBox(() => {
  throw new Error("memory only");
});

test("what was stored counts as far as it makes sense", () => {
  const cases: [string | null, Partial<typeof defaults>][] = [
    [null, {}], ["on", {}], ["off", { on: false }], ["{", {}], ["[1]", {}], ["null", {}], ["7", {}],
    ['{"opacity":7,"area":0.3,"size":"big","speed":"warp","density":null,"words":"x","people":{}}', {}],
    ['{"on":false,"opacity":0.4,"area":0.25,"size":1.6,"speed":"fast","density":"few"}',
      { on: false, opacity: 0.4, area: 0.25, size: 1.6, speed: "fast", density: "few" }],
    ['{"words":["a",1],"people":[{"id":"p","nick":"n"},{"id":""},7,{"id":"q"}]}', { words: ["a"], people: [{ id: "p", nick: "n" }] }],
  ];
  for (const [stored, want] of cases) assert.deepEqual(parseSettings(stored), { ...defaults, ...want }, String(stored));
});

test("settings are kept, and who follows is told", () => {
  const box = memory();
  const first = new Preferences(box);
  let told = 0;
  first.follow(() => told++);
  first.set({ opacity: 0.5 });
  first.blockWord("spoiler");
  assert.equal(told, 2);
  const second = new Preferences(box);
  assert.deepEqual([second.value.opacity, second.value.words], [0.5, ["spoiler"]]);
  second.reset();
  assert.deepEqual(new Preferences(box).value, defaults);
});

test("blocked words are found however they are written, people by who they are", () => {
  const p = new Preferences(memory());
  p.blockWord("  SpoiLer ");
  p.blockWord("spoiler");
  p.blockWord("  ");
  p.blockPerson({ id: "p1", nick: "troll" });
  p.blockPerson({ id: "p1", nick: "again" });
  p.blockPerson({ id: "", nick: "nobody" });
  assert.deepEqual(p.value.words, ["SpoiLer"]);
  assert.equal(p.value.people.length, 1);
  const cases: [string, string, boolean][] = [
    ["no ｓｐｏｉｌｅｒ please", "x", true], ["SPOILERS!", "x", true], ["spoil", "x", false], ["hello", "p1", true], ["hello", "p2", false],
  ];
  for (const [text, author, want] of cases) assert.equal(p.blocks({ text, author }), want, text);
  p.allowWord("SpoiLer");
  p.allowPerson("p1");
  assert.equal(p.blocks({ text: "spoiler", author: "p1" }), false);
});

test("what is kept is bounded", () => {
  const p = new Preferences(memory());
  for (let i = 0; i < 150; i++) p.blockWord(`word ${i}`);
  for (let i = 0; i < 250; i++) p.blockPerson({ id: `p${i}`, nick: "n" });
  p.blockWord("x".repeat(500));
  assert.deepEqual([p.value.words.length, p.value.people.length], [100, 200]);
  assert.equal(p.value.words.at(-1)!.length, 50);
});
