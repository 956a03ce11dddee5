// The stage: picture, bullets, the sentence that stands in for the picture,
// controls. It follows what is known of the room and needs nobody's help.

import type { Phase } from "./api";
import { Bullets } from "./bullets/engine";
import type { Exchange } from "./clock";
import { Panel } from "./bullets/panel";
import type { Preferences } from "./bullets/settings";
import type { Reading } from "./bullets/timeline";
import { addressOf, type PageConfig } from "./config";
import { Controls } from "./controls";
import { h, show } from "./dom";
import { Hearts } from "./hearts";
import type { Key, Speaker } from "./i18n";
import { Player } from "./player";
import { playable, screenOf, type Picture, type Screen } from "./screen";
import { Steering } from "./steering";
import { settings } from "./storage";

export interface StageHooks {
  comment(): void;
  screen(s: Screen): void;
}

/** What the stage follows. */
export interface RoomNews {
  phase: Phase;
  epoch: string;
  hls: string;
  latency: number;
  exchange: Exchange | null;
}

export class Stage {
  readonly root: HTMLElement;
  readonly player: Player;
  readonly bullets: Bullets;
  readonly steering: Steering;
  readonly hearts = new Hearts();
  screen: Screen = "connecting";
  private readonly controls: Controls;
  private readonly title = h("p", { class: "sign-title", testid: "screen-title" });
  private readonly more = h("p", { class: "sign-more", testid: "screen-more" });
  private readonly sign: HTMLElement;
  private phase: Phase | null = null;
  private reachable = true;
  private picture: Picture = "none";
  private epoch = "";
  private held: number | null = null; // where the picture was last

  constructor(
    private readonly config: PageConfig,
    private readonly speaker: Speaker,
    preferences: Preferences,
    private readonly hooks: StageHooks,
  ) {
    const video = h("video", { playsinline: true, muted: true, testid: "video", disableremoteplayback: true });
    video.muted = true; // the attribute alone does not count for elements made by script
    speaker.say(video, "stage.label", { room: config.room }, "aria-label");
    video.addEventListener("resize", () =>
      this.root.style.setProperty("--picture-ratio", String(video.videoWidth / video.videoHeight || 16 / 9)));
    const layer = h("div", { class: "bullets", testid: "bullets", "aria-hidden": "true" });
    this.sign = h("div", { class: "sign", testid: "screen", role: "status" }, h("i", { class: "spinner" }), this.title, this.more);
    this.root = h("div", { class: "stage", testid: "stage" }, h("div", { class: "aurora" }), video, this.sign, layer);
    this.player = new Player(video, { picture: (p) => this.moved(p), blocked: (b) => (this.controls.tapNeeded = b) });
    this.steering = new Steering(this.player, settings());
    const panel = new Panel(speaker, preferences);
    this.controls = new Controls(this.root, this.player, speaker, {
      preferences, panel, steering: this.steering, comment: () => hooks.comment(),
    });
    this.root.append(this.hearts.root, this.controls.sound, this.controls.help, this.controls.bar, panel.sheet.root, this.controls.sheet);
    this.bullets = new Bullets(layer, { video, preferences, reading: () => this.reading() });
    setInterval(() => this.beat(), 1000);
    this.refresh();
  }

  /** News of the room, from the API or from chat. */
  follow(news: RoomNews): void {
    this.reachable = true;
    this.phase = news.phase;
    this.steering.hear(news);
    if (playable(news.phase)) this.ensure(news);
    else if (this.picture === "loading" || this.picture === "stalled") this.player.unload();
    this.refresh();
  }

  /** The server did not answer. What plays goes on playing. */
  lost(): void {
    this.reachable = false;
    this.refresh();
  }

  private beat(): void {
    this.player.keepUp();
    this.controls.refreshLive();
  }

  /** Loads what is not loaded, and what has been numbered anew. */
  private ensure(news: RoomNews): void {
    if (!this.player.supported) return;
    const anew = news.epoch !== "" && this.epoch !== "" && news.epoch !== this.epoch;
    const over = this.picture === "ended" && news.phase === "live";
    if (this.player.loaded && !anew && !over) return;
    if (news.epoch !== "") this.epoch = news.epoch;
    this.player.load(addressOf(news.hls, this.config.hlsUrl));
  }

  private moved(p: Picture): void {
    this.picture = p;
    this.bullets.wake();
    this.refresh();
  }

  /** Where the picture is, for the bullets, and how fast it moves. */
  private reading(): Reading {
    const { video } = this.player;
    const at = this.player.playhead();
    if (at !== null) {
      this.held = at;
      const moves = !video.paused && !video.seeking && video.readyState > HTMLMediaElement.HAVE_CURRENT_DATA;
      return { at, rate: moves ? video.playbackRate : 0 };
    }
    if (this.held !== null && this.comesBack()) return { at: this.held, rate: 0 };
    this.held = null;
    return { at: null, rate: 1 };
  }

  /** Whether a picture that cannot be asked only waits for data: then bullets wait with it. */
  private comesBack(): boolean {
    if (this.player.video.seeking) return true;
    return this.phase === "live" && this.picture !== "none" && this.picture !== "ended";
  }

  private refresh(): void {
    const screen = screenOf({
      phase: this.phase, reachable: this.reachable, picture: this.picture, supported: this.player.supported,
    });
    this.root.dataset.screen = screen;
    this.root.dataset.picture = this.picture;
    this.speaker.say(this.title, `screen.${screen}` satisfies Key);
    const more: Key = `screen.${screen}.more`;
    this.speaker.say(this.more, more);
    show(this.more, this.speaker.t(more) !== "");
    show(this.sign, screen !== "live");
    if (screen !== this.screen) {
      this.screen = screen;
      this.hooks.screen(screen);
    }
  }
}
