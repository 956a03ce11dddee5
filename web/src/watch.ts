// Stage and talk of one room joined: what the room page and the studio share.

import { fetchRoom, type Room } from "./api";
import type { PageConfig } from "./config";
import { expose } from "./debug";
import type { Speaker } from "./i18n";
import { poll } from "./poll";
import type { Screen } from "./screen";
import { Stage } from "./stage";
import { Talk } from "./talk";

export interface WatchHooks {
  screen?(s: Screen): void;
  room?(r: Room): void;
}

export interface Watch {
  stage: Stage;
  talk: Talk;
}

const every = 2500; // ms; spread by poll's jitter, so what hangs on it is spread, too

export function watch(config: PageConfig, speaker: Speaker, hooks: WatchHooks = {}, token = ""): Watch {
  const stage = new Stage(config, speaker, {
    comment: () => talk.composer.focus(),
    screen: (s) => hooks.screen?.(s),
  });
  const talk: Talk = new Talk({
    config,
    speaker,
    token,
    playhead: () => stage.player.playhead(),
    events: {
      comment: (c, history) => stage.bullets.add(c, history),
      own: (c) => stage.bullets.addOwn(c),
      policy: (p) => (stage.bullets.delay = p.delay),
      session: () => asking.now(), // chat only says that something changed; the API says what
    },
  });
  let lost = false;
  const asking = poll(every, async () => {
    try {
      const room = await fetchRoom(config.room);
      if (lost) talk.hurry();
      lost = false;
      stage.follow(room);
      hooks.room?.(room);
    } catch (e) {
      lost = true;
      stage.lost();
      throw e;
    }
  });
  talk.start();
  expose(stage, talk);
  return { stage, talk };
}
