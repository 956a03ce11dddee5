// The picture: hls.js, or the native player on Apple's engine. It loads one
// source, recovers from what it can, loads it again after what it cannot, and
// never asks for the page to be reloaded.

import Hls, { type ErrorData, type HlsConfig, type LevelDetails } from "hls.js";
import { Backoff } from "./backoff";
import { sameOrigin } from "./config";
import { locate, type Moment } from "./moment";
import type { Picture } from "./screen";

export interface PlayerStats {
  latency: number | null; // seconds behind the live edge
  targetLatency: number | null;
  lowLatency: boolean; // the playlist offers parts and hls.js uses them
  partsLoaded: number;
  fatalErrors: number;
  errors: string[]; // details of the last fatal ones
  reloads: number;
}

export interface PlayerEvents {
  picture(p: Picture): void;
  blocked(blocked: boolean): void; // the browser wants a tap before it plays
}

const astray = 1.5; // seconds from where a link points
const stallMs = 1500; // from here on a stall is the stream's, not a hiccup
const maxErrors = 20;
const maxResumes = 6; // in a row without a fragment; then the source is loaded anew
const tooFarBehind = 7; // seconds: beyond the range in which hls.js plays faster to catch up
const jumpEvery = 15_000; // ms: a machine that cannot keep up must not jump all the time
const catchUp = 1.05; // how fast hls.js plays at most when the page does not steer; nobody hears it
const atLive = 1.5; // seconds from the live picture: whoever goes there wants it

/** Apple's engine plays HLS better itself; Chromium's answer to canPlayType is no reason to prefer it. */
function prefersNative(video: HTMLVideoElement): boolean {
  return navigator.vendor.startsWith("Apple") && video.canPlayType("application/vnd.apple.mpegurl") !== "";
}

interface DatedVideo {
  getStartDate?: () => Date; // WebKit: program date time of position 0
}

export class Player {
  readonly supported: boolean;
  readonly stats: PlayerStats = {
    latency: null,
    targetLatency: null,
    lowLatency: false,
    partsLoaded: 0,
    fatalErrors: 0,
    errors: [],
    reloads: 0,
  };
  /** Where the room is, in the player's time; null = whatever the player chooses itself. */
  aim: () => number | null = () => null;
  private readonly native: boolean;
  private readonly session = `barrage-${sessionId()}`;
  private readonly backoff = new Backoff({ first: 700, max: 6000 });
  private hls: Hls | null = null;
  private url = "";
  private retry = 0;
  private stall = 0;
  private stalled = false;
  private lastRecovery = 0;
  private resumes = 0;
  private lastJump = 0;
  private followsLive = true; // until the viewer pauses: then falling behind is what they want
  private steered = false;
  private picture: Picture = "none";
  private wish: { pdt: number; told: (m: Moment) => void } | null = null;
  private goal: number | null = null; // where the picture is to begin, in the player's time
  private seen = false; // this source has moved once

  constructor(
    readonly video: HTMLVideoElement,
    private readonly events: PlayerEvents,
  ) {
    this.native = prefersNative(video);
    this.supported = this.native || Hls.isSupported();
    this.listen();
  }

  get loaded(): boolean {
    return this.url !== "";
  }

  /** Loads `url`, also when it is loaded already: a new stream epoch lives at the same address. */
  load(url: string): void {
    this.drop();
    this.url = url;
    this.followsLive = true;
    this.set(this.seen ? "stalled" : "loading");
    if (this.native) this.video.src = url;
    else this.attach(url);
    this.play();
  }

  /** The next source begins at the moment `pdt`, if that is on offer; `told` hears what came of it. */
  beginAt(pdt: number, told: (m: Moment) => void): void {
    this.wish = { pdt, told };
  }

  unload(): void {
    this.drop();
    this.url = "";
    this.seen = false;
    this.video.removeAttribute("src");
    this.video.load();
    this.set("none");
  }

  /** Plays; a browser that forbids it is asked again without sound, then the viewer is. */
  play(): void {
    this.video.play().then(
      () => this.events.blocked(false),
      (e: unknown) => {
        if (e instanceof DOMException && e.name === "NotAllowedError") this.events.blocked(true);
      },
    );
  }

  /** Program date time under the playhead in ms; null when no picture moves there. */
  playhead(): number | null {
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || this.stalled || this.picture === "ended") {
      return null;
    }
    const date = this.native ? this.nativeDate() : (this.hls?.playingDate?.getTime() ?? NaN);
    return Number.isFinite(date) ? date : null;
  }

  /** Seconds behind the newest moment the player would choose by itself; 0 = live. */
  behind(): number {
    const live = this.livePosition();
    return live === null ? 0 : Math.max(0, live - this.video.currentTime);
  }

  /** Jumps forward when stalls, not the viewer, have left the picture far behind. Called once a second. */
  keepUp(): void {
    const now = performance.now();
    if (this.steered || !this.followsLive || this.picture !== "moving" || this.behind() < tooFarBehind) return;
    if (now - this.lastJump < jumpEvery) return;
    this.lastJump = now;
    this.goLive();
  }

  /** Whether the viewer wants what is live, and gets it. */
  get follows(): boolean {
    return this.followsLive && this.picture === "moving" && !this.video.seeking;
  }

  /** Seconds that can be played without the network. */
  get buffer(): number {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime + 0.1 && buffered.end(i) > currentTime) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  /** Whether there is more to play than came here: an empty buffer is then this network's doing. */
  get starved(): boolean {
    const details = this.hls?.latestLevelDetails;
    return !!details && (details.edge - this.video.currentTime > this.buffer + 0.3 || details.age > 4);
  }

  /** Plays at `rate`; null leaves catching up to hls.js. */
  steer(rate: number | null): void {
    const steered = rate !== null;
    if (this.hls) this.hls.config.maxLiveSyncPlaybackRate = steered ? 1 : catchUp;
    if (steered || this.steered) this.video.playbackRate = rate ?? 1;
    this.steered = steered;
  }

  /** Moves the picture by so many seconds, within what is on offer. */
  hop(seconds: number): void {
    const [from, to] = this.range() ?? [0, Infinity];
    this.video.currentTime = Math.min(to, Math.max(from, this.video.currentTime + seconds));
  }

  /** What can be watched now, in the player's time: from the oldest picture to the live one. */
  range(): [number, number] | null {
    const { seekable } = this.video;
    const live = this.livePosition();
    return seekable.length === 0 || live === null ? null : [Math.min(seekable.start(0), live), live];
  }

  /** The viewer goes to `at`. */
  seek(at: number): void {
    const range = this.range();
    if (!range) return;
    if (at > range[1] - atLive) {
      this.goLive();
      return;
    }
    this.followsLive = false;
    this.video.currentTime = Math.max(at, range[0]);
  }

  pause(): void {
    this.followsLive = false;
    this.video.pause();
  }

  goLive(): void {
    this.followsLive = true;
    const live = this.livePosition();
    if (live !== null) this.video.currentTime = live;
    this.play();
  }

  /** Brings stats up to date; called by whoever shows them. */
  measure(): PlayerStats {
    this.stats.latency = this.hls && this.hls.latency > 0 ? this.hls.latency : null;
    this.stats.targetLatency = this.hls?.targetLatency ?? null;
    return this.stats;
  }

  /** What can be chosen: lines of picture and pictures a second; "" = unknown. */
  get qualities(): string[] {
    return (this.hls?.levels ?? []).map((l) => quality(l.height, l.frameRate, l.bitrate));
  }

  /** What plays, and whether the player chose it. */
  get quality(): { name: string; index: number; auto: boolean } {
    const index = this.hls?.currentLevel ?? -1;
    const level = this.hls?.levels[index];
    return {
      name: quality(this.video.videoHeight, level?.frameRate ?? 0, level?.bitrate ?? 0), index, auto: this.hls?.autoLevelEnabled ?? true,
    };
  }

  /** Plays quality `index` from the next segment on; −1 lets the player choose. */
  choose(index: number): void {
    if (this.hls) this.hls.nextLevel = index;
  }

  private livePosition(): number | null {
    const aim = this.aim();
    if (aim !== null) return Math.min(aim, (this.hls?.latestLevelDetails?.edge ?? Infinity) - 0.3);
    if (this.hls) return this.hls.liveSyncPosition;
    const { seekable } = this.video;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  }

  private nativeDate(): number {
    const start = (this.video as HTMLVideoElement & DatedVideo).getStartDate?.().getTime() ?? NaN;
    return start + this.video.currentTime * 1000;
  }

  private attach(url: string): void {
    const hls = new Hls(this.config(url));
    this.hls = hls;
    hls.on(Hls.Events.ERROR, (_, data) => this.failed(hls, data));
    hls.on(Hls.Events.FRAG_LOADED, (_, data) => {
      if (data.part) this.stats.partsLoaded++;
      this.backoff.reset();
      this.resumes = 0;
    });
    hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
      this.begin(hls, details);
      this.stats.lowLatency = hls.lowLatencyMode && (details.partList?.length ?? 0) > 0;
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  private begin(hls: Hls, details: LevelDetails): void {
    if (!this.wish) return;
    const at = locate(this.wish.pdt, details.fragments, details.edge);
    this.granted(at);
    if (typeof at !== "number") return;
    this.goal = at;
    hls.startLoad(at); // before the first segment: nobody sees the live picture first
  }

  /** A segment of the live edge that was under way already may have come before the one of the link. */
  private arrive(): void {
    const at = this.goal;
    this.goal = null;
    if (at !== null && Math.abs(this.video.currentTime - at) > astray) this.video.currentTime = at;
  }

  /** Apple's player cannot be told where to begin, only where to go. */
  private beginNative(): void {
    const { seekable } = this.video;
    if (!this.wish || seekable.length === 0) return;
    const [start, end] = [seekable.start(0), seekable.end(seekable.length - 1)];
    const programDateTime = this.nativeDate() - (this.video.currentTime - start) * 1000;
    if (!Number.isFinite(programDateTime)) return;
    const at = locate(this.wish.pdt, [{ start, duration: end - start, programDateTime }], end);
    this.granted(at);
    if (typeof at === "number") this.video.currentTime = at;
  }

  private granted(at: number | Exclude<Moment, "there">): void {
    const there = typeof at === "number";
    if (there) this.followsLive = false;
    this.wish?.told(there ? "there" : at);
    this.wish = null;
  }

  private config(url: string): Partial<HlsConfig> {
    return {
      lowLatencyMode: true,
      enableWorker: false, // fMP4 passes through; a worker would need blob: in the policy
      backBufferLength: 30,
      maxLiveSyncPlaybackRate: this.steered ? 1 : catchUp,
      // Marks this page's requests, so that the server does not count a viewer
      // twice. Custom headers to another origin would cost a preflight per segment.
      ...(sameOrigin(url) && { cmcd: { sessionId: this.session, useHeaders: true, includeKeys: ["sid"] } }),
    };
  }

  private failed(hls: Hls, data: ErrorData): void {
    if (!data.fatal || hls !== this.hls) return;
    this.stats.fatalErrors++;
    this.stats.errors = [...this.stats.errors, data.details].slice(-maxErrors);
    const now = performance.now();
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && now - this.lastRecovery > 5000) {
      this.lastRecovery = now;
      hls.recoverMediaError();
      return;
    }
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR && this.seen && this.resumes < maxResumes) this.resume(hls);
    else this.again();
  }

  /** The network failed, the picture did not: keep what is buffered and ask on. */
  private resume(hls: Hls): void {
    this.resumes++;
    clearTimeout(this.retry);
    this.retry = window.setTimeout(() => {
      if (hls === this.hls) hls.startLoad();
    }, this.backoff.next(300));
  }

  /** The source is beyond repair: load it anew after a while, and again until it works. */
  private again(): void {
    const { url } = this;
    this.drop();
    if (!url) return;
    this.set("stalled");
    this.stalled = true;
    this.stats.reloads++;
    this.retry = window.setTimeout(() => {
      if (this.url === url) this.load(url);
    }, this.backoff.next(300));
  }

  private drop(): void {
    clearTimeout(this.retry);
    clearTimeout(this.stall);
    this.stalled = false;
    this.resumes = 0;
    this.hls?.destroy();
    this.hls = null;
  }

  private listen(): void {
    const { video } = this;
    const on = (type: string, f: () => void): void => video.addEventListener(type, f);
    on("playing", () => this.moves());
    on("timeupdate", () => {
      if (!video.paused && this.picture !== "moving" && video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA) this.moves();
    });
    on("pause", () => {
      if (!video.ended && this.picture === "moving") this.set("paused");
    });
    on("waiting", () => this.waits());
    on("ended", () => this.set("ended"));
    on("error", () => {
      if (this.native && this.url) {
        this.stats.fatalErrors++;
        this.again();
      }
    });
  }

  private moves(): void {
    clearTimeout(this.stall);
    this.stalled = false;
    this.seen = true;
    if (this.native) this.beginNative();
    this.arrive();
    this.set("moving");
  }

  private waits(): void {
    if (this.picture === "none" || this.picture === "loading") return;
    clearTimeout(this.stall);
    this.stall = window.setTimeout(() => {
      this.stalled = true;
      this.set("stalled");
    }, stallMs);
  }

  private set(p: Picture): void {
    if (p === this.picture) return;
    this.picture = p;
    this.events.picture(p);
  }
}

function quality(height: number, fps: number, bitrate: number): string {
  if (height > 0) return `${height}p${fps >= 49 ? Math.round(fps) : ""}`;
  return bitrate > 0 ? `${Math.round(bitrate / 1000)} kb/s` : "";
}

/** crypto.randomUUID exists only on HTTPS and localhost; a home network has neither. */
function sessionId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40; // RFC 9562: version 4
  bytes[8] = (bytes[8]! & 0x3f) | 0x80; // and its variant
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
