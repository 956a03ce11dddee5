// The directory: which rooms, in which order, and what a search finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoom, type Room } from "../api";
import { find, languageName, languages, list, plain, primary } from "../rooms";

const room = (name: string, more: object = {}): Room => parseRoom({ room: name, phase: "live", ...more });

const rooms = [
  room("walk", { title: "Night walk through Kraków", tags: ["walk", "city"], language: "en-GB", players: 2 }),
  room("cats", { title: "猫カフェから生中継", tags: ["ネコ", "cozy"], language: "ja" }),
  room("piano", { title: "ＰＩＡＮＯ 练习", tags: ["music"], language: "zh-Hans", phase: "away" }),
  room("plain-room", { phase: "starting" }),
  room("over", { title: "walk", phase: "ended" }),
  room("off", { title: "walk", phase: "offline" }),
];
const all = list(rooms, new Map([["piano", 30], ["walk", 3]]));
const names = (query: string, language = ""): string[] => find(all, { query, language }).map((l) => l.room.room);

test("rooms that are on are listed, the fullest first", () => {
  assert.deepEqual(all.map((l) => [l.room.room, l.viewers]), [["piano", 30], ["walk", 5], ["cats", 0], ["plain-room", 0]]);
});

test("every word is found in title, name, tag or language, whatever the case, width and accents", () => {
  const cases: [string, string[]][] = [
    ["", ["piano", "walk", "cats", "plain-room"]],
    ["  ", ["piano", "walk", "cats", "plain-room"]],
    ["KRAKOW", ["walk"]],
    ["piano", ["piano"]],
    ["ねこ", []],
    ["ネコ", ["cats"]],
    ["ﾈｺ", ["cats"]],
    ["#city", ["walk"]],
    ["#", ["piano", "walk", "cats", "plain-room"]],
    ["walk city", ["walk"]],
    ["walk music", []],
    ["plain-r", ["plain-room"]],
    ["日本語", ["cats"]],
    ["<b>", []],
    [".*", []],
  ];
  for (const [query, want] of cases) assert.deepEqual(names(query), want, query);
});

test("a language is that of the room, without its region or script", () => {
  assert.deepEqual(names("", "en"), ["walk"]);
  assert.deepEqual(names("walk", "ja"), []);
  assert.deepEqual(languages(all), ["en", "ja", "zh"]);
  assert.deepEqual([primary("zh-Hant-TW"), primary("EN"), primary("")], ["zh", "en", ""]);
  assert.deepEqual([languageName("ja", "en"), languageName("", "en"), languageName("no such", "en")], ["Japanese", "", "no such"]);
});

test("what a server says of a room is read with suspicion", () => {
  const r = parseRoom({ room: "x", title: ["no"], tags: ["a", 1, null, ""], language: {} });
  assert.deepEqual([r.title, r.tags, r.language], ["", ["a"], ""]);
  assert.deepEqual(parseRoom({ room: "x", tags: "a" }).tags, []);
});

test("a thousand rooms are searched within a frame", () => {
  const many = list(Array.from({ length: 1000 }, (_, i) => room(`room-${i}`, { title: `直播 number ${i} of a thousand`, tags: ["a", "b"], language: "en" })), new Map());
  find(many, { query: "warm", language: "" });
  const begin = process.cpuUsage().user;
  for (let i = 0; i < 10; i++) assert.equal(find(many, { query: `number ${990 + i}`, language: "en" }).length, 1);
  assert.ok(process.cpuUsage().user - begin < 160_000, "10 searches took more than 160 ms of CPU");
  assert.equal(plain("É"), "e");
});
