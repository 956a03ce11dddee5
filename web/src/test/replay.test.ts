import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSegment, Replay, type Segment } from "../replay";
import { comment, Play, start } from "./stageplay";

const raw = (id: string, pdt: number, text = "hi"): unknown[] => [id, pdt, "a", "n", text, "scroll", "#ffffff", "viewer"];

test("parseSegment", () => {
  const cases: [unknown, number, Record<string, number>][] = [
    [{ t: 0, c: [raw("a", 1), raw("b", 2)], k: [["a", 3]] }, 2, { a: 3 }],
    [{ t: 0, c: [raw("a", 1).concat("later")], k: [["a", 3, "later"]], final: true }, 1, { a: 3 }],
    [{ c: [null, [], ["x"], raw("a", 1)], k: [null, ["a"], ["a", "3"], ["a", 1], [3, 3]] }, 1, {}],
    [{}, 0, {}],
    [null, 0, {}],
    ["text", 0, {}],
    [{ c: "c", k: 7 }, 0, {}],
  ];
  for (const [data, comments, totals] of cases) {
    const s = parseSegment(data);
    assert.equal(s.comments.length, comments, JSON.stringify(data));
    assert.deepEqual(Object.fromEntries(s.totals.map((k) => [k.id, k.total])), totals, JSON.stringify(data));
  }
});

/** A page whose playhead the test moves; it answers with what `say` returns. */
class Page {
  at: number | null = start - 40_000;
  behind = 40;
  now = 0;
  say: (t: number) => Response | null = (t) => Response.json({ t, c: [raw(`c${t}`, t)], k: [] });
  readonly asked: number[] = [];
  readonly told: Segment[] = [];
  readonly replay = new Replay({
    address: (t) => `/segments/${t}.json`,
    playhead: () => this.at,
    behind: () => this.behind,
    tell: (s) => this.told.push(s),
    now: () => this.now,
    fetch: (url) => {
      const t = Number(/(\d+)\.json$/.exec(url)![1]);
      this.asked.push(t);
      const answer = this.say(t);
      return answer ? Promise.resolve(answer) : Promise.reject(new TypeError("no network"));
    },
  });

  async looks(): Promise<number[]> {
    this.asked.length = 0;
    await this.replay.look();
    return this.asked.map((t) => t - start);
  }
}

test("who goes back asks for what flies there, once", async () => {
  const p = new Page();
  assert.deepEqual(await p.looks(), [-60_000, -50_000, -40_000]);
  assert.deepEqual(p.told.map((s) => s.comments.length), [1, 1, 1]);
  assert.deepEqual(await p.looks(), []);
  p.at! += 6000;
  assert.deepEqual(await p.looks(), [-30_000]);
  p.at = start - 58_000;
  assert.deepEqual(await p.looks(), [-80_000, -70_000]);
});

test("who is live, or has heard it, does not ask", async () => {
  const p = new Page();
  p.behind = 3;
  assert.deepEqual(await p.looks(), []);
  p.behind = 40;
  p.at = null;
  assert.deepEqual(await p.looks(), []);
  p.at = start - 2000;
  p.replay.hear(start - 15_000); // joined then
  p.replay.hear(start);
  assert.deepEqual(await p.looks(), [-20_000]);
  p.replay.renew(); // the connection was lost: something may have been missed
  assert.deepEqual(await p.looks(), [-20_000, -10_000, 0]);
});

test("what fails is asked for again, later", async () => {
  const p = new Page();
  p.say = (t) => (t < start - 55_000 ? new Response("{}", { status: 404 }) : t < start - 45_000 ? new Response("", { status: 503 }) : null);
  assert.equal((await p.looks()).length, 3);
  assert.deepEqual(await p.looks(), []);
  p.now = 3500;
  assert.deepEqual(await p.looks(), [-50_000, -40_000]);
  p.now = 31_000;
  p.say = (t) => new Response(t === start - 40_000 ? "no JSON" : "{}");
  assert.equal((await p.looks()).length, 3);
  assert.deepEqual(await p.looks(), []);
  p.now = 40_000;
  assert.deepEqual(await p.looks(), [-40_000]);
});

test("the bullets of a moment fly when it is sought, with the totals of the end", () => {
  const p = new Play({ behind: 30_000 });
  const [flying, coming] = [comment(start - 33_000, { text: "flying" }), comment(start - 28_000, { text: "coming" })];
  p.wall.recall([flying, coming], undefined, [{ id: flying.id, total: 7 }, { id: coming.id, total: 9 }, { id: "nobody", total: 3 }]);
  p.wall.step();
  assert.deepEqual(p.up, ["flying"]);
  assert.equal(p.one("flying").at, p.one("flying").stage - 2600); // where it would be by now
  assert.equal(p.one("flying").total, 7);
  p.pass(2500);
  assert.deepEqual(p.up, ["flying", "coming"]);
  p.pass(100);
  assert.equal(p.one("coming").total, 9);
});

test("what came live does not fly twice, and what was deleted does not come back", () => {
  const p = new Play();
  const [said, gone] = [comment(start, { text: "said" }), comment(start, { text: "gone" })];
  p.tell([said, gone]);
  p.pass(1000);
  p.wall.remove(gone.id);
  p.wall.recall([said, gone, { ...said }], undefined, [{ id: said.id, total: 4 }]);
  p.wall.step();
  assert.deepEqual(p.up, ["said"]);
  p.seek(start + 500);
  p.pass(100);
  assert.deepEqual(p.up, ["said"]);
});
