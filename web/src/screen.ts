// What the stage says instead of, or over, the picture. Pure.

import type { Phase } from "./api";

/** What the player has to show. */
export type Picture = "none" | "loading" | "moving" | "paused" | "stalled" | "ended";

export type Screen =
  | "connecting"
  | "offline"
  | "starting"
  | "live"
  | "buffering"
  | "away"
  | "ended"
  | "unreachable"
  | "unsupported";

export interface Known {
  phase: Phase | null; // null until the server has answered once
  reachable: boolean;
  picture: Picture;
  supported: boolean;
}

/** A moving picture is the best answer to every question, even when the server cannot be asked. */
export function screenOf(k: Known): Screen {
  if (!k.supported) return "unsupported";
  if (k.picture === "moving" || k.picture === "paused") return "live";
  if (!k.reachable) return "unreachable";
  switch (k.phase) {
    case null:
      return "connecting";
    case "live":
      return k.picture === "stalled" ? "buffering" : "starting";
    case "away":
      return "away";
    case "starting":
    case "offline":
    case "ended":
      return k.phase;
  }
}

/** Whether the room has something to play. */
export function playable(phase: Phase | null): boolean {
  return phase === "live" || phase === "away";
}
