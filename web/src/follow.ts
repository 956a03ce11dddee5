// The stage follows the room as the API tells it.

import { fetchRoom, type Room } from "./api";
import { poll, type Poll } from "./poll";
import type { Stage } from "./stage";

export interface FollowHooks {
  room(r: Room): void;
  /** The server answers again. */
  back(): void;
}

const every = 2500; // ms; spread by poll's jitter, so what hangs on it is spread, too

export function follow(name: string, stage: Stage, hooks: FollowHooks): Poll {
  let lost = false;
  return poll(every, async () => {
    try {
      const room = await fetchRoom(name);
      if (lost) hooks.back();
      lost = false;
      stage.follow(room);
      hooks.room(room);
    } catch (e) {
      lost = true;
      stage.lost();
      throw e;
    }
  });
}
