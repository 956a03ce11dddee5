// The connection against a socket that does what the test says.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Chat, type Identity, type Link } from "../chat";
import type { ServerFrame, You } from "../protocol";

class FakeSocket {
  readonly sent: Record<string, unknown>[] = [];
  onopen: () => void = () => undefined;
  onmessage: (e: { data: string }) => void = () => undefined;
  onclose: () => void = () => undefined;
  closed = false;

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
  }

  hear(frame: object): void {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  ops(): unknown[] {
    return this.sent.map((f) => f.op);
  }
}

const comment = { cid: "c1", text: "hi", mode: "scroll", color: "#ffffff", pdt: null } as const;
const you: You = { id: "a1", nick: "guest", role: "viewer", token: "signed" };

/** A chat, its sockets in order of opening, and what it told the page. */
function setUp() {
  const sockets: FakeSocket[] = [];
  const links: Link[] = [];
  const frames: ServerFrame[] = [];
  const person = { token: "", forgotten: 0 };
  const identity: Identity = {
    nick: () => "n",
    token: () => person.token,
    keep: (y) => (person.token = y.token),
    forget: () => {
      person.token = "";
      person.forgotten++;
    },
  };
  const chat = new Chat({
    url: "ws://x",
    identity,
    events: { link: (l) => links.push(l), frame: (f) => frames.push(f) },
    connect: () => {
      const s = new FakeSocket();
      sockets.push(s);
      return s as unknown as WebSocket;
    },
    random: () => 1,
  });
  const welcome = (i: number, seq = 5): void => {
    sockets[i]!.onopen();
    sockets[i]!.hear({ op: "welcome", epoch: "e1", seq, you });
  };
  return { chat, sockets, links, frames, person, welcome };
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.assign(globalThis, {
    window: { setTimeout, addEventListener: () => undefined, removeEventListener: () => undefined },
  });
});

afterEach(() => {
  mock.timers.reset();
});

test("says hello first, and sends only after the welcome", () => {
  const { chat, sockets, links, welcome } = setUp();
  chat.start();
  chat.send(comment);
  sockets[0]!.onopen();
  assert.deepEqual(sockets[0]!.sent, [{ op: "hello", nick: "n" }]);
  welcome(0);
  assert.deepEqual(sockets[0]!.ops(), ["hello", "hello", "send"]);
  assert.deepEqual(links, ["connecting", "open"]);
});

test("comes back where it was, with what was not acked", () => {
  const { chat, sockets, links, welcome } = setUp();
  chat.start();
  welcome(0);
  sockets[0]!.hear({ op: "tick", seq: 9, c: [] });
  chat.send(comment);
  chat.send({ ...comment, cid: "c2" });
  sockets[0]!.hear({ op: "acks", a: [["c1", "i1", "shown"]] });
  sockets[0]!.onclose();
  assert.equal(links.at(-1), "reconnecting");
  mock.timers.tick(1000);
  welcome(1, 9);
  assert.deepEqual(sockets[1]!.sent[0], { op: "hello", nick: "n", token: "signed", resume: { epoch: "e1", seq: 9 } });
  assert.deepEqual(sockets[1]!.sent.slice(1).map((f) => [f.op, f.cid]), [["send", "c2"]]);
});

test("waits as long as the goodbye asks, and longer each time", () => {
  const { chat, sockets, welcome } = setUp();
  chat.start();
  welcome(0);
  sockets[0]!.hear({ op: "bye", code: 4001, reason: "restart", retry_ms: 1500 });
  sockets[0]!.onclose();
  mock.timers.tick(2499);
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  assert.equal(sockets.length, 2);
  sockets[1]!.onclose(); // never opened
  mock.timers.tick(1999);
  assert.equal(sockets.length, 2);
  mock.timers.tick(1);
  assert.equal(sockets.length, 3);
});

test("stays away when it is told to", () => {
  const { chat, sockets, links } = setUp();
  chat.start();
  sockets[0]!.hear({ op: "bye", code: 4004, reason: "hello_bad", retry_ms: -1 });
  sockets[0]!.onclose();
  mock.timers.tick(600_000);
  assert.equal(sockets.length, 1);
  assert.equal(links.at(-1), "refused");
});

test("a refused token is forgotten, and the guest comes back", () => {
  const { chat, sockets, person } = setUp();
  person.token = "stale";
  chat.start();
  sockets[0]!.onopen();
  assert.equal(sockets[0]!.sent[0]!.token, "stale");
  sockets[0]!.hear({ op: "bye", code: 4003, reason: "token_expired", retry_ms: 0 });
  sockets[0]!.onclose();
  mock.timers.tick(1000);
  sockets[1]!.onopen();
  assert.equal(person.forgotten, 1);
  assert.ok(!("token" in sockets[1]!.sent[0]!));
});

test("silence is a dead connection, even when nothing reports its end", () => {
  const { chat, sockets, links, welcome } = setUp();
  chat.start();
  welcome(0);
  mock.timers.tick(24_000);
  sockets[0]!.hear({ op: "tick", seq: 6, c: [] });
  mock.timers.tick(24_999);
  assert.equal(links.at(-1), "open");
  mock.timers.tick(1);
  assert.ok(sockets[0]!.closed);
  assert.equal(links.at(-1), "reconnecting");
  mock.timers.tick(1000);
  assert.equal(sockets.length, 2);
  sockets[0]!.onclose(); // late, of the old socket
  assert.equal(sockets.length, 2);
});

test("a reset starts the numbering anew", () => {
  const { chat, sockets, welcome } = setUp();
  chat.start();
  welcome(0);
  sockets[0]!.hear({ op: "reset", epoch: "e2", seq: 0 });
  sockets[0]!.hear({ op: "tick", seq: 1, c: [] });
  sockets[0]!.onclose();
  mock.timers.tick(1000);
  sockets[1]!.onopen();
  assert.deepEqual(sockets[1]!.sent[0]!.resume, { epoch: "e2", seq: 1 });
});

test("likes are counted and sent together", () => {
  const { chat, sockets, welcome } = setUp();
  chat.start();
  welcome(0);
  for (let i = 0; i < 70; i++) chat.like();
  mock.timers.tick(1000);
  chat.like();
  mock.timers.tick(1000);
  assert.deepEqual(sockets[0]!.sent.slice(1), [{ op: "like", n: 50 }, { op: "like", n: 1 }]);
});

test("a stopped chat stays stopped", () => {
  const { chat, sockets, welcome } = setUp();
  chat.start();
  welcome(0);
  chat.stop();
  sockets[0]!.onclose();
  mock.timers.tick(600_000);
  assert.ok(sockets[0]!.closed);
  assert.equal(sockets.length, 1);
});
