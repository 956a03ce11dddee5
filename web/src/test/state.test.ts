// The small pure parts around the page: what the stage shows, what becomes of
// an own comment, how long to wait, what the API said.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIngest, parsePublish, parseRoom, parseRooms, parseViewers } from "../api";
import { Backoff } from "../backoff";
import { entered } from "../composer";
import { addressOf, sameOrigin, socketAddress } from "../config";
import { suggestion } from "../names";
import { OwnBook, Seen } from "../own";
import type { Comment } from "../protocol";
import { playable, screenOf, type Known, type Screen } from "../screen";
import { nearest } from "../servers";
import { openBox } from "../storage";
import { takeToken } from "../token";
import { advise } from "../warnings";

test("the stage shows the picture whenever there is one", () => {
  const base: Known = { phase: "live", reachable: true, picture: "none", supported: true };
  const cases: [Partial<Known>, Screen][] = [
    [{ phase: null }, "connecting"],
    [{ phase: "offline" }, "offline"],
    [{ phase: "starting" }, "starting"],
    [{ picture: "loading" }, "starting"],
    [{ picture: "moving" }, "live"],
    [{ picture: "paused" }, "live"],
    [{ picture: "stalled" }, "buffering"],
    [{ picture: "moving", reachable: false }, "live"],
    [{ picture: "moving", phase: "offline" }, "live"],
    [{ picture: "moving", phase: "away" }, "live"],
    [{ picture: "stalled", phase: "away" }, "away"],
    [{ picture: "ended", phase: "ended" }, "ended"],
    [{ picture: "stalled", reachable: false }, "unreachable"],
    [{ phase: null, reachable: false }, "unreachable"],
    [{ picture: "none", supported: false }, "unsupported"],
  ];
  for (const [k, want] of cases) assert.equal(screenOf({ ...base, ...k }), want, JSON.stringify(k));
  assert.deepEqual([playable("live"), playable("away"), playable("ended"), playable(null)], [true, true, false, false]);
});

test("the server an anchor reads first is the one whose page is open", () => {
  const servers = ["rtmp://localhost/live", "rtmp://192.0.2.2:1936/live", "rtmp://[fd00::2]/live"];
  assert.equal(nearest(servers, "192.0.2.2")[0], "rtmp://192.0.2.2:1936/live");
  assert.equal(nearest(servers, "[fd00::2]")[0], "rtmp://[fd00::2]/live");
  assert.deepEqual(nearest(servers, "live.example.com"), servers);
  assert.deepEqual(nearest(["nonsense"], "localhost"), ["nonsense"]);
});

const mine = (id: string, text: string): Comment => ({
  id, text, pdt: 0, author: "me", nick: "n", mode: "scroll", color: "#ffffff", role: "viewer",
});

test("an own comment stays one, whichever comes first", () => {
  const tickFirst = new OwnBook();
  tickFirst.add("c1", "hi ");
  assert.equal(tickFirst.claim(mine("i1", "hi"), "me"), "c1");
  tickFirst.settle({ cid: "c1", id: "i1", fate: "shown", reason: "" });
  assert.equal(tickFirst.claim(mine("i2", "hi"), "me"), null, "said in another tab");

  const ackFirst = new OwnBook();
  ackFirst.add("c1", "h\u200bi"); // the server's text may be a cleaned one
  ackFirst.settle({ cid: "c1", id: "i1", fate: "shown", reason: "" });
  assert.equal(ackFirst.claim(mine("i1", "hi"), "me"), "c1");
});

test("others' comments are theirs, and equal own ones pair in order", () => {
  const book = new OwnBook();
  book.add("c1", "草");
  book.add("c2", "草");
  assert.equal(book.claim({ ...mine("i0", "草"), author: "other" }, "me"), null);
  assert.equal(book.claim(mine("i1", "草"), "me"), "c1");
  assert.equal(book.claim(mine("i2", "草"), "me"), "c2");
});

test("a comment that the server cleaned is known again before its ack", () => {
  const cases: [string, string][] = [
    ["h\u200bi", "hi"],
    ["cafe\u0301", "café"],
    ["Z\u0351\u036b\u0343algo", "Z\u0351\u036balgo"],
    ["a\u00a0b\tc", "a b c"],
    ["草\u202e", "草"],
  ];
  for (const [typed, cleaned] of cases) {
    const book = new OwnBook();
    book.add("c0", "something else");
    book.add("c1", typed);
    assert.equal(book.claim(mine("i1", cleaned), "me"), "c1", JSON.stringify(typed));
  }
});

test("a comment that will not come in a tick is not waited for", () => {
  for (const fate of ["rejected", "rest"] as const) {
    const book = new OwnBook();
    book.add("c1", "x");
    book.settle({ cid: "c1", id: fate === "rest" ? "i0" : "", fate, reason: "" });
    book.add("c2", "x");
    assert.equal(book.claim(mine("i1", "x"), "me"), "c2", fate);
  }
});

test("seen ids are new once, and old ones are forgotten", () => {
  const seen = new Seen(2);
  assert.deepEqual(["a", "a", "b", "c", "a"].map((id) => seen.add(id)), [true, false, true, true, true]);
});

test("back-off grows to its ceiling, with full jitter, above what the server asks", () => {
  const most = new Backoff({ first: 1000, max: 30_000 }, () => 1);
  assert.deepEqual(Array.from({ length: 7 }, () => most.next()), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  most.reset();
  assert.equal(most.next(1500), 2500);
  assert.equal(new Backoff({ first: 1000, max: 30_000 }, () => 0).next(), 0);
});

test("Enter in an input method does not send", () => {
  const key = { key: "Enter", isComposing: false, keyCode: 13 };
  assert.equal(entered(key), true);
  assert.equal(entered({ ...key, isComposing: true }), false);
  assert.equal(entered({ ...key, keyCode: 229 }), false, "Safari ends the composition first");
  assert.equal(entered({ ...key, key: "a" }), false);
});

test("addresses follow the configured origin", () => {
  const base = "https://page.example";
  assert.equal(addressOf("/hls/live/index.m3u8", "", base), "https://page.example/hls/live/index.m3u8");
  assert.equal(addressOf("/hls/live/index.m3u8", "https://cdn.example", base), "https://cdn.example/hls/live/index.m3u8");
  assert.equal(socketAddress("/chat/v1/rooms/live/ws", "", base), "wss://page.example/chat/v1/rooms/live/ws");
  assert.equal(socketAddress("/ws", "http://chat.example:8081", base), "ws://chat.example:8081/ws");
  assert.equal(sameOrigin("https://page.example/x", base), true);
  assert.equal(sameOrigin("https://cdn.example/x", base), false);
});

test("the API may say less, or nonsense", () => {
  assert.deepEqual(parseRoom({ room: "live", phase: "dancing", since: "x" }), {
    room: "live", phase: "offline", session: "", epoch: "", since: 0, now: 0, pdtNow: 0, latency: 0, players: 0, hls: "/hls/live/index.m3u8",
    title: "", tags: [], language: "",
  });
  assert.deepEqual(parseRooms({ rooms: [{}, { room: "a" }] }).map((r) => r.room), ["a"]);
  assert.deepEqual(parseRooms(null), []);
  assert.equal(parseViewers({ rooms: [{ room: "live", viewers: 3 }] }).get("live"), 3);
  assert.deepEqual(parsePublish({ servers: ["rtmp://h/live", 7], key: "k" }), { servers: ["rtmp://h/live"], key: "k" });
});

test("warnings become advice, the worst first", () => {
  const ingest = parseIngest({
    connected: true, bitrate: 1, av_drift_ms: -700, lag_ms: 5300, rtt_ms: 12.3, reconnects: 2,
    warnings: [
      { code: "NO_AUDIO", severity: "info" }, { code: "GOP_TOO_LONG", severity: "warning", value: 8.34 }, { code: "NEW_ONE" }, "x",
      { code: "AV_DRIFT", severity: "warning", value: -700 }, { code: "BITRATE_LOW", severity: "warning", value: 300_000 },
      { code: "SENDER_BEHIND", severity: "critical", value: 5300 },
    ],
  });
  assert.deepEqual([ingest.avDrift, ingest.lag, ingest.rtt, ingest.reconnects], [-700, 5300, 12.3, 2]);
  assert.deepEqual(advise(ingest), [
    { code: "SENDER_BEHIND", severity: "critical", key: "warn.SENDER_BEHIND", vars: { n: "5.3" } },
    { code: "GOP_TOO_LONG", severity: "warning", key: "warn.GOP_TOO_LONG", vars: { n: "8.3" } },
    { code: "NEW_ONE", severity: "warning", key: "warn.other", vars: { code: "NEW_ONE" } },
    { code: "AV_DRIFT", severity: "warning", key: "warn.AV_DRIFT", vars: { n: "0.7" } },
    { code: "BITRATE_LOW", severity: "warning", key: "warn.BITRATE_LOW", vars: { n: "300 kbit/s" } },
    { code: "NO_AUDIO", severity: "info", key: "warn.NO_AUDIO", vars: { n: "0" } },
  ]);
});

test("storage that throws is storage that forgets with the page", () => {
  const box = openBox(() => {
    throw new Error("denied");
  });
  box.set("nick", "n");
  assert.equal(box.get("nick"), "n");
  box.set("nick", null);
  assert.equal(box.get("nick"), null);
});

test("the studio's secret leaves the address bar and stays in the tab", () => {
  const box = openBox(() => {
    throw new Error("memory only");
  });
  const seen: string[] = [];
  const past = { replaceState: (_: unknown, __: string, url: string) => seen.push(url) } as unknown as History;
  const where = (hash: string): Location => ({ hash, pathname: "/studio/live", search: "" }) as Location;
  assert.equal(takeToken("live", box, where("#token=abc.def"), past), "abc.def");
  assert.deepEqual(seen, ["/studio/live"]);
  assert.equal(takeToken("live", box, where(""), past), "abc.def", "after a reload");
  assert.equal(takeToken("other", box, where(""), past), "", "another room has another secret");
});

test("suggested names are names", () => {
  for (const lang of ["en", "zh"] as const) {
    for (const r of [0, 0.5, 0.999]) assert.ok(suggestion(lang, () => r).length >= 3);
  }
});
