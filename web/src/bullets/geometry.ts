// From a stage and the reader's settings to lanes and speeds. Pure.
//
// Everything is counted in em of the bullets' font, and the font follows the
// stage: a small and a large stage of one shape have the same wall.

import { following, standing, type Apart } from "./lanes";
import type { Mode } from "../protocol";
import type { Density, Settings, Speed } from "./settings";

export interface Geometry {
  width: number; // px of the stage
  font: number; // px
  lane: number; // px, height of a lane
  lanes: Record<Mode, number>;
  apart: Record<Mode, Apart>;
  pace: Pace;
  longest: number; // ms that any bullet is on the stage, at most
}

const lines = 26; // lines of text in the height of a stage
const columns = 40; // em at least in its width
const smallest = 14; // px
const lineHeight = 1.4;
const widthStep = 4; // em: stages this much alike have one wall
const fixedShare = 0.5; // top and bottom bullets have at most this part of the lanes each
const fixedTime = 4000; // ms that they stand
const times: Record<Speed, number> = { slow: 11_000, normal: 8000, fast: 5500 }; // ms from edge to edge
const gaps: Record<Density, number> = { few: 12, normal: 1.2, many: 0.3 }; // em between two bullets of a lane

export function geometry(width: number, height: number, s: Pick<Settings, "area" | "size" | "speed" | "density">): Geometry {
  const font = Math.max(smallest, Math.min(height / lines, width / columns)) * s.size;
  const lane = font * lineHeight;
  const lanes = Math.max(1, Math.floor((height * s.area) / lane + 1e-6));
  const fixed = Math.max(1, Math.floor(lanes * fixedShare));
  const wide = width / font;
  const stage = Math.max(widthStep, Math.floor(wide / widthStep + 1e-6) * widthStep);
  const pace = new Pace(stage, Math.max(wide, stage), times[s.speed]);
  const follow = following(pace, { least: stage, most: stage + widthStep }, Math.min(gaps[s.density], stage));
  const stand = standing(fixedTime);
  return {
    width, font, lane,
    lanes: { scroll: lanes, top: fixed, bottom: fixed },
    apart: { scroll: follow, top: stand, bottom: stand },
    pace,
    longest: Math.max(fixedTime, pace.longest),
  };
}

/**
 * A wide bullet is faster, so that all are on the stage for about as long. There
 * are few speeds, because what has one speed can be moved as one.
 */
export class Pace {
  readonly classes = [8, 14, 24, 46]; // em: widest bullet of each speed

  constructor(
    private readonly stage: number, // em that every stage of this shape has
    private readonly wide: number, // em of this one
    private readonly time: number,
  ) {}

  /** Which class a width belongs to. */
  class(width: number): number {
    const i = this.classes.findIndex((most) => width <= most);
    return i < 0 ? this.classes.length - 1 : i;
  }

  /** em per ms of a class. */
  speed(index: number): number {
    return (this.stage + this.classes[index]!) / this.time;
  }

  /** ms that a bullet is on the stage. */
  span(mode: Mode, width: number): number {
    return mode === "scroll" ? (this.wide + width) / this.speed(this.class(width)) : fixedTime;
  }

  /** ms until it is wholly on the stage. */
  entry(width: number): number {
    return width / this.speed(this.class(width));
  }

  get longest(): number {
    return Math.max(...this.classes.map((w, i) => (this.wide + w) / this.speed(i)));
  }
}
