// Stage and talk of one room joined: what the room page and the studio share.

import type { Room } from "./api";
import { Preferences } from "./bullets/settings";
import type { PageConfig } from "./config";
import { expose } from "./debug";
import { follow } from "./follow";
import type { Speaker } from "./i18n";
import { replay } from "./replay";
import type { Screen } from "./screen";
import { Stage } from "./stage";
import { settings } from "./storage";
import { Talk } from "./talk";

export interface WatchHooks {
  screen?(s: Screen): void;
  room?(r: Room): void;
  /** Whether the server answers. */
  server?(answers: boolean): void;
}

export interface Watch {
  stage: Stage;
  talk: Talk;
}

export function watch(config: PageConfig, speaker: Speaker, hooks: WatchHooks = {}, token = ""): Watch {
  const preferences = new Preferences(settings());
  const stage = new Stage(config, speaker, preferences, {
    comment: () => talk.composer.focus(),
    screen: (s) => hooks.screen?.(s),
  });
  const { wall, wake } = stage.bullets;
  const past = replay(config, stage);
  const talk: Talk = new Talk({
    config,
    speaker,
    token,
    preferences,
    playhead: () => stage.player.playhead(),
    events: {
      news(n) {
        past.hear(n.t);
        wall.tell(n);
        if (n.comments.length + n.combos.length > 0) wake();
      },
      history(comments, own) {
        past.renew();
        wall.recall(comments, own);
      },
      own: (cid, c) => wall.own(cid, c),
      gone: (key) => wall.remove(key),
      policy: (p) => (wall.delay = p.delay),
      likes: (n) => stage.hearts.fly(n),
      session: () => asking.now(), // chat only says that something changed; the API says what
    },
  });
  const asking = follow(config.room, stage, {
    room: (r) => hooks.room?.(r),
    back: () => {
      talk.hurry();
      hooks.server?.(true);
    },
    lost: () => hooks.server?.(false),
  });
  talk.start();
  expose(stage, talk);
  return { stage, talk };
}
