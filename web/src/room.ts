// The room page.

import "./styles/room.css";
import { readConfig } from "./config";
import { h, icon, show } from "./dom";
import { elapsed } from "./format";
import { asked } from "./moment";
import { Share } from "./share";
import { header } from "./header";
import { Speaker, type Key } from "./i18n";
import { icons } from "./icons";
import type { Room } from "./api";
import { secrets } from "./storage";
import { takeToken } from "./token";
import { watch } from "./watch";

const config = readConfig();
const speaker = new Speaker();
const phase = speaker.say(h("span", { class: "phase", testid: "phase" }), "phase.offline");
const title = h("h1", { class: "room-name", testid: "room-name", dir: "auto" }, config.room);
const clock = h("span", { class: "clock", testid: "clock" });
const serverStrip = speaker.say(h("p", { class: "strip server", role: "status", testid: "server-strip", hidden: true }), "server.lost");
let room: Room | null = null;
let failures = 0; // of the server, in a row

function refresh(): void {
  // One request that got lost is nobody's business; without a picture the stage says it.
  show(serverStrip, failures > 1 && stage.screen === "live");
  if (!room) return;
  const name = room.title || room.room;
  phase.dataset.phase = room.phase;
  speaker.say(phase, `phase.${room.phase}` satisfies Key);
  const onAir = room.phase === "live" && room.since > 0;
  if (title.textContent !== name) title.textContent = name;
  document.title = `${name} · ${config.siteName}`;
  clock.textContent = onAir ? elapsed(Date.now() - room.since) : "";
}

const { stage, talk } = watch(config, speaker, {
  room(r) {
    room = r;
    refresh();
  },
  server(answers) {
    failures = answers ? 0 : failures + 1;
  },
}, takeToken(config.room, secrets()));
setInterval(refresh, 1000);

const share = new Share(speaker, { room: config.room, playhead: () => stage.player.playhead() });
const strip = h("div", { class: "strip moment", role: "status", testid: "moment-strip", hidden: true });

/** A link to a moment that is not on offer plays live, and says so. */
function tell(key: Key): void {
  const close = speaker.label(h("button", { class: "strip-close", type: "button" }, icon(...icons.close)), "close");
  close.addEventListener("click", () => show(strip, false));
  strip.replaceChildren(speaker.say(h("span"), key), close);
  show(strip, true);
}

const moment = asked(location.search);
if (moment !== null) {
  stage.player.beginAt(moment, (m) => {
    if (m === "past") tell("moment.past");
    else if (m === "future") tell("moment.future");
  });
}

document.getElementById("app")!.replaceChildren(
  header(config.siteName, speaker, title, phase, clock, share.root),
  strip,
  serverStrip,
  h("main", { class: "watch" }, stage.root, talk.root),
);
