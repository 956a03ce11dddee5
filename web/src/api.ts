// The JSON API of the media role, read with suspicion: a field of the wrong
// type becomes its empty value, never an exception in the middle of a page.

export type Phase = "offline" | "starting" | "live" | "away" | "ended";

export interface Room {
  room: string;
  phase: Phase;
  session: string;
  epoch: string;
  since: number; // ms since the Unix epoch; 0 = unknown
  now: number; // the server's clock, ms since the Unix epoch
  pdtNow: number; // program date time at now; 0 = unknown
  latency: number; // ms behind it at which the room watches; 0 = unknown
  players: number;
  hls: string; // path or address of the multivariant playlist
  title: string; // "" = none
  tags: string[];
  language: string; // as in RFC 5646; "" = unknown
}

/** What the host says of a room. */
export type RoomCard = Pick<Room, "title" | "tags" | "language">;

export interface Video {
  codec: string;
  width: number;
  height: number;
  fps: number;
  gopSeconds: number;
}

export interface Audio {
  codec: string;
  sampleRate: number;
  channels: number;
}

export type Severity = "info" | "warning" | "critical";

export interface Warning {
  code: string;
  severity: Severity;
  value: number; // in the code's own unit
}

export interface Ingest {
  connected: boolean;
  connectedAt: number;
  client: string;
  remote: string;
  bitrate: number; // bits per second
  video: Video | null;
  audio: Audio | null;
  avDrift: number; // milliseconds that sound is ahead of the picture
  lag: number; // milliseconds behind real time
  rtt: number; // milliseconds; 0 = not measured
  reconnects: number; // within this broadcast
  warnings: Warning[];
  refused: string; // why the last attempt to publish failed, while nobody does; in the server's words
}

export interface Publish {
  servers: string[];
  key: string;
}

/** An answer that is not 2xx. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message = `${status} ${code}`,
  ) {
    super(message);
  }
}

type Dict = Record<string, unknown>;

const dict = (v: unknown): Dict => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Dict) : {});
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
const text = (v: unknown): string => (typeof v === "string" ? v : "");
const number = (v: unknown): number => (typeof v === "number" && Number.isFinite(v) ? v : 0);

const phases: readonly string[] = ["offline", "starting", "live", "away", "ended"];

export function parsePhase(v: unknown): Phase {
  return typeof v === "string" && phases.includes(v) ? (v as Phase) : "offline";
}

export function parseRoom(value: unknown): Room {
  const v = dict(value);
  const room = text(v.room);
  return {
    room,
    phase: parsePhase(v.phase),
    session: text(v.session),
    epoch: text(v.epoch),
    since: number(v.since),
    now: number(v.now),
    pdtNow: number(v.pdt_now),
    latency: number(v.latency),
    players: number(v.players),
    hls: text(v.hls) || `/hls/${room}/index.m3u8`,
    title: text(v.title),
    tags: list(v.tags).map(text).filter((t) => t !== ""),
    language: text(v.language),
  };
}

export function parseRooms(value: unknown): Room[] {
  return list(dict(value).rooms).map(parseRoom).filter((r) => r.room !== "");
}

/** Viewers by room, from the chat role's list. */
export function parseViewers(value: unknown): Map<string, number> {
  const rows = list(dict(value).rooms).map(dict);
  return new Map(rows.map((r) => [text(r.room), number(r.viewers)]));
}

export function parseIngest(value: unknown): Ingest {
  const v = dict(value);
  return {
    connected: v.connected === true,
    connectedAt: number(v.connected_at),
    client: text(v.client),
    remote: text(v.remote),
    bitrate: number(v.bitrate),
    video: parseVideo(v.video),
    audio: parseAudio(v.audio),
    avDrift: number(v.av_drift_ms),
    lag: number(v.lag_ms),
    rtt: number(v.rtt_ms),
    reconnects: number(v.reconnects),
    warnings: list(v.warnings).map(parseWarning).filter((w) => w.code !== ""),
    refused: text(dict(v.refused).reason),
  };
}

function parseWarning(value: unknown): Warning {
  const v = dict(value);
  const severity = v.severity === "info" || v.severity === "critical" ? v.severity : "warning";
  return { code: text(v.code), severity, value: number(v.value) };
}

function parseVideo(value: unknown): Video | null {
  const v = dict(value);
  if (text(v.codec) === "") return null;
  return {
    codec: text(v.codec),
    width: number(v.width),
    height: number(v.height),
    fps: number(v.fps),
    gopSeconds: number(v.gop_seconds),
  };
}

function parseAudio(value: unknown): Audio | null {
  const v = dict(value);
  if (text(v.codec) === "") return null;
  return { codec: text(v.codec), sampleRate: number(v.sample_rate), channels: number(v.channels) };
}

export function parsePublish(value: unknown): Publish {
  const v = dict(value);
  return { servers: list(v.servers).map(text).filter((s) => s !== ""), key: text(v.key) };
}

const requestTimeout = 8000;

async function fetchJSON(url: string, token = "", change: RequestInit = {}): Promise<unknown> {
  const headers: Record<string, string> = {}; // none without a token, or the page's preload would be no use
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(url, { ...change, headers, cache: "no-store", signal: AbortSignal.timeout(requestTimeout) });
  if (!response.ok) {
    const { code, message } = dict(dict(await response.json().catch(() => null)).error);
    throw new ApiError(response.status, text(code), text(message) || undefined);
  }
  return response.json();
}

const roomPath = (room: string): string => `/api/v1/rooms/${encodeURIComponent(room)}`;

export const fetchRooms = async (): Promise<Room[]> => parseRooms(await fetchJSON("/api/v1/rooms"));
export const fetchRoom = async (room: string): Promise<Room> => parseRoom(await fetchJSON(roomPath(room)));
export const putRoom = async (room: string, token: string, card: RoomCard): Promise<Room> =>
  parseRoom(await fetchJSON(roomPath(room), token, { method: "PUT", body: JSON.stringify(card) }));
export const fetchViewers = async (url: string): Promise<Map<string, number>> => parseViewers(await fetchJSON(url));
export const fetchIngest = async (room: string, token: string): Promise<Ingest> =>
  parseIngest(await fetchJSON(`${roomPath(room)}/ingest`, token));
export const fetchPublish = async (room: string, token: string): Promise<Publish> =>
  parsePublish(await fetchJSON(`${roomPath(room)}/publish`, token));
