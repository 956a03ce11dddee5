// What is on the screen: one element for each bullet in flight, taken from a
// pool, moved by one Web Animation, so that the browser moves it without our
// script. Thin on purpose: every decision is taken in wall.ts.

import type { Geometry } from "./geometry";
import type { Mode, Role } from "../protocol";

export interface Look {
  text: string;
  width: number; // em
  color: string;
  mode: Mode;
  role: Role;
  own: boolean;
}

export interface Spot {
  lane: number;
  at: number; // stage time at which it enters
}

/** One bullet on the screen. */
export interface Sprite {
  badge(total: number): void;
  land(): void;
}

export interface Sky {
  launch(look: Look, spot: Spot): Sprite;
  /** The stage's clock says `stage` now and runs so fast; 0 = it stands. */
  pace(stage: number, rate: number): void;
  shape(g: Geometry): void;
}

class Bullet implements Sprite {
  readonly element = document.createElement("div");
  animation: Animation | null = null;
  at = 0;
  private readonly words = document.createElement("span");
  private readonly count = document.createElement("b");
  private total = 1;

  constructor(private readonly landed: (b: Bullet) => void) {
    this.element.dataset.testid = "bullet";
    this.words.dir = "auto"; // a text from right to left turns around inside its own box only
    this.element.append(this.words);
  }

  dress(look: Look): void {
    const classes = ["bullet", look.mode, look.role, look.own ? "own" : "others"].join(" ");
    if (this.element.className !== classes) this.element.className = classes;
    if (this.words.textContent !== look.text) this.words.textContent = look.text;
    this.element.style.color = look.color;
  }

  badge(total: number): void {
    if (total === this.total) return;
    this.total = total;
    if (total <= 1) {
      this.count.remove();
      return;
    }
    this.count.textContent = `×${total}`;
    this.count.dataset.digits = String(String(total).length);
    if (!this.count.isConnected) this.element.append(this.count);
    this.count.animate({ scale: ["1.4", "1"] }, { duration: 200, easing: "ease-out" });
  }

  land(): void {
    this.animation?.cancel();
    this.animation = null;
    this.badge(1);
    this.element.remove();
    this.landed(this);
  }
}

export class Screen implements Sky {
  private readonly pool: Bullet[] = [];
  private readonly flying = new Set<Bullet>();
  private geometry: Geometry | null = null;
  private rate = 1;
  private ahead = 0; // ms from the stage's clock to performance.now(), as it is now

  constructor(private readonly layer: HTMLElement) {}

  shape(g: Geometry): void {
    this.geometry = g;
    this.layer.style.fontSize = `${g.font}px`;
    this.layer.style.setProperty("--lane", `${Math.ceil(g.lane)}px`);
  }

  pace(stage: number, rate: number): void {
    const now = performance.now();
    this.ahead = rate === 0 ? stage : now - stage / rate;
    if (rate === this.rate) return;
    this.rate = rate;
    for (const b of this.flying) this.sync(b);
  }

  launch(look: Look, spot: Spot): Sprite {
    const bullet = this.pool.pop() ?? new Bullet((b) => this.landed(b));
    const g = this.geometry!;
    bullet.dress(look);
    bullet.at = spot.at;
    const width = Math.ceil(look.width * g.font);
    bullet.element.style.width = `${width}px`;
    const y = Math.round((look.mode === "bottom" ? g.lanes - 1 - spot.lane : spot.lane) * g.lane);
    this.layer.append(bullet.element);
    if (look.mode === "scroll") this.move(bullet, width, y);
    else bullet.element.style.transform = `translate(${Math.round((g.width - width) / 2)}px,${y}px)`;
    this.flying.add(bullet);
    return bullet;
  }

  private move(bullet: Bullet, width: number, y: number): void {
    const g = this.geometry!;
    bullet.animation = bullet.element.animate(
      { transform: [`translate(${g.width}px,${y}px)`, `translate(${-width}px,${y}px)`] },
      { duration: g.scroll, fill: "both" }, // past its end it stays outside until it is taken away
    );
    this.sync(bullet);
  }

  /** Puts a bullet where the stage's clock says. A start time of our own spares it the wait for the next frame. */
  private sync({ animation, at }: Bullet): void {
    if (!animation) return;
    if (this.rate === 0) {
      animation.pause();
      animation.currentTime = this.ahead - at;
      return;
    }
    animation.playbackRate = this.rate;
    animation.startTime = this.ahead + at / this.rate;
  }

  private landed(bullet: Bullet): void {
    this.flying.delete(bullet);
    this.pool.push(bullet);
  }
}
