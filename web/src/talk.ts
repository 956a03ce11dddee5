// The talk of a room: connection, list and box, and the fate of what the
// reader says.

import { Chat, type Identity, type Link } from "./chat";
import { CommentList } from "./comments";
import { Composer, type Said } from "./composer";
import { House } from "./house";
import { menuFor } from "./menu";
import { socketAddress, type PageConfig } from "./config";
import { h, icon, show } from "./dom";
import { count } from "./format";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import { suggestion } from "./names";
import { OwnBook, Seen } from "./own";
import type { Preferences } from "./bullets/settings";
import type { News, Own } from "./bullets/wall";
import type { Ack, Comment, Degraded, Local, Order, Policy, RoomRules, ServerFrame, Session, Tick, You } from "./protocol";
import { settings, type Box } from "./storage";

export interface TalkEvents {
  news(n: News): void;
  history(comments: Comment[], own: Own): void;
  own(cid: string, c: Comment): void;
  /** Refused or deleted: by cid or by id. */
  gone(key: string): void;
  policy(p: Policy): void;
  session(s: Session): void;
  /** Likes came: the reader's own at once, others' with the next tick. */
  likes?(n: number): void;
}

export interface TalkOptions {
  config: PageConfig;
  speaker: Speaker;
  events: TalkEvents;
  preferences: Preferences;
  /** Program date time the reader sees, ms; null = unknown. */
  playhead(): number | null;
  /** The token of a host or moderator; "" = a guest. */
  token?: string;
}

const fateWords: Record<string, Key> = {
  rest: "fate.rest",
  spooled: "fate.spooled",
  held: "fate.held",
  too_long: "fate.too_long",
  empty: "fate.empty",
  too_fast: "fate.too_fast",
  unavailable: "fate.unavailable",
  bad_mode: "fate.bad_mode",
  bad_color: "fate.bad_color",
  muted: "fate.muted",
  slow_mode: "fate.slow_mode",
  blocked: "fate.blocked",
};

const orderErrors: Record<string, Key> = {
  forbidden: "mod.forbidden",
  no_such_comment: "mod.gone",
  rules_full: "mod.full",
};

const banned = 4005;

export class Talk {
  readonly root: HTMLElement;
  readonly composer: Composer;
  link: Link = "connecting";
  onViewers: (n: number) => void = () => undefined;
  onRules: (r: RoomRules) => void = () => undefined;
  /** Whether the rules are to be told, now and whenever they change. */
  wantsRules = false;
  private readonly list: CommentList;
  private readonly house: House;
  private readonly orders = new Map<string, (error: Key | null) => void>();
  private readonly chat: Chat;
  private readonly strip: HTMLElement;
  private readonly viewers: HTMLElement;
  private readonly likes: HTMLElement;
  private readonly own = new OwnBook();
  private readonly seen = new Seen();
  private readonly said = new Map<string, string>(); // cid → text, until acked
  private readonly prefix = Math.random().toString(36).slice(2, 8);
  private you: You = { id: "", nick: "", role: "viewer", token: "" };
  private degraded: Degraded = "";
  private silenced: Key | null = null;
  private minutes = 0; // that it lasts
  private sent = 0;
  private liked = 0; // own likes that no counter has shown yet
  private counted: number | null = null; // likes, by the last counter

  constructor(private readonly options: TalkOptions) {
    const { speaker, config } = options;
    this.list = new CommentList(speaker, options.preferences, (c, done) =>
      this.staff ? menuFor(speaker, c, { mine: c.author === this.you.id, give: (o) => this.order(o), done }) : []);
    this.house = new House(speaker, () => this.order({ do: "unpin" }));
    this.composer = new Composer(speaker, { say: (s) => this.say(s), nick: (n) => this.chat.rename(n) });
    this.composer.suggest(suggestion(speaker.lang));
    this.strip = h("p", { class: "strip", testid: "chat-strip", role: "status", hidden: true });
    this.viewers = h("span", { testid: "viewers" }, "–");
    this.likes = h("span", { class: "like-count", testid: "likes" });
    this.root = this.assemble();
    this.chat = new Chat({
      url: socketAddress(`/chat/v1/rooms/${config.room}/ws`, config.chatUrl),
      identity: identityOf(settings(), options.token ?? "", (you) => (this.you = you)),
      events: { link: (l) => this.linked(l), frame: (f) => this.receive(f) },
    });
  }

  start(): void {
    this.chat.start();
  }

  /** The server answers again: connect now, if there is no connection. */
  hurry(): void {
    this.chat.hurry();
  }

  private get staff(): boolean {
    return this.you.role !== "viewer";
  }

  /** What the bearer of a host's or moderator's link wants; `answered` hears why not, or null. */
  order(o: Order, answered?: (error: Key | null) => void): void {
    const cid = `${this.prefix}-${++this.sent}`;
    const tell = answered ?? ((error: Key | null) => error && this.list.note(error));
    if (this.chat.order(cid, o)) this.orders.set(cid, tell);
    else tell("mod.failed");
  }

  private assemble(): HTMLElement {
    const { speaker } = this.options;
    const like = h("button", { class: "like", type: "button", testid: "like" }, icon(...icons.heart), this.likes);
    speaker.label(like, "chat.like");
    like.addEventListener("click", () => {
      this.chat.like();
      this.liked++;
      this.options.events.likes?.(1);
      like.classList.remove("beat");
      void like.offsetWidth; // restarts the animation
      like.classList.add("beat");
    });
    const people = h("span", { class: "people" }, icon(...icons.people), this.viewers);
    speaker.say(people, "chat.viewers.label", {}, "title");
    const head = h("header", { class: "talk-head" }, speaker.say(h("h2"), "chat.title"), people, like);
    return h("section", { class: "talk", testid: "talk" }, head, this.strip, this.house.root, this.list.root, this.composer.root);
  }

  private say(said: Said): void {
    const cid = `${this.prefix}-${++this.sent}`;
    const pdt = this.options.playhead();
    const comment: Comment = {
      ...said, id: "", pdt: pdt ?? 0, author: this.you.id, nick: this.nick(), role: this.you.role,
    };
    this.own.add(cid, said.text);
    this.said.set(cid, said.text);
    this.list.appendOwn(cid, comment);
    this.options.events.own(cid, comment);
    this.chat.send({ cid, ...said, pdt });
  }

  private nick(): string {
    return settings().get("nick") ?? this.you.nick;
  }

  private receive(f: ServerFrame): void {
    switch (f.op) {
      case "welcome":
        this.policy(f.policy);
        this.counters(f.viewers, f.likes);
        this.degraded = f.degraded;
        this.silenced = null;
        this.house.pin(f.pinned, this.staff);
        this.house.notice(f.notice);
        if (this.wantsRules) this.order({ do: "list" });
        this.refreshStrip();
        this.options.events.history(f.history, this.read(f.history));
        if (f.session) this.options.events.session(f.session);
        break;
      case "tick":
        this.counters(f.viewers, f.likes);
        this.show(f);
        break;
      case "local":
        this.show(f);
        break;
      case "acks":
        f.acks.forEach((a) => this.settle(a));
        break;
      case "session":
        this.options.events.session(f.session);
        break;
      case "degraded":
        this.degraded = f.degraded;
        this.refreshStrip();
        break;
      case "policy":
        this.policy(f.policy);
        break;
      case "gap":
        this.list.note("chat.gap");
        break;
      case "error":
        this.answer(f.cid, orderErrors[f.code] ?? "mod.failed");
        if (f.code === "too_fast" || f.code === "slow_mode") this.composer.wait(f.retryMs, "");
        else if (f.code === "muted") this.silence("chat.muted", f.retryMs);
        else if (f.code === "nick_taken" || f.code === "nick_blocked") {
          this.list.note(f.code === "nick_taken" ? "say.nick.taken" : "say.nick.blocked");
          this.composer.refuseNick("");
        } else if (f.code === "busy" && f.cid === "") this.composer.complain("say.busy");
        break;
      default:
        this.orderly(f);
    }
  }

  private show(f: Tick | Local): void {
    this.options.events.news({ ...f, own: this.read(f.comments) });
    if (f.rest > 0) this.list.note("chat.rest", { n: f.rest });
  }

  /** What keeps order in the room. */
  private orderly(f: ServerFrame): void {
    switch (f.op) {
      case "delete":
        for (const id of new Set([...f.ids, ...this.list.remove(f.ids, f.who)])) this.options.events.gone(id);
        break;
      case "pin":
        this.house.pin(f.pinned, this.staff);
        break;
      case "notice":
        this.house.notice(f.text);
        break;
      case "mute":
        this.silence(f.muted ? "chat.muted" : null, f.retryMs);
        break;
      case "done":
        this.answer(f.cid, null);
        break;
      case "rules":
        this.onRules(f.rules);
        break;
      case "bye":
        if (f.code === banned) this.silence("chat.banned", f.retryMs);
        break;
    }
  }

  private answer(cid: string, error: Key | null): void {
    this.orders.get(cid)?.(error);
    this.orders.delete(cid);
  }

  /** The reader may not speak, or not be here, for so long; negative = nobody can say. */
  private silence(key: "chat.muted" | "chat.banned" | null, ms: number): void {
    this.silenced = key && ms > 0 ? `${key}.for` : key;
    this.minutes = Math.max(1, Math.ceil(ms / 60_000));
    this.refreshStrip();
  }

  /** Puts into the list what is new; returns which are the reader's own. */
  private read(all: Comment[]): Own {
    const rows: Comment[] = [];
    const own = new Map<string, string>();
    for (const c of all) {
      if (!this.seen.add(c.id)) continue;
      const cid = this.own.claim(c, this.you.id);
      if (cid === null) {
        rows.push(c);
        continue;
      }
      own.set(c.id, cid);
      this.list.correct(cid, c);
      this.list.setFate(cid, null);
    }
    this.list.append(rows);
    return own;
  }

  private settle(a: Ack): void {
    const text = this.said.get(a.cid);
    this.said.delete(a.cid);
    this.own.settle(a);
    if (a.fate === "rejected") this.options.events.gone(a.cid);
    else this.composer.taken();
    const why = a.fate === "rejected" ? a.reason : a.fate;
    if (a.fate === "shown" || a.fate === "merged") this.list.setFate(a.cid, null);
    else this.list.setFate(a.cid, fateWords[why] ?? "fate.rejected", a.fate === "rejected");
    if ((why === "too_fast" || why === "slow_mode") && text !== undefined) this.composer.wait(0, text);
    else if (a.fate === "rejected" && text !== undefined) this.composer.restore(text);
  }

  private policy(p: Policy): void {
    this.composer.maxRunes = p.maxRunes;
    this.composer.slowMode(this.staff ? 0 : p.slow);
    this.options.events.policy(p);
  }

  private counters(viewers: number, likes: number): void {
    const { lang } = this.options.speaker;
    this.viewers.textContent = count(viewers, lang);
    this.onViewers(viewers);
    const fresh = this.counted === null ? 0 : Math.max(0, likes - this.counted);
    this.counted = likes;
    const own = Math.min(fresh, this.liked);
    this.liked -= own;
    if (fresh > own) this.options.events.likes?.(fresh - own);
    this.likes.textContent = likes > 0 ? count(likes, lang) : "";
  }

  private linked(link: Link): void {
    this.link = link;
    this.refreshStrip();
  }

  private refreshStrip(): void {
    const key = this.silenced ?? stripWords(this.link, this.degraded);
    show(this.strip, key !== null);
    this.strip.dataset.link = this.link;
    if (key) this.options.speaker.say(this.strip, key, { n: this.minutes });
  }
}

function stripWords(link: Link, degraded: Degraded): Key | null {
  switch (link) {
    case "connecting":
      return "chat.connecting";
    case "reconnecting":
      return "chat.reconnecting";
    case "refused":
      return "chat.refused";
    case "open":
      return degraded === "" ? null : degraded === "apart" ? "chat.apart" : "chat.degraded";
  }
}

/** Who the reader is: a guest whose token outlives the page, or the bearer of a link. */
function identityOf(box: Box, given: string, keep: (you: You) => void): Identity {
  let token = given;
  return {
    nick: () => box.get("nick") ?? "",
    token: () => token || box.get("guest") || "",
    keep(you) {
      keep(you);
      if (you.role === "viewer" && you.token !== "") box.set("guest", you.token);
    },
    forget() {
      if (token) token = "";
      else box.set("guest", null);
    },
  };
}
