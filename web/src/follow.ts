// The stage follows the room as the API tells it.

import { fetchRoom, type Room } from "./api";
import { poll, type Poll } from "./poll";
import type { Stage } from "./stage";

export interface FollowHooks {
  room(r: Room): void;
  /** The server answers again. */
  back(): void;
  /** It does not. */
  lost?(): void;
}

const every = 2500; // ms; spread by poll's jitter, so what hangs on it is spread, too

export function follow(name: string, stage: Stage, hooks: FollowHooks): Poll {
  let lost = false;
  let preloaded = true; // the first answer was asked for by the page itself, nobody knows when
  return poll(every, async () => {
    try {
      const sent = performance.now();
      const room = await fetchRoom(name);
      const { now, pdtNow } = room;
      const timed = !preloaded && pdtNow > 0;
      stage.follow({ ...room, exchange: timed ? { sent, received: performance.now(), now, pdtNow } : null });
      preloaded = false;
      if (lost) hooks.back();
      lost = false;
      hooks.room(room);
    } catch (e) {
      lost = true;
      stage.lost();
      hooks.lost?.();
      throw e;
    }
  });
}
