// The directory: who is live now.

import "./styles/directory.css";
import { fetchRooms, fetchViewers, type Room } from "./api";
import { addressOf, readConfig } from "./config";
import { h, icon, show } from "./dom";
import { count, hue } from "./format";
import { header } from "./header";
import { entered } from "./composer";
import { Speaker, type Key } from "./i18n";
import { icons } from "./icons";
import { poll } from "./poll";

const every = 5000;
const slug = /^[a-z0-9][a-z0-9_-]{2,63}$/;
const config = readConfig();
const speaker = new Speaker();

const grid = h("ul", { class: "rooms", testid: "rooms" });
const empty = emptyState();
const strip = speaker.say(h("p", { class: "strip", testid: "directory-strip", role: "status", hidden: true }), "dir.down");
const title = speaker.say(h("h2"), "dir.title");

function emptyState(): HTMLElement {
  const steps = (["dir.step1", "dir.step2", "dir.step3"] as const).map((key) => speaker.say(h("li"), key));
  return h("section", { class: "empty", testid: "directory-empty", hidden: true },
    speaker.say(h("h2"), "dir.empty"), speaker.say(h("p"), "dir.empty.lead"), h("ol", {}, ...steps));
}

function hero(): HTMLElement {
  const flying = ([1, 2, 3, 4, 5, 6] as const).map((n) =>
    speaker.say(h("span", { class: `drift drift-${n}` }), `dir.flying${n}` satisfies Key));
  return h("section", { class: "hero" },
    h("div", { class: "drifts", "aria-hidden": "true" }, ...flying),
    speaker.say(h("h1"), "dir.tagline"), speaker.say(h("p", { class: "lead" }), "dir.lead"), jump());
}

/** Rooms that are not live have no card, but they have a door. */
function jump(): HTMLElement {
  const input = h("input", { type: "text", placeholder: "live", autocomplete: "off", spellcheck: "false", testid: "room-input" });
  speaker.say(input, "dir.goto", {}, "aria-label");
  const button = speaker.say(h("button", { class: "button primary", type: "button", testid: "room-open" }), "dir.go");
  const go = (): void => {
    const name = input.value.trim().toLowerCase() || "live";
    if (slug.test(name)) location.href = `/r/${name}`;
    else input.setAttribute("aria-invalid", "true");
  };
  input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
  input.addEventListener("keydown", (e) => entered(e) && go());
  button.addEventListener("click", go);
  return h("div", { class: "jump" }, h("span", { class: "jump-prefix", "aria-hidden": "true" }, "/r/"), input, button);
}

function card(room: Room, viewers: number): HTMLElement {
  const poster = h("div", { class: "poster" }, h("span", { class: "initial", "aria-hidden": "true" }, room.room.slice(0, 1).toUpperCase()));
  poster.style.setProperty("--hue", String(hue(room.room)));
  const phase = speaker.say(h("span", { class: "phase" }), `phase.${room.phase}` satisfies Key);
  phase.dataset.phase = room.phase;
  poster.append(phase);
  const people = speaker.say(h("span"), "dir.viewers", { n: count(viewers, speaker.lang) });
  const link = h("a", { class: "card", href: `/r/${room.room}`, testid: "room-card" }, poster,
    h("div", { class: "card-foot" }, h("b", {}, room.room), h("span", { class: "people" }, icon(...icons.people), people)));
  return h("li", {}, link);
}

async function refresh(): Promise<void> {
  const viewersAt = addressOf("/chat/v1/rooms", config.chatUrl);
  try {
    const [rooms, viewers] = await Promise.all([
      fetchRooms(),
      fetchViewers(viewersAt).catch(() => new Map<string, number>()), // rooms are listed without chat, too
    ]);
    const shown = rooms.filter((r) => r.phase === "live" || r.phase === "away" || r.phase === "starting");
    const people = (r: Room): number => (viewers.get(r.room) ?? 0) + r.players;
    shown.sort((a, b) => people(b) - people(a) || a.room.localeCompare(b.room));
    draw(shown, people);
    show(strip, false);
  } catch (e) {
    show(strip, true);
    throw e;
  }
}

/** Redraws only what has changed, so that focus and hover stay where they are. */
function draw(rooms: Room[], people: (r: Room) => number): void {
  const signature = JSON.stringify([speaker.lang, rooms.map((r) => [r.room, r.phase, people(r)])]);
  show(empty, rooms.length === 0);
  show(title, rooms.length > 0);
  if (grid.dataset.signature === signature) return;
  grid.dataset.signature = signature;
  const focused = document.activeElement?.getAttribute("href");
  grid.replaceChildren(...rooms.map((r) => card(r, people(r))));
  if (focused) grid.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

document.getElementById("app")!.replaceChildren(
  header(config.siteName, speaker),
  h("main", { class: "directory" }, hero(), strip, title, grid, empty),
);
poll(every, refresh);
