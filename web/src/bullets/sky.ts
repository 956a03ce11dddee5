// What is on the screen. Thin on purpose: every decision is taken in wall.ts.
//
// Bullets of one speed that start within two seconds ride in one train: one
// element, one layer, one Web Animation. The browser moves a few dozen trains
// without our script, where three hundred moving elements would cost it more
// than a frame each time anything in the page changes.

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
  stage: number; // stage time now
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

const unseen = 4; // ms: less than a pixel
const boarding = 2000; // ms of stage time in which bullets get on a train

class Bullet implements Sprite {
  readonly element = document.createElement("div");
  train: Train | null = null;
  private readonly words = document.createTextNode("");
  private readonly box = document.createElement("span"); // for who has a frame or a ground; most have none
  private readonly count = document.createElement("b");
  private readonly number = document.createTextNode("");
  private total = 1;

  constructor(private readonly landed: (b: Bullet) => void) {
    this.element.dataset.testid = "bullet";
    this.count.append(this.number);
  }

  dress(look: Look, place: { x: number; y: number; width: number }): void {
    const classes = ["bullet", look.mode, look.role, look.own ? "own" : "others", ...scripts(look.text)].join(" ");
    if (this.element.className !== classes) this.element.className = classes;
    this.words.data = look.text;
    if (look.own || look.role !== "viewer" || look.mode !== "scroll") {
      this.box.replaceChildren(this.words);
      this.element.replaceChildren(this.box);
    } else this.element.replaceChildren(this.words);
    const { style } = this.element;
    style.color = look.color;
    style.width = `${place.width}px`;
    style.left = `${place.x}px`;
    style.top = `${place.y}px`;
  }

  badge(total: number): void {
    if (total === this.total) return;
    this.total = total;
    if (total <= 1) {
      this.count.remove();
      return;
    }
    this.number.data = `×${total}`;
    const digits = String(String(total).length);
    if (this.count.dataset.digits !== digits) this.count.dataset.digits = digits;
    if (!this.count.isConnected) this.element.append(this.count);
  }

  land(): void {
    this.badge(1);
    this.element.remove();
    this.landed(this);
  }
}

/** What a text asks of its box: for everybody it would cost a clip and a search for directions each. */
function scripts(text: string): string[] {
  return [/\p{M}/u.test(text) ? "tall" : "", /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u.test(text) ? "turned" : ""];
}

/** Bullets of one speed; `from` is the stage time at which x = 0 of the train enters. */
class Train {
  readonly element = document.createElement("div");
  riders = 0;
  private readonly animation: Animation;

  constructor(
    readonly from: number,
    readonly speed: number, // px per ms of stage time
    width: number,
    lasts: number,
  ) {
    this.element.className = "train";
    this.animation = this.element.animate(
      { transform: [`translate(${width}px,0)`, `translate(${width - speed * lasts}px,0)`] },
      { duration: lasts, fill: "both" },
    );
  }

  /** Puts it where the stage's clock says. A start time of our own spares it the wait for the next frame. */
  sync(clock: Clock): void {
    const { animation } = this;
    if (clock.rate === 0) {
      animation.pause();
      animation.currentTime = clock.stage - this.from;
      return;
    }
    animation.playbackRate = clock.rate;
    animation.startTime = clock.now - (clock.stage - this.from) / clock.rate;
  }

  end(): void {
    this.animation.cancel();
    this.element.remove();
  }
}

/** What the stage's clock said at a moment of performance.now(). */
interface Clock {
  now: number;
  stage: number;
  rate: number;
}

export class Screen implements Sky {
  private readonly pool: Bullet[] = [];
  private readonly trains = new Set<Train>();
  private boards: (Train | undefined)[] = []; // by class of speed: who still takes bullets
  private readonly standing = document.createElement("div"); // top and bottom bullets, above the trains
  private geometry: Geometry | null = null;
  private clock: Clock = { now: 0, stage: 0, rate: 1 };

  constructor(private readonly layer: HTMLElement) {
    this.standing.className = "standing";
    layer.append(this.standing);
  }

  shape(g: Geometry): void {
    this.geometry = g;
    this.boards = [];
    this.layer.style.fontSize = `${g.font}px`;
    this.layer.style.setProperty("--lane", `${Math.ceil(g.lane)}px`);
  }

  pace(stage: number, rate: number): void {
    const now = performance.now();
    const { clock } = this;
    const expected = clock.stage + (now - clock.now) * clock.rate;
    this.clock = { now, stage, rate };
    if (rate === clock.rate && Math.abs(stage - expected) < unseen) return;
    for (const t of this.trains) t.sync(this.clock);
  }

  launch(look: Look, spot: Spot): Sprite {
    const bullet = this.pool.pop() ?? new Bullet((b) => this.landed(b));
    const g = this.geometry!;
    const width = Math.ceil(look.width * g.font);
    if (look.mode === "scroll") {
      const train = this.board(g.pace.class(look.width), spot.stage);
      bullet.dress(look, { x: Math.round(train.speed * (spot.at - train.from)), y: Math.round(spot.lane * g.lane), width });
      bullet.train = train;
      train.riders++;
      train.element.append(bullet.element);
    } else {
      const lane = look.mode === "top" ? spot.lane : g.lanes.scroll - 1 - spot.lane;
      bullet.dress(look, { x: Math.round((g.width - width) / 2), y: Math.round(lane * g.lane), width });
      this.standing.append(bullet.element);
    }
    return bullet;
  }

  /** The train of a class of speed that takes bullets at `stage`. */
  private board(index: number, stage: number): Train {
    const boards = this.boards[index];
    if (boards && stage >= boards.from && stage - boards.from < boarding) return boards;
    const g = this.geometry!;
    const train = new Train(stage, g.pace.speed(index) * g.font, g.width, boarding + g.longest);
    train.sync(this.clock);
    this.boards[index] = train;
    this.trains.add(train);
    this.layer.append(train.element);
    if (boards) this.retire(boards);
    return train;
  }

  private landed(bullet: Bullet): void {
    this.pool.push(bullet);
    const { train } = bullet;
    bullet.train = null;
    if (!train) return;
    train.riders--;
    this.retire(train);
  }

  /** A train ends when nobody rides it and nobody will. */
  private retire(train: Train): void {
    if (train.riders > 0 || this.boards.includes(train)) return;
    train.end();
    this.trains.delete(train);
  }
}
