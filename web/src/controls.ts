// The bar under the picture and the keys that do the same.

import { h, icon, show, typing } from "./dom";
import { seconds } from "./format";
import { Fullscreen } from "./fullscreen";
import type { Key, Speaker } from "./i18n";
import { icons } from "./icons";
import type { Panel } from "./bullets/panel";
import type { Preferences } from "./bullets/settings";
import type { Player } from "./player";
import { Seekbar } from "./seekbar";
import type { Steering } from "./steering";
import { settings } from "./storage";
import { behindLive, Viewing } from "./viewing";

export interface ControlHooks {
  preferences: Preferences;
  panel: Panel;
  steering: Steering;
  comment(): void; // the reader wants to write
}

const idleMs = 2800; // without a move the bar goes away
const seekStep = 5; // seconds
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
  private readonly view: HTMLButtonElement;
  private readonly pip: HTMLButtonElement;
  private readonly full: HTMLButtonElement;
  private readonly keys: HTMLButtonElement;
  private readonly seekbar: Seekbar;
  private readonly viewing: Viewing;
  private readonly fullscreen: Fullscreen;
  private readonly live: HTMLButtonElement;
  private readonly liveText: HTMLElement;
  private readonly latency = h("span", { class: "latency", testid: "live-latency" });
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
    this.tune = this.button("bullets-tune", icons.tune, "ctl.tune", () => this.openBullets());
    this.view = this.button("view", icons.gear, "ctl.view", () => this.openViewing());
    for (const b of [this.tune, this.view]) b.setAttribute("aria-expanded", "false");
    this.pip = this.button("pip", icons.pip, "ctl.pip", () => this.pictureInPicture());
    this.full = this.button("fullscreen", icons.full, "ctl.fullscreen", () => this.fullscreen.toggle());
    this.keys = this.button("keys", icons.keys, "ctl.keys", () => this.showHelp(this.help.hidden));
    this.fullscreen = new Fullscreen(stage);
    this.seekbar = new Seekbar(speaker, player);
    this.viewing = new Viewing(speaker, player, hooks.steering);
    hooks.preferences.follow(() => this.refresh());
    this.volume = h("input", { type: "range", class: "volume", min: 0, max: 1, step: 0.05, testid: "volume" });
    this.liveText = h("span");
    this.live = h("button", { class: "live-button", type: "button", testid: "go-live" }, h("i", { class: "dot" }), this.liveText, this.latency);
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

  /** The panel that says how this page plays. */
  get sheet(): HTMLElement {
    return this.viewing.sheet.root;
  }

  /** Called once a second. */
  refreshLive(): void {
    const { steering } = this.hooks;
    const behind = this.player.behind();
    const apart = steering.union === "apart";
    const late = behind > behindLimit || apart;
    this.live.classList.toggle("late", late);
    this.live.classList.toggle("together", steering.union === "together" && !late);
    const n = apart ? seconds(steering.late ?? 0) : String(Math.round(behind));
    if (late) this.speaker.say(this.liveText, "ctl.behind", { n });
    else this.speaker.say(this.liveText, "ctl.live");
    const old = late ? null : behindLive(steering, this.player);
    this.latency.textContent = old === null ? "" : this.speaker.t("view.seconds", { n: seconds(old) });
    this.speaker.say(this.live, apart ? "ctl.apart" : "ctl.golive", {}, "title");
    if (this.viewing.sheet.open) this.viewing.refresh();
    this.seekbar.refresh();
  }

  private button(testid: string, paths: readonly string[], label: Key, act: () => void): HTMLButtonElement {
    const b = h("button", { class: "ctl", type: "button", testid }, icon(...paths));
    this.speaker.label(b, label);
    b.addEventListener("click", act);
    return b;
  }

  private assemble(): HTMLElement {
    this.keys.classList.add("wide-only");
    this.keys.setAttribute("aria-expanded", "false");
    show(this.pip, document.pictureInPictureEnabled === true);
    this.speaker.say(this.volume, "ctl.volume", {}, "aria-label");
    return h("div", { class: "bar", testid: "controls" }, this.seekbar.root,
      h("div", { class: "bar-row" }, this.play, this.mute, this.volume, this.live,
        h("span", { class: "spring" }), this.bullets, this.tune, this.view, this.pip, this.keys, this.full));
  }

  private helpPanel(): HTMLElement {
    const rows: [string, Key][] = [
      ["Space", "keys.space"], ["←  →", "keys.seek"], ["L", "keys.l"], ["M", "keys.m"], ["↑  ↓", "keys.volume"], ["F", "keys.f"], ["I", "keys.i"],
      ["B", "keys.b"], ["D", "keys.d"], ["S", "keys.s"], ["C", "keys.c"], ["?", "keys.help"], ["Esc", "keys.esc"],
    ];
    const list = h("dl");
    for (const [key, words] of rows) list.append(h("dt", {}, h("kbd", {}, key)), this.speaker.say(h("dd"), words));
    const help = h("div", { class: "keys-help", testid: "keys-help", role: "region", tabindex: 0, hidden: true }, this.speaker.say(h("h2"), "keys.title"), list);
    return this.speaker.say(help, "keys.title", {}, "aria-label");
  }

  private showHelp(wanted: boolean): void {
    show(this.help, wanted);
    this.keys.setAttribute("aria-expanded", String(wanted));
    if (wanted) this.hooks.panel.sheet.close();
    if (wanted) this.viewing.sheet.close();
  }

  /** One panel at a time: they stand in the same place. */
  private openBullets(): void {
    this.showHelp(false);
    this.viewing.sheet.close();
    this.hooks.panel.sheet.toggle(this.tune);
  }

  private openViewing(): void {
    this.showHelp(false);
    this.hooks.panel.sheet.close();
    this.viewing.sheet.toggle(this.view);
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
    video.addEventListener("dblclick", () => this.fullscreen.toggle());
    for (const type of ["timeupdate", "seeked", "progress"]) video.addEventListener(type, () => this.seekbar.refresh());
    video.addEventListener("enterpictureinpicture", () => this.pip.setAttribute("aria-pressed", "true"));
    video.addEventListener("leavepictureinpicture", () => this.pip.setAttribute("aria-pressed", "false"));
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
    if (!act || e.defaultPrevented || (e.key === " " && onButton)) return; // space presses the button it stands on
    e.preventDefault();
    act();
    this.wake();
  }

  private readonly actions: Record<string, () => void> = {
    " ": () => this.togglePlay(),
    m: () => this.toggleMute(),
    b: () => this.toggleBullets(),
    arrowleft: () => this.seekbar.step(-seekStep),
    arrowright: () => this.seekbar.step(seekStep),
    arrowup: () => {
      this.setVolume(this.player.video.volume + 0.1);
      this.player.video.muted = false;
    },
    arrowdown: () => this.setVolume(this.player.video.volume - 0.1),
    l: () => this.player.goLive(),
    i: () => this.pictureInPicture(),
    d: () => this.openBullets(),
    s: () => this.openViewing(),
    f: () => this.fullscreen.toggle(),
    c: () => this.hooks.comment(),
    "?": () => this.showHelp(this.help.hidden),
    escape: () => {
      this.showHelp(false);
      this.hooks.panel.sheet.close();
      this.viewing.sheet.close();
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

  private pictureInPicture(): void {
    if (document.pictureInPictureElement) void document.exitPictureInPicture();
    else if (document.pictureInPictureEnabled) void this.player.video.requestPictureInPicture().catch(() => undefined); // before the first picture
  }
}

function swap(button: HTMLElement, paths: readonly string[]): void {
  const drawn = paths.join("");
  if (button.dataset.icon === drawn) return;
  button.dataset.icon = drawn;
  button.querySelector("svg")?.replaceWith(icon(...paths));
}
