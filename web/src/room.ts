// The room page.

import "./styles/room.css";
import { readConfig } from "./config";
import { h } from "./dom";
import { elapsed } from "./format";
import { header } from "./header";
import { Speaker, type Key } from "./i18n";
import type { Room } from "./api";
import { watch } from "./watch";

const config = readConfig();
const speaker = new Speaker();
const phase = speaker.say(h("span", { class: "phase", testid: "phase" }), "phase.offline");
const clock = h("span", { class: "clock", testid: "clock" });
let room: Room | null = null;

function refresh(): void {
  if (!room) return;
  phase.dataset.phase = room.phase;
  speaker.say(phase, `phase.${room.phase}` satisfies Key);
  const onAir = room.phase === "live" && room.since > 0;
  clock.textContent = onAir ? elapsed(Date.now() - room.since) : "";
}

const { stage, talk } = watch(config, speaker, {
  room(r) {
    room = r;
    refresh();
  },
});
setInterval(refresh, 1000);

const title = h("h1", { class: "room-name", testid: "room-name" }, config.room);
document.getElementById("app")!.replaceChildren(
  header(config.siteName, speaker, title, phase, clock),
  h("main", { class: "watch" }, stage.root, talk.root),
);
