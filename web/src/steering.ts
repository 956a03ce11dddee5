// Together mode of one page: the room's clock and the pacer joined to the player.

import { RoomClock, type Exchange } from "./clock";
import { Pacer, type Union } from "./pacer";
import type { Phase } from "./api";
import type { Player } from "./player";
import type { Box } from "./storage";

/** off: the reader wants to be alone; own: paused, or back in the show; else as the pacer says. */
export type Company = "off" | "own" | Union;

export interface RoomPace {
  phase: Phase;
  latency: number; // ms
  exchange: Exchange | null;
}

const every = 250; // ms
const key = "together";

export class Steering {
  union: Company = "joining";
  starved = 0; // how often this network had nothing more to play
  private readonly clock = new RoomClock();
  private readonly pacer = new Pacer();
  private latency = 0;
  live = false; // the anchor is on air
  private wanted: boolean;

  constructor(
    private readonly player: Player,
    private readonly box: Box,
  ) {
    this.wanted = box.get(key) !== "off";
    player.aim = () => this.aim();
    const { video } = player;
    video.preservesPitch = true; // or a change of the rate would be heard
    for (const type of ["loadeddata", "seeked"]) video.addEventListener(type, () => this.pacer.begin(performance.now()));
    video.addEventListener("waiting", () => this.stalled());
    setInterval(() => this.step(), every);
  }

  get on(): boolean {
    return this.wanted;
  }

  set on(wanted: boolean) {
    this.wanted = wanted;
    this.box.set(key, wanted ? null : "off");
    this.pacer.begin(performance.now());
    this.step();
  }

  get distance(): number {
    return this.pacer.distance;
  }

  /** Seconds behind the picture of the room; null = one of the two is not known. */
  get late(): number | null {
    const behind = this.behindNow;
    return behind === null || this.latency === 0 ? null : behind - this.latency / 1000;
  }

  /** Seconds behind what is being made now; null = nothing is, or nobody knows. */
  get behindNow(): number | null {
    const now = this.live ? this.clock.pdt(performance.now()) : null;
    const at = this.player.playhead();
    return now === null || at === null ? null : (now - at) / 1000;
  }

  hear(news: RoomPace): void {
    this.live = news.phase === "live";
    this.latency = news.latency;
    if (news.exchange) this.clock.hear(news.exchange);
    else if (!this.live) this.clock.forget();
  }

  /** Where the room is, in the player's time. */
  private aim(): number | null {
    const late = this.wanted ? this.late : null;
    return late === null ? null : this.player.video.currentTime + late - this.pacer.distance;
  }

  private stalled(): void {
    const { video } = this.player;
    if (video.seeking || !this.live || !this.player.follows || !this.player.starved) return;
    this.starved++;
    if (this.wanted) this.pacer.stall(performance.now());
  }

  private step(): void {
    const { late } = this;
    if (!this.wanted || late === null) {
      this.union = this.wanted ? "joining" : "off";
      this.player.steer(null);
      return;
    }
    if (!this.player.follows) {
      this.union = "own";
      this.player.steer(1);
      return;
    }
    const { rate, jump, union } = this.pacer.see({ now: performance.now(), late, buffer: this.player.buffer });
    this.union = union;
    this.player.steer(rate);
    if (jump !== 0) this.player.hop(jump);
  }
}
