// Chat protocol v1: frames of the server to typed values, and back. Pure and
// total: what cannot be understood becomes null and is ignored, as the
// protocol asks ("unknown keys and unknown ops are ignored").

import { parsePhase, type Phase } from "./api";

export type Mode = "scroll" | "top" | "bottom";
export type Role = "viewer" | "moderator" | "host";
export type Fate = "shown" | "merged" | "rest" | "held" | "spooled" | "rejected";

export interface Comment {
  id: string;
  pdt: number; // ms since the Unix epoch, in the time of the stream
  author: string;
  nick: string;
  text: string;
  mode: Mode;
  color: string; // "#rrggbb"
  role: Role;
}

export interface You {
  id: string;
  nick: string;
  role: Role;
  token: string;
}

export interface Policy {
  delay: number; // ms: a bullet is drawn when the playhead reaches pdt + delay
  maxRunes: number;
  rate: number; // comments per second
  slow: number; // seconds a viewer waits between two comments; 0 = no slow mode
}

export interface Session {
  phase: Phase;
  epoch: string;
}

export interface Welcome {
  op: "welcome";
  epoch: string;
  seq: number;
  resumed: boolean;
  you: You;
  policy: Policy;
  history: Comment[];
  viewers: number;
  likes: number;
  session: Session | null;
  pinned: Comment | null;
  notice: string; // what the house says
  degraded: Degraded;
}

/** What is wrong with the comments: nothing; they are seen by this server's viewers only; they are refused. */
export type Degraded = "" | "apart" | "unavailable";

export interface Tick {
  op: "tick";
  seq: number;
  t: number; // the server's time, ms since the Unix epoch
  viewers: number;
  likes: number;
  comments: Comment[];
  combos: Combo[];
  rest: number;
}

/** Comments that are in no tick yet: only this server has them. */
export interface Local {
  op: "local";
  t: number;
  comments: Comment[];
  combos: Combo[];
  rest: number;
}

/** Equal comments of one moment, shown as one. */
export interface Combo {
  id: string; // of the first
  total: number;
}

export interface Ack {
  cid: string;
  id: string;
  fate: Fate;
  reason: string;
}

/** What was decided about one person, or one network. */
export interface Sentence {
  who: string; // a person's id, or
  cidr: string;
  nick: string;
  until: number; // ms since the Unix epoch; 0 = no such end
  show: boolean; // ends with the show
  by: string;
}

/** The rules of a room, for those who look after it. */
export interface RoomRules {
  slow: number;
  notice: string;
  words: string[];
  mutes: Sentence[];
  bans: Sentence[];
}

export type ServerFrame =
  | Welcome
  | Tick
  | Local
  | { op: "acks"; acks: Ack[] }
  | { op: "session"; session: Session }
  | { op: "degraded"; degraded: Degraded }
  | { op: "policy"; policy: Policy }
  | { op: "you"; you: You }
  | { op: "gap"; from: number; to: number }
  | { op: "reset"; epoch: string; seq: number }
  | { op: "delete"; ids: string[]; who: string }
  | { op: "pin"; pinned: Comment | null }
  | { op: "notice"; text: string }
  | { op: "mute"; muted: boolean; retryMs: number }
  | { op: "done"; cid: string }
  | { op: "rules"; rules: RoomRules }
  | { op: "error"; code: string; retryMs: number; cid: string }
  | { op: "pong" }
  | { op: "bye"; code: number; reason: string; retryMs: number };

type Dict = Record<string, unknown>;

const dict = (v: unknown): Dict => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Dict) : {});
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
const str = (v: unknown, fallback = ""): string => (typeof v === "string" ? v : fallback);
const strings = (v: unknown): string[] => list(v).filter((s) => typeof s === "string");
const num = (v: unknown, fallback = 0): number => (typeof v === "number" && Number.isFinite(v) ? v : fallback);

function oneOf<T extends string>(values: readonly T[], v: unknown, fallback: T): T {
  return values.includes(v as T) ? (v as T) : fallback;
}

const modes = ["scroll", "top", "bottom"] as const;
const roles = ["viewer", "moderator", "host"] as const;
const fates = ["shown", "merged", "rest", "held", "spooled", "rejected"] as const;

export const white = "#ffffff";

/** A colour as the protocol writes it, else white: the value goes into CSS. */
export function safeColor(v: unknown): string {
  return typeof v === "string" && /^#[0-9a-f]{6}$/i.test(v) ? v.toLowerCase() : white;
}

export function parseComment(value: unknown): Comment | null {
  const c = list(value);
  const id = str(c[0]);
  const text = str(c[4]);
  if (id === "" || text === "") return null;
  return {
    id,
    pdt: num(c[1]),
    author: str(c[2]),
    nick: str(c[3]),
    text,
    mode: oneOf(modes, c[5], "scroll"),
    color: safeColor(c[6]),
    role: oneOf(roles, c[7], "viewer"),
  };
}

/** [commentId, delta, total]; the total alone is never wrong. */
function parseCombo(value: unknown): Combo | null {
  const k = list(value);
  const [id, total] = [str(k[0]), num(k[2])];
  return id === "" || total < 2 ? null : { id, total };
}

const combos = (v: unknown): Combo[] => list(v).map(parseCombo).filter((k): k is Combo => k !== null);
const comments = (v: unknown): Comment[] => list(v).map(parseComment).filter((c): c is Comment => c !== null);

function parseYou(value: unknown): You {
  const v = dict(value);
  return { id: str(v.id), nick: str(v.nick), role: oneOf(roles, v.role, "viewer"), token: str(v.token) };
}

function parsePolicy(value: unknown): Policy {
  const v = dict(value);
  return { delay: num(v.delay, 400), maxRunes: num(v.max_runes, 200), rate: num(v.rate, 1), slow: num(v.slow) };
}

function parseSession(value: unknown): Session {
  const v = dict(value);
  return { phase: parsePhase(v.phase), epoch: str(v.epoch) };
}

function parseDegraded(f: Dict): Degraded {
  if (f.degraded !== true) return "";
  return f.reason === "apart" ? "apart" : "unavailable";
}

function parseWelcome(f: Dict): Welcome {
  const counters = dict(f.counters);
  return {
    op: "welcome",
    epoch: str(f.epoch),
    seq: num(f.seq),
    resumed: f.resumed === true,
    you: parseYou(f.you),
    policy: parsePolicy(f.policy),
    history: comments(f.history),
    viewers: num(counters.viewers),
    likes: num(counters.likes),
    pinned: comments(f.pinned)[0] ?? null,
    notice: str(f.notice),
    session: f.session === undefined || f.session === null ? null : parseSession(f.session),
    degraded: parseDegraded(f),
  };
}

function parseSentence(value: unknown): Sentence {
  const s = dict(value);
  return {
    who: str(s.who), cidr: str(s.cidr), nick: str(s.nick), until: num(s.until), show: str(s.session) !== "", by: str(s.by),
  };
}

function parseRules(value: unknown): RoomRules {
  const r = dict(value);
  return {
    slow: num(r.slow), notice: str(r.notice), words: strings(r.words),
    mutes: list(r.mutes).map(parseSentence), bans: list(r.bans).map(parseSentence),
  };
}

function parseAck(value: unknown): Ack {
  const a = list(value);
  return { cid: str(a[0]), id: str(a[1]), fate: oneOf(fates, a[2], "shown"), reason: str(a[3]) };
}

function parseEvent(f: Dict): ServerFrame | null {
  switch (f.kind) {
    case "session":
      return { op: "session", session: parseSession(f) };
    case "degraded":
      return { op: "degraded", degraded: parseDegraded(f) };
    case "policy":
      return { op: "policy", policy: parsePolicy(f) };
    case "delete":
      return { op: "delete", ids: strings(f.ids), who: str(f.who) };
    case "pin":
      return { op: "pin", pinned: comments(f.pinned)[0] ?? null };
    case "notice":
      return { op: "notice", text: str(f.text) };
    case "mute":
      return { op: "mute", muted: f.muted === true, retryMs: num(f.retry_ms) };
    default:
      return null;
  }
}

/** The frame in `data`, or null when it means nothing to this page. */
export function parseFrame(data: string): ServerFrame | null {
  let f: Dict;
  try {
    f = dict(JSON.parse(data));
  } catch {
    return null;
  }
  switch (f.op) {
    case "welcome":
      return parseWelcome(f);
    case "tick":
      return {
        op: "tick",
        seq: num(f.seq),
        t: num(f.t),
        viewers: num(f.viewers),
        likes: num(f.likes),
        comments: comments(f.c),
        combos: combos(f.k),
        rest: num(f.rest),
      };
    case "local":
      return { op: "local", t: num(f.t), comments: comments(f.c), combos: combos(f.k), rest: num(f.rest) };
    case "acks":
      return { op: "acks", acks: list(f.a).map(parseAck) };
    case "event":
      return parseEvent(f);
    case "you":
      return { op: "you", you: parseYou(f) };
    case "gap":
      return { op: "gap", from: num(f.from), to: num(f.to) };
    case "reset":
      return { op: "reset", epoch: str(f.epoch), seq: num(f.seq) };
    case "error":
      return { op: "error", code: str(f.code), retryMs: num(f.retry_ms), cid: str(f.cid) };
    case "done":
      return { op: "done", cid: str(f.cid) };
    case "rules":
      return { op: "rules", rules: parseRules(f.rules) };
    case "pong":
      return { op: "pong" };
    case "bye":
      return { op: "bye", code: num(f.code), reason: str(f.reason), retryMs: num(f.retry_ms) };
    default:
      return null;
  }
}

export interface Place {
  epoch: string;
  seq: number;
}

export interface Outgoing {
  cid: string;
  text: string;
  mode: Mode;
  color: string;
  pdt: number | null;
}

export function encodeHello(nick: string, token: string, resume: Place | null): string {
  return JSON.stringify({
    op: "hello",
    ...(nick && { nick }),
    ...(token && { token }),
    ...(resume && { resume }),
  });
}

export function encodeSend(o: Outgoing): string {
  return JSON.stringify({
    op: "send",
    cid: o.cid,
    text: o.text,
    mode: o.mode,
    color: o.color,
    ...(o.pdt !== null && { pdt: Math.round(o.pdt) }),
  });
}

/** What a host or a moderator wants. */
export interface Order {
  do: "slow" | "mute" | "unmute" | "ban" | "unban" | "block" | "unblock" | "delete" | "pin" | "unpin" | "notice" | "list";
  who?: string;
  name?: string;
  ids?: string[];
  cidr?: string;
  addr?: boolean;
  seconds?: number;
  show?: boolean;
  words?: string[];
  text?: string;
}

export const encodeOrder = (cid: string, o: Order): string => JSON.stringify({ op: "mod", cid, ...o });
export const encodeNick = (nick: string): string => JSON.stringify({ op: "nick", nick });
export const encodeLike = (n: number): string => JSON.stringify({ op: "like", n });

/** Characters as people and the server count them. */
export const runes = (s: string): number => [...s].length;
