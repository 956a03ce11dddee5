// Asks again and again: with jitter, slower after failures and in hidden tabs,
// at once when the tab comes back.

import { Backoff } from "./backoff";

export interface Poll {
  now(): void; // ask as soon as possible
  stop(): void;
}

const hiddenFactor = 6;

/** Calls `ask` about every `interval` ms. A rejected promise means: slower. */
export function poll(interval: number, ask: () => Promise<void>): Poll {
  const backoff = new Backoff({ first: interval, max: interval * 2 });
  let timer = 0;
  let running = false;
  let again = false;
  let stopped = false;

  const wait = (): number => {
    const jittered = interval * (0.85 + Math.random() * 0.3);
    return document.hidden ? jittered * hiddenFactor : jittered;
  };
  const run = async (): Promise<void> => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    let delay: number;
    try {
      await ask();
      backoff.reset();
      delay = wait();
    } catch {
      delay = backoff.next(interval / 2);
    }
    running = false;
    if (stopped) return;
    timer = window.setTimeout(() => void run(), again ? 0 : delay);
    again = false;
  };
  const visible = (): void => {
    if (!document.hidden) void run();
  };
  document.addEventListener("visibilitychange", visible);
  void run();
  return {
    now: () => void run(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", visible);
    },
  };
}
