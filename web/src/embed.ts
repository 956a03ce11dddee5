// The player and the bullets of a room, in a frame of somebody else's page. Who
// wants to talk opens the room.

import "./styles/embed.css";
import type { Room } from "./api";
import { Preferences } from "./bullets/settings";
import { readConfig } from "./config";
import { expose } from "./debug";
import { h } from "./dom";
import { follow } from "./follow";
import { Speaker, type Key } from "./i18n";
import { Listener } from "./listener";
import { Stage } from "./stage";
import { replay } from "./replay";
import { settings } from "./storage";

const config = readConfig();
const speaker = new Speaker();
const address = `/r/${config.room}`;

const title = h("h1", { class: "embed-title", dir: "auto", testid: "room-name" }, config.room);
const phase = speaker.say(h("span", { class: "phase", testid: "phase" }), "phase.offline");
const open = speaker.say(h("a", { class: "button", href: address, target: "_blank", rel: "noopener", testid: "embed-open" }), "embed.open");

const stage = new Stage(config, speaker, new Preferences(settings()), {
  comment: () => window.open(address, "_blank", "noopener"),
  screen: () => undefined,
});
const { wall, wake } = stage.bullets;
const past = replay(config, stage);
const none = new Map<string, string>(); // nothing here is the reader's own

const listener = new Listener(config, {
  tick(t) {
    past.hear(t.t);
    wall.tell({ ...t, own: none });
    if (t.comments.length + t.combos.length > 0) wake();
  },
  history(comments) {
    past.renew();
    wall.recall(comments);
  },
  policy: (p) => (wall.delay = p.delay),
  gone: (id) => wall.remove(id),
  session: () => asking.now(),
});

function show(room: Room): void {
  const name = room.title || room.room;
  if (title.textContent !== name) title.textContent = name;
  document.title = `${name} · ${config.siteName}`;
  phase.dataset.phase = room.phase;
  speaker.say(phase, `phase.${room.phase}` satisfies Key);
}

const asking = follow(config.room, stage, { room: show, back: () => listener.hurry() });
stage.root.append(h("header", { class: "embed-head" }, phase, title, open));
document.getElementById("app")!.replaceChildren(h("main", { class: "embed" }, stage.root));
listener.start();
expose(stage, listener);
