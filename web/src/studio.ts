// The anchor's page: what to type into OBS, whether it arrives well, who
// watches, what they say. One screen.

import "./styles/studio.css";
import { ApiError, fetchIngest, fetchPublish, type Ingest, type Publish, type Room, type Severity } from "./api";
import { About } from "./about";
import { readConfig } from "./config";
import { Desk } from "./desk";
import { copyButton, field } from "./copying";
import { h, icon, show } from "./dom";
import { bitrate, count, elapsed, short } from "./format";
import { header } from "./header";
import { Speaker, type Key } from "./i18n";
import { icons } from "./icons";
import { poll } from "./poll";
import { nearest } from "./servers";
import { secrets } from "./storage";
import { takeToken } from "./token";
import { advise } from "./warnings";
import { watch } from "./watch";

const every = 2000;
const hidden = "•".repeat(24);
const config = readConfig();
const speaker = new Speaker();
const token = takeToken(config.room, secrets());
const app = document.getElementById("app")!;

/** The addresses OBS may use: the first serves almost everybody, so the others are folded away. */
function serverFields(servers: string[]): HTMLElement[] {
  const fields = servers.map((server, i) => {
    const f = i === 0 ? field(speaker, "studio.server", "server-0") : field(speaker, "studio.server.n", `server-${i}`, { n: i + 1 });
    f.value.value = server;
    f.tools.append(copyButton(speaker, `copy-server-${i}`, () => server));
    return f.root;
  });
  if (fields.length < 2) return fields;
  const [first, ...others] = fields;
  const label = speaker.say(h("summary"), "studio.server.more", { n: others.length });
  return [first!, h("details", { class: "more", testid: "more-servers" }, label, ...others)];
}

function connectCard(publish: Publish): HTMLElement {
  const servers = serverFields(nearest(publish.servers, location.hostname));
  const key = field(speaker, "studio.key", "stream-key");
  key.value.value = hidden;
  const reveal = speaker.say(h("button", { class: "button", type: "button", testid: "show-key", "aria-pressed": "false" }), "studio.key.show");
  reveal.addEventListener("click", () => {
    const shown = key.value.value === hidden;
    key.value.value = shown ? publish.key : hidden;
    reveal.setAttribute("aria-pressed", String(shown));
    speaker.say(reveal, shown ? "studio.key.hide" : "studio.key.show");
  });
  key.tools.append(reveal, copyButton(speaker, "copy-key", () => publish.key));
  key.root.append(speaker.say(h("small", { class: "field-note" }), "studio.key.warn"));
  return h("section", { class: "sheet", testid: "connect" },
    speaker.say(h("h2"), "studio.connect"), speaker.say(h("p", { class: "sheet-lead" }), "studio.connect.lead"), ...servers, key.root);
}

function linkCard(): HTMLElement {
  const fields = ([
    ["studio.link", "room-link", "copy-link", `${location.origin}/r/${config.room}`],
    ["studio.overlay", "overlay-link", "copy-overlay", `${location.origin}/overlay/${config.room}`],
    ["studio.embed", "embed-code", "copy-embed", embedCode()],
  ] as const).map(([label, testid, button, text]) => {
    const f = field(speaker, label, testid);
    f.value.value = text;
    f.tools.append(copyButton(speaker, button, () => text));
    return f;
  });
  const open = speaker.say(h("a", { class: "button", href: `/r/${config.room}`, target: "_blank", rel: "noopener", testid: "open-room" }), "studio.open");
  const [link, overlay, embed] = fields;
  link!.tools.append(open);
  overlay!.root.append(speaker.say(h("small", { class: "field-note" }), "studio.overlay.note"));
  embed!.root.append(speaker.say(h("small", { class: "field-note" }), "studio.embed.note"));
  const label = speaker.say(h("summary"), "studio.links.more");
  return h("section", { class: "sheet" }, link!.root, h("details", { class: "more", testid: "more-links" }, label, overlay!.root, embed!.root));
}

/** What somebody pastes into a page of their own. */
function embedCode(): string {
  const address = `${location.origin}/embed/${config.room}`;
  return `<iframe src="${address}" width="960" height="540" allow="autoplay; fullscreen; picture-in-picture"></iframe>`;
}

type Tile = "state" | "bitrate" | "gop" | "video" | "audio" | "viewers" | "uptime" | "lag" | "drift" | "rtt" | "reconnects" | "encoder";

const signs: Record<Severity, readonly string[]> = { info: icons.info, warning: icons.warn, critical: icons.critical };

/** The numbers of the signal and what to do about them. */
class Health {
  readonly root: HTMLElement;
  private readonly tiles = new Map<Tile, HTMLElement>();
  private readonly advice = h("ul", { class: "advice", testid: "advice" });
  private readonly state = h("span", { class: "phase", testid: "studio-phase" });

  constructor() {
    const names: Tile[] = ["state", "viewers", "uptime", "bitrate", "gop", "video", "audio", "lag", "drift", "rtt", "reconnects", "encoder"];
    const list = h("dl", { class: "tiles" });
    for (const name of names) {
      const value = h("dd", { testid: `tile-${name}` }, "–");
      this.tiles.set(name, value);
      const tile = h("div", { class: "tile" }, speaker.say(h("dt"), `studio.${name}` satisfies Key), value);
      tile.dataset.tile = name;
      list.append(tile);
    }
    this.tiles.get("state")!.replaceChildren(speaker.say(this.state, "phase.offline"));
    this.root = h("section", { class: "sheet health", testid: "health" }, speaker.say(h("h2"), "studio.health"), list, this.advice);
  }

  room(room: Room): void {
    this.state.dataset.phase = room.phase;
    speaker.say(this.state, `phase.${room.phase}` satisfies Key);
  }

  viewers(n: number): void {
    this.set("viewers", count(n, speaker.lang));
  }

  ingest(i: Ingest): void {
    const { video, audio } = i;
    this.set("bitrate", i.connected ? bitrate(i.bitrate) : "");
    this.set("gop", video && video.gopSeconds > 0 ? speaker.t("studio.seconds", { n: short(video.gopSeconds, 1) }) : "");
    this.set("video", video ? `${codecName(video.codec)} · ${video.width}×${video.height} · ${short(video.fps)} fps` : "");
    this.set("audio", audio ? `${codecName(audio.codec)} · ${short(audio.sampleRate / 1000, 1)} kHz · ${audio.channels} ch` : "");
    this.set("lag", i.connected ? speaker.t("studio.seconds", { n: short(i.lag / 1000, 1) }) : "");
    this.set("drift", video && audio ? speaker.t("studio.ms", { n: i.avDrift }) : "");
    this.set("rtt", i.rtt > 0 ? speaker.t("studio.ms", { n: Math.round(i.rtt) }) : "");
    this.set("reconnects", i.connected ? String(i.reconnects) : "");
    this.set("encoder", i.client);
    this.set("uptime", i.connected && i.connectedAt > 0 ? elapsed(Date.now() - i.connectedAt) : "");
    this.advise(i);
  }

  private set(tile: Tile, text: string): void {
    const value = this.tiles.get(tile)!;
    value.textContent = text || speaker.t("studio.none");
    value.title = text;
  }

  private advise(i: Ingest): void {
    const advice = i.connected ? advise(i) : [];
    const rows = advice.map((a) => {
      // Not by colour alone: each severity has a sign and a word of its own.
      const row = h("li", { class: a.severity, testid: "warning" }, icon(...signs[a.severity]),
        h("span", {}, speaker.say(h("b"), `severity.${a.severity}` satisfies Key), " ", speaker.say(h("span"), a.key, a.vars)));
      row.dataset.code = a.code;
      row.dataset.severity = a.severity;
      return row;
    });
    this.root.dataset.codes = advice.map((a) => a.code).join(" ");
    if (!i.connected && i.refused) {
      rows.push(h("li", { class: "warning", testid: "refused" }, icon(...icons.warn),
        speaker.say(h("span"), "studio.refused", { reason: i.refused })));
    }
    if (rows.length === 0) rows.push(this.summary(i.connected));
    this.advice.replaceChildren(...rows);
  }

  private summary(connected: boolean): HTMLLIElement {
    return h("li", { class: connected ? "good" : "idle", testid: "health-summary" },
      icon(...(connected ? icons.good : icons.wait)),
      speaker.say(h("span"), connected ? "studio.good" : "studio.idle"));
  }
}

function codecName(codec: string): string {
  const known: Record<string, string> = { h264: "H.264", avc1: "H.264", h265: "H.265", hevc: "H.265", av1: "AV1", aac: "AAC", mp4a: "AAC", opus: "Opus" };
  return known[codec.toLowerCase().split(".")[0]!] ?? codec;
}

function refuse(kind: "notoken" | "badtoken"): void {
  app.replaceChildren(header(config.siteName, speaker),
    h("main", { class: "lost", testid: `studio-${kind}` },
      speaker.say(h("h1"), `studio.${kind}` satisfies Key),
      speaker.say(h("p"), `studio.${kind}.more` satisfies Key, { room: config.room }),
      h("p", {}, speaker.say(h("a", { class: "button", href: `/r/${config.room}` }), "studio.open"))));
}

const unauthorised = (e: unknown): boolean => e instanceof ApiError && (e.status === 401 || e.status === 403);

function open(publish: Publish): void {
  const health = new Health();
  const title = h("h1", { class: "room-name", dir: "auto" }, config.room);
  const name = (r: Room): string => (title.textContent = r.title || r.room);
  const about = new About(speaker, { room: config.room, token, saved: name });
  const { stage, talk } = watch(config, speaker, {
    room(r) {
      health.room(r);
      about.fill(r);
      name(r);
    },
  }, token);
  const desk = new Desk(speaker, (o, answered) => talk.order(o, answered));
  talk.onRules = (r) => desk.fill(r);
  talk.wantsRules = true; // before the connection is there
  const strip = speaker.say(h("p", { class: "strip", role: "status", testid: "studio-strip", hidden: true }), "studio.down");
  app.replaceChildren(
    header(config.siteName, speaker, title, speaker.say(h("span", { class: "tag" }), "studio.title")),
    strip,
    h("main", { class: "studio" },
      h("div", { class: "studio-main" }, stage.root, health.root),
      h("div", { class: "studio-side" }, connectCard(publish), about.root, desk.root, linkCard()),
      talk.root));
  talk.onViewers = (n) => health.viewers(n);
  const asking = poll(every, async () => {
    try {
      health.ingest(await fetchIngest(config.room, token));
      show(strip, false);
    } catch (e) {
      if (unauthorised(e)) {
        asking.stop();
        location.reload(); // the token has expired: the start of the page says so
        return;
      }
      show(strip, true);
      throw e;
    }
  });
}

/** Asks for the key first: its answer says whether the link is good. */
function start(): void {
  if (!token) {
    refuse("notoken");
    return;
  }
  const asking = poll(every, async () => {
    try {
      const publish = await fetchPublish(config.room, token);
      asking.stop();
      open(publish);
    } catch (e) {
      if (!unauthorised(e)) throw e;
      asking.stop();
      refuse("badtoken");
    }
  });
}

start();
