import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeHello, encodeOrder, encodeSend, parseComment, parseFrame, runes, safeColor } from "../protocol";

const c = ["i1", 1790000000123, "a1", "小明", "草", "top", "#FF0000", "host"];

test("a comment is read by position", () => {
  assert.deepEqual(parseComment(c), {
    id: "i1", pdt: 1790000000123, author: "a1", nick: "小明", text: "草", mode: "top", color: "#ff0000", role: "host",
  });
});

test("a comment may have grown at its end, and its unknown values become harmless", () => {
  const got = parseComment([...c.slice(0, 5), "sideways", "red;background:url(x)", "emperor", "new field"]);
  assert.deepEqual([got?.mode, got?.color, got?.role], ["scroll", "#ffffff", "viewer"]);
});

test("what is no comment is none", () => {
  for (const v of [null, 7, {}, [], ["id"], [1, 2, 3, 4, 5], ["", 1, "a", "n", "text"]]) {
    assert.equal(parseComment(v), null, JSON.stringify(v));
  }
});

test("frames of the protocol", () => {
  const cases: { frame: object; want: object }[] = [
    {
      frame: { op: "tick", seq: 42, t: 1, viewers: 3, likes: 7, c: [c, "broken"], k: [["i1", 2, 5], ["", 1, 9], ["i2", 1], 7], rest: 2 },
      want: {
        op: "tick", seq: 42, t: 1, viewers: 3, likes: 7, comments: [parseComment(c)], combos: [{ id: "i1", total: 5 }], rest: 2,
      },
    },
    {
      frame: { op: "acks", a: [["k-1", "i1", "shown"], ["k-2", "", "rejected", "too_long"]] },
      want: {
        op: "acks",
        acks: [
          { cid: "k-1", id: "i1", fate: "shown", reason: "" },
          { cid: "k-2", id: "", fate: "rejected", reason: "too_long" },
        ],
      },
    },
    {
      frame: { op: "event", kind: "session", phase: "live", session: "s1", epoch: "k3", live: true, players: 2 },
      want: { op: "session", session: { phase: "live", epoch: "k3" } },
    },
    { frame: { op: "event", kind: "degraded", degraded: true, reason: "unavailable" }, want: { op: "degraded", degraded: "unavailable" } },
    { frame: { op: "event", kind: "degraded", degraded: true, reason: "apart" }, want: { op: "degraded", degraded: "apart" } },
    { frame: { op: "event", kind: "degraded", degraded: false }, want: { op: "degraded", degraded: "" } },
    { frame: { op: "local", t: 7, c: [], k: [["i1", 1, 2]], rest: 1 }, want: { op: "local", t: 7, comments: [], combos: [{ id: "i1", total: 2 }], rest: 1 } },
    {
      frame: { op: "event", kind: "policy", tick: 160, delay: 460, rate: 1, burst: 3, max_runes: 100, max_bytes: 600, slow: 5 },
      want: { op: "policy", policy: { delay: 460, maxRunes: 100, rate: 1, slow: 5 } },
    },
    { frame: { op: "gap", from: 43, to: 50 }, want: { op: "gap", from: 43, to: 50 } },
    { frame: { op: "reset", epoch: "e2", seq: 0 }, want: { op: "reset", epoch: "e2", seq: 0 } },
    { frame: { op: "error", code: "too_fast", retry_ms: 700 }, want: { op: "error", code: "too_fast", retryMs: 700, cid: "" } },
    {
      frame: { op: "bye", code: 4001, reason: "restart", retry_ms: -1 },
      want: { op: "bye", code: 4001, reason: "restart", retryMs: -1 },
    },
    { frame: { op: "you", id: "x", nick: "n", role: "host" }, want: { op: "you", you: { id: "x", nick: "n", role: "host", token: "" } } },
    { frame: { op: "event", kind: "delete", ids: ["i1", 7], who: "" }, want: { op: "delete", ids: ["i1"], who: "" } },
    { frame: { op: "event", kind: "pin", pinned: [c] }, want: { op: "pin", pinned: parseComment(c) } },
    { frame: { op: "event", kind: "pin", pinned: [] }, want: { op: "pin", pinned: null } },
    { frame: { op: "event", kind: "notice", text: "hi" }, want: { op: "notice", text: "hi" } },
    { frame: { op: "event", kind: "mute", muted: true, retry_ms: -1 }, want: { op: "mute", muted: true, retryMs: -1 } },
    { frame: { op: "done", cid: "m1", do: "mute" }, want: { op: "done", cid: "m1" } },
    {
      frame: { op: "error", code: "forbidden", retry_ms: 0, cid: "m1" },
      want: { op: "error", code: "forbidden", retryMs: 0, cid: "m1" },
    },
    {
      frame: {
        op: "rules",
        rules: { rev: 3, slow: 5, words: ["x", 1], mutes: [{ who: "p", nick: "n", session: "s1", by: "a" }], bans: [{ cidr: "203.0.113.0/24", until: 9, by: "a" }] },
      },
      want: {
        op: "rules",
        rules: {
          slow: 5, notice: "", words: ["x"],
          mutes: [{ who: "p", cidr: "", nick: "n", until: 0, show: true, by: "a" }],
          bans: [{ who: "", cidr: "203.0.113.0/24", nick: "", until: 9, show: false, by: "a" }],
        },
      },
    },
    { frame: { op: "pong", now: 1 }, want: { op: "pong" } },
  ];
  for (const { frame, want } of cases) assert.deepEqual(parseFrame(JSON.stringify(frame)), want);
});

test("welcome with everything, and with nothing", () => {
  const full = parseFrame(JSON.stringify({
    op: "welcome", v: 1, epoch: "e1", seq: 41, resumed: false,
    you: { id: "8f3k", nick: "guest-8f3k", role: "viewer", token: "t" },
    policy: { tick: 100, delay: 400, rate: 1, burst: 3, max_runes: 200, max_bytes: 600 },
    history: [c], pinned: [], counters: { viewers: 3, comments: 120, likes: 7 },
    session: { phase: "live", session: "s1", epoch: "k3", live: true, players: 2 }, degraded: false, now: 1,
  }));
  assert.ok(full?.op === "welcome");
  assert.deepEqual([full.viewers, full.likes, full.history.length, full.session?.phase], [3, 7, 1, "live"]);
  const bare = parseFrame('{"op":"welcome"}');
  assert.ok(bare?.op === "welcome");
  assert.deepEqual([bare.policy.delay, bare.policy.maxRunes, bare.session, bare.you.role], [400, 200, null, "viewer"]);
});

test("what a newer server may say is ignored", () => {
  for (const data of ["", "null", "[]", "{", "7", '{"op":"dance"}', '{"op":"event","kind":"party"}', '{"op":7}']) {
    assert.equal(parseFrame(data), null, data);
  }
});

test("no bytes make the parser throw", () => {
  const seed = JSON.stringify({ op: "tick", seq: 1, c: [c], k: [], rest: 0 });
  for (let i = 0; i < seed.length; i++) {
    parseFrame(seed.slice(0, i));
    parseFrame(seed.slice(0, i) + "9" + seed.slice(i + 1));
  }
});

test("what the page sends", () => {
  assert.equal(encodeHello("", "", null), '{"op":"hello"}');
  assert.deepEqual(JSON.parse(encodeHello("小明", "t", { epoch: "e1", seq: 4 })), {
    op: "hello", nick: "小明", token: "t", resume: { epoch: "e1", seq: 4 },
  });
  const send = { cid: "a-1", text: "草", mode: "scroll", color: "#ffffff" } as const;
  assert.deepEqual(JSON.parse(encodeSend({ ...send, pdt: 12.7 })), { op: "send", ...send, pdt: 13 });
  assert.ok(!("pdt" in JSON.parse(encodeSend({ ...send, pdt: null }))), "an unknown time is left to the server");
});

test("colours and lengths", () => {
  assert.equal(safeColor("#ABCDEF"), "#abcdef");
  for (const v of ["red", "#fff", "#1234567", "", null, "url(//x)"]) assert.equal(safeColor(v), "#ffffff");
  assert.equal(runes("a草🎉"), 3);
});

test("an order carries only what it needs", () => {
  assert.equal(encodeOrder("m1", { do: "mute", who: "p", seconds: 600 }), '{"op":"mod","cid":"m1","do":"mute","who":"p","seconds":600}');
});
