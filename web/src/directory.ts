// The directory: who is live now.

import "./styles/directory.css";
import { fetchRooms, fetchViewers } from "./api";
import { Cards } from "./cards";
import { entered } from "./composer";
import { addressOf, readConfig } from "./config";
import { h, show } from "./dom";
import { Finder } from "./finder";
import { header } from "./header";
import { Speaker, type Key } from "./i18n";
import { poll } from "./poll";
import { find, list, type Listed, type Wish } from "./rooms";

const every = 5000;
const batch = 48; // rooms on the page at first, and more with each step: nobody looks at a thousand
const slug = /^[a-z0-9][a-z0-9_-]{2,63}$/;
const config = readConfig();
const speaker = new Speaker();

const cards = new Cards(speaker);
const empty = emptyState();
const strip = speaker.say(h("p", { class: "strip", testid: "directory-strip", role: "status", hidden: true }), "dir.down");

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

const wish: Wish = { query: new URLSearchParams(location.search).get("q") ?? "", language: "" };
let all: Listed[] = [];
let shown = batch;

const finder = new Finder(speaker, wish, () => {
  shown = batch;
  const url = new URL(location.href);
  if (wish.query.trim() === "") url.searchParams.delete("q");
  else url.searchParams.set("q", wish.query.trim());
  history.replaceState(null, "", url); // a search can be sent to a friend
  draw();
});

/** Shows the next rooms; the reader's scrolling presses it, too. */
const more = speaker.say(h("button", { class: "button more-rooms", type: "button", testid: "rooms-more", hidden: true }), "dir.more");
more.addEventListener("click", () => {
  shown += batch;
  draw();
});
new IntersectionObserver((seen) => seen.some((e) => e.isIntersecting) && more.click(), { rootMargin: "600px" }).observe(more);

function draw(): void {
  const found = find(all, wish);
  cards.draw(found.slice(0, shown));
  finder.draw(all, found.length);
  show(more, found.length > shown);
  show(empty, all.length === 0);
  show(bar, all.length > 0);
}

async function refresh(): Promise<void> {
  const viewersAt = addressOf("/chat/v1/rooms", config.chatUrl);
  try {
    const [rooms, viewers] = await Promise.all([
      fetchRooms(),
      fetchViewers(viewersAt).catch(() => new Map<string, number>()), // rooms are listed without chat, too
    ]);
    all = list(rooms, viewers);
    draw();
    show(strip, false);
  } catch (e) {
    show(strip, true);
    throw e;
  }
}

const bar = h("div", { class: "rooms-bar", hidden: true }, speaker.say(h("h2"), "dir.title"), finder.root);
document.getElementById("app")!.replaceChildren(
  header(config.siteName, speaker),
  h("main", { class: "directory" }, hero(), strip, bar, finder.found, cards.root, more, empty),
);
speaker.follow(draw);
poll(every, refresh);
