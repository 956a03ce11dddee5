// The stage: picture, bullets, the sentence that stands in for the picture,
// controls. It follows what is known of the room and needs nobody's help.

import type { Phase } from "./api";
import { Bullets } from "./bullets/engine";
import { addressOf, type PageConfig } from "./config";
import { Controls } from "./controls";
import { h, show } from "./dom";
import type { Key, Speaker } from "./i18n";
import { Player } from "./player";
import { playable, screenOf, type Picture, type Screen } from "./screen";

export interface StageHooks {
  comment(): void;
  screen(s: Screen): void;
}

/** What the stage follows. */
export interface RoomNews {
  phase: Phase;
  epoch: string;
  hls: string;
}

export class Stage {
  readonly root: HTMLElement;
  readonly player: Player;
  readonly bullets: Bullets;
  screen: Screen = "connecting";
  private readonly controls: Controls;
  private readonly title = h("p", { class: "sign-title", testid: "screen-title" });
  private readonly more = h("p", { class: "sign-more", testid: "screen-more" });
  private readonly sign: HTMLElement;
  private phase: Phase | null = null;
  private reachable = true;
  private picture: Picture = "none";
  private epoch = "";

  constructor(
    private readonly config: PageConfig,
    private readonly speaker: Speaker,
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
    this.controls = new Controls(this.root, this.player, speaker, {
      bullets: (on) => (this.bullets.enabled = on),
      comment: () => hooks.comment(),
    });
    this.root.append(this.controls.sound, this.controls.help, this.controls.bar);
    this.bullets = new Bullets(layer, { playhead: () => this.player.playhead() });
    this.bullets.enabled = this.controls.bulletsOn;
    setInterval(() => this.beat(), 1000);
    this.refresh();
  }

  /** News of the room, from the API or from chat. */
  follow(news: RoomNews): void {
    this.reachable = true;
    this.phase = news.phase;
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
    this.bullets.paused = p === "paused";
    this.refresh();
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
