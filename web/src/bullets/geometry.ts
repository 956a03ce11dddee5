// From a stage and the reader's settings to lanes. Pure.
//
// Everything is counted in em of the bullets' font, and the font follows the
// stage: a small and a large stage of one shape have the same wall.

import { following, standing, type Apart } from "./lanes";
import type { Density, Settings, Speed } from "./settings";

export interface Geometry {
  font: number; // px
  lane: number; // px, height of a lane
  width: number; // px of the stage
  lanes: number;
  fixedLanes: number; // of each, top and bottom
  scroll: number; // ms from edge to edge
  fixed: number; // ms that top and bottom bullets stand
  follow: Apart;
  stand: Apart;
}

const lines = 26; // lines of text in the height of a stage
const columns = 40; // em at least in its width
const smallest = 14; // px
const lineHeight = 1.4;
const widthStep = 4; // em: stages this much alike have one wall
const fixedShare = 0.5; // top and bottom bullets have at most this part of the lanes each
const times: Record<Speed, number> = { slow: 11_000, normal: 8000, fast: 5500 };
const gaps: Record<Density, number> = { few: 12, normal: 1.2, many: 0.3 }; // em between two bullets of a lane
const fixedTime = 4000;

export function geometry(width: number, height: number, s: Pick<Settings, "area" | "size" | "speed" | "density">): Geometry {
  const font = Math.max(smallest, Math.min(height / lines, width / columns)) * s.size;
  const lane = font * lineHeight;
  const em = Math.max(widthStep, Math.floor(width / font / widthStep + 1e-6) * widthStep);
  const lanes = Math.max(1, Math.floor((height * s.area) / lane + 1e-6));
  const scroll = times[s.speed];
  return {
    font, lane, width, lanes,
    fixedLanes: Math.max(1, Math.floor(lanes * fixedShare)),
    scroll,
    fixed: fixedTime,
    follow: following(em, scroll, Math.min(gaps[s.density], em)),
    stand: standing(fixedTime),
  };
}
