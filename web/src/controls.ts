// The bar under the picture and the keys that do the same.

import { h, icon, show, typing } from "./dom";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import type { Panel } from "./bullets/panel";
import type { Preferences } from "./bullets/settings";
import type { Player } from "./player";
import { settings } from "./storage";

export interface ControlHooks {
  preferences: Preferences;
  panel: Panel;
  comment(): void; // the reader wants to write
}

const idleMs = 2800; // without a move the bar goes away
const behindLimit = 4; // seconds: from here on the bar offers the way back

export class Controls {
  readonly bar: HTMLElement;
  readonly sound: HTMLButtonElement; // the large one
  readonly help: HTMLElement;
  private readonly play: HTMLButtonElement;
  private readonly mute: HTMLButtonElement;
  private readonly volume: HTMLInputElement;
  private readonly bullets: HTMLButtonElement;
  private readonly tune: HTMLButtonElement;
  private readonly live: HTMLButtonElement;
  private readonly liveText: HTMLElement;
  private readonly soundText: HTMLElement;
  private readonly box = settings();
  private idle = 0;
  private blocked = false;

  constructor(
    private readonly stage: HTMLElement,
    private readonly player: Player,
    private readonly speaker: Speaker,
    private readonly hooks: ControlHooks,
  ) {
    this.play = this.button("play", icons.play, "ctl.play", () => this.togglePlay());
    this.mute = this.button("mute", icons.muted, "ctl.unmute", () => this.toggleMute());
    this.bullets = this.button("bullets-toggle", icons.bullets, "ctl.bullets.off", () => this.toggleBullets());
    this.tune = this.button("bullets-tune", icons.tune, "ctl.tune", () => hooks.panel.toggle(this.tune));
    this.tune.setAttribute("aria-expanded", "false");
    hooks.preferences.follow(() => this.refresh());
    this.volume = h("input", { type: "range", class: "volume", min: 0, max: 1, step: 0.05, testid: "volume" });
    this.liveText = h("span");
    this.live = h("button", { class: "live-button", type: "button", testid: "go-live" }, h("i", { class: "dot" }), this.liveText);
    this.soundText = h("span");
    this.sound = h("button", { class: "sound-button", type: "button", testid: "unmute", hidden: true }, icon(...icons.muted), this.soundText);
    this.help = this.helpPanel();
    this.bar = this.assemble();
    this.listen();
    this.setVolume(Number(this.box.get("volume") ?? 0.9));
    this.refresh();
  }

  /** The browser wants a tap before it plays. */
  set tapNeeded(blocked: boolean) {
    this.blocked = blocked;
    this.refresh();
  }

  refresh(): void {
    const { video } = this.player;
    const silent = video.muted || video.volume === 0;
    swap(this.play, video.paused ? icons.play : icons.pause);
    this.speaker.label(this.play, video.paused ? "ctl.play" : "ctl.pause");
    swap(this.mute, silent ? icons.muted : icons.sound);
    this.speaker.label(this.mute, silent ? "ctl.unmute" : "ctl.mute");
    const { on } = this.hooks.preferences.value;
    swap(this.bullets, on ? icons.bullets : icons.bulletsOff);
    this.speaker.label(this.bullets, on ? "ctl.bullets.off" : "ctl.bullets.on");
    this.bullets.setAttribute("aria-pressed", String(on));
    this.volume.value = String(video.muted ? 0 : video.volume);
    const playing = video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
    show(this.sound, this.blocked || (playing && video.muted));
    this.speaker.say(this.soundText, this.blocked ? "ctl.start" : "ctl.sound");
    this.refreshLive();
  }

  /** Called once a second. */
  refreshLive(): void {
    const behind = this.player.behind();
    const late = behind > behindLimit;
    this.live.classList.toggle("late", late);
    if (late) this.speaker.say(this.liveText, "ctl.behind", { n: Math.round(behind) });
    else this.speaker.say(this.liveText, "ctl.live");
    this.speaker.label(this.live, "ctl.golive");
  }

  private button(testid: string, paths: readonly string[], label: Key, act: () => void): HTMLButtonElement {
    const b = h("button", { class: "ctl", type: "button", testid }, icon(...paths));
    this.speaker.label(b, label);
    b.addEventListener("click", act);
    return b;
  }

  private assemble(): HTMLElement {
    const full = this.button("fullscreen", icons.full, "ctl.fullscreen", () => this.fullscreen());
    const keys = this.button("keys", icons.keys, "ctl.keys", () => show(this.help, this.help.hidden));
    keys.classList.add("wide-only");
    this.speaker.say(this.volume, "ctl.volume", {}, "aria-label");
    return h("div", { class: "bar", testid: "controls" }, this.play, this.mute, this.volume, this.live,
      h("span", { class: "spring" }), this.bullets, this.tune, keys, full);
  }

  private helpPanel(): HTMLElement {
    const rows: [string, Key][] = [
      ["Space", "keys.space"], ["M", "keys.m"], ["B", "keys.b"], ["D", "keys.d"], ["F", "keys.f"], ["C", "keys.c"], ["Esc", "keys.esc"],
    ];
    const list = h("dl");
    for (const [key, words] of rows) list.append(h("dt", {}, h("kbd", {}, key)), this.speaker.say(h("dd"), words));
    return h("div", { class: "keys-help", testid: "keys-help", hidden: true }, this.speaker.say(h("h3"), "keys.title"), list);
  }

  private listen(): void {
    const { video } = this.player;
    for (const type of ["play", "pause", "volumechange", "loadeddata", "playing"]) {
      video.addEventListener(type, () => this.refresh());
    }
    this.volume.addEventListener("input", () => {
      this.setVolume(Number(this.volume.value));
      video.muted = video.volume === 0;
    });
    this.sound.addEventListener("click", () => {
      if (this.blocked) this.player.play();
      else this.toggleMute();
    });
    this.live.addEventListener("click", () => this.player.goLive());
    video.addEventListener("click", () => this.wake());
    video.addEventListener("dblclick", () => this.fullscreen());
    for (const type of ["pointermove", "pointerdown", "focusin"]) this.stage.addEventListener(type, () => this.wake());
    this.stage.addEventListener("pointerleave", () => this.stage.classList.remove("awake"));
    document.addEventListener("keydown", (e) => this.key(e));
    this.wake();
  }

  private wake(): void {
    this.stage.classList.add("awake");
    clearTimeout(this.idle);
    this.idle = window.setTimeout(() => this.stage.classList.remove("awake"), idleMs);
  }

  private key(e: KeyboardEvent): void {
    if (typing(e.target) || e.ctrlKey || e.metaKey || e.altKey) return;
    const onButton = e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement;
    const act = this.actions[e.key.toLowerCase()];
    if (!act || (e.key === " " && onButton)) return; // space presses the button it stands on
    e.preventDefault();
    act();
    this.wake();
  }

  private readonly actions: Record<string, () => void> = {
    " ": () => this.togglePlay(),
    m: () => this.toggleMute(),
    b: () => this.toggleBullets(),
    d: () => this.hooks.panel.toggle(this.tune),
    f: () => this.fullscreen(),
    c: () => this.hooks.comment(),
    "?": () => show(this.help, this.help.hidden),
    escape: () => {
      show(this.help, false);
      this.hooks.panel.close();
    },
  };

  private togglePlay(): void {
    if (this.player.video.paused) this.player.play();
    else this.player.pause();
  }

  private toggleMute(): void {
    const { video } = this.player;
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) this.setVolume(0.9);
    if (!video.muted) this.player.play();
  }

  private toggleBullets(): void {
    const { preferences } = this.hooks;
    preferences.set({ on: !preferences.value.on });
  }

  private setVolume(v: number): void {
    this.player.video.volume = Math.min(1, Math.max(0, Number.isFinite(v) ? v : 0.9));
    if (v > 0) this.box.set("volume", String(v));
  }

  private fullscreen(): void {
    if (document.fullscreenElement) {
      void document.exitFullscreen();
      return;
    }
    const phone = this.player.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (this.stage.requestFullscreen) void this.stage.requestFullscreen().catch(() => undefined);
    else phone.webkitEnterFullscreen?.(); // iPhone: only the picture itself can fill the screen
  }
}

function swap(button: HTMLElement, paths: readonly string[]): void {
  const drawn = paths.join("");
  if (button.dataset.icon === drawn) return;
  button.dataset.icon = drawn;
  button.querySelector("svg")?.replaceWith(icon(...paths));
}
