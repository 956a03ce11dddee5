// The page of the measurement: the engine over a moving ground, a room that
// shouts, and a clock on every frame.

import { Preferences } from "../src/bullets/settings";
import { Bullets } from "../src/bullets/engine";
import { openBox } from "../src/storage";
import type { Combo, Comment } from "../src/protocol";

declare global {
  interface Window {
    measure(o: Load): Promise<Result>;
  }
}

export interface Load {
  perSecond: number; // comments, before they are merged
  shown: number; // of them new on the screen, each second
  seconds: number;
  warmUp: number; // seconds
  size: number;
}

export interface Result {
  frames: number[]; // ms between two
  flying: number[]; // on screen, four times a second
  shown: number;
  overlaps: number; // pairs that touch, looked for four times a second
}

const tickMs = 100;
const shouts = ["草", "w", "666", "哈哈", "バルス", "GG", "来了", "first!", "88888", "太好看了吧", "6", "what a save", "😂", "？"];

window.measure = async (o: Load): Promise<Result> => {
  const layer = document.querySelector<HTMLElement>(".bullets")!;
  const preferences = new Preferences(openBox(() => { throw new Error("none"); }));
  preferences.set({ area: 1, density: "many", size: o.size });
  const begin = Date.now() - performance.now();
  const playhead = (): number => begin + performance.now();
  const bullets = new Bullets(layer, {
    video: document.createElement("video"), preferences, reading: () => ({ at: playhead(), rate: 1 }),
  });
  await new Promise((r) => requestAnimationFrame(r));
  let n = 0;
  const tick = (): void => {
    const comments: Comment[] = [];
    const combos: Combo[] = [];
    for (let i = 0; i < (o.shown * tickMs) / 1000; i++) {
      n++;
      comments.push({
        id: `c${n}`, pdt: playhead() + i * 3, author: `a${n}`, nick: "n", text: shouts[(n * 5) % shouts.length]!,
        mode: n % 40 === 0 ? "top" : n % 41 === 0 ? "bottom" : "scroll", color: ["#ffffff", "#ffe66b", "#63d4ff"][n % 3]!, role: "viewer",
      });
    }
    // Everybody else joins what was said in the last two seconds.
    const merged = (o.perSecond - o.shown) / o.shown;
    for (let i = 0; i < Math.min(o.shown * 2, n); i++) {
      const age = i / o.shown; // seconds
      if ((n - i) % 3 === 0) combos.push({ id: `c${n - i}`, total: 1 + Math.round(merged * 3 * Math.min(1, age / 2 + 0.05)) });
    }
    bullets.wall.tell({ t: Date.now(), comments, combos, own: new Map() });
    bullets.wake();
  };
  const ticker = setInterval(tick, tickMs);
  await new Promise((r) => setTimeout(r, o.warmUp * 1000));
  const result: Result = { frames: [], flying: [], shown: 0, overlaps: 0 };
  const look = setInterval(() => {
    result.flying.push(bullets.wall.flying.length);
  }, 250);
  let last = 0;
  let going = true;
  const frame = (t: number): void => {
    if (last > 0) result.frames.push(t - last);
    last = t;
    if (going) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  await new Promise((r) => setTimeout(r, o.seconds * 1000));
  going = false;
  clearInterval(ticker);
  clearInterval(look);
  result.overlaps = touching(layer);
  result.shown = bullets.wall.shown;
  bullets.stop();
  return result;
};

/** How many pairs of one lane touch on the screen, as the browser has laid them out. */
function touching(layer: HTMLElement): number {
  const boxes = [...layer.querySelectorAll(".scroll")].map((e) => e.getBoundingClientRect()).sort((a, b) => a.left - b.left);
  let n = 0;
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) if (b.left < a.right - 0.5 && Math.abs(a.top - b.top) < 1) n++;
  }
  return n;
}
