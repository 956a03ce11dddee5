// A moment of a show in a link: /r/room?t=1764012345678, the program date time
// in milliseconds. Pure.

/** there: the picture begins at it; live: it is now, or as good as; past, future: it is not on offer. */
export type Moment = "there" | "live" | "past" | "future";

/** A segment as the playlist lists it. */
export interface Listed {
  start: number; // seconds in the player's time
  duration: number; // seconds
  programDateTime: number | null; // ms
}

const asGood = 3; // seconds behind the newest picture: where players begin by themselves
const soon = 10_000; // ms: clocks of two players and a link that was read aloud

/** The moment a link asks for; null = none, or nonsense. */
export function asked(search: string): number | null {
  const t = new URLSearchParams(search).get("t") ?? "";
  return /^\d{12,14}$/.test(t) ? Number(t) : null;
}

/** The link to a room, at a moment or not. */
export function linkTo(room: string, at: number | null, origin: string): string {
  return `${origin}/r/${room}${at === null ? "" : `?t=${Math.round(at)}`}`;
}

/**
 * Where a moment is in the player's time, in seconds. `edge` is the end of what
 * the playlist offers.
 */
export function locate(pdt: number, segments: readonly Listed[], edge: number): number | Exclude<Moment, "there"> {
  const dated = segments.filter((s) => s.programDateTime !== null);
  const first = dated[0];
  if (!first) return "live";
  if (pdt < first.programDateTime!) return "past";
  for (const [i, s] of dated.entries()) {
    // Parts of the newest segment are on offer before the segment is.
    const end = i === dated.length - 1 ? Math.max(edge, s.start + s.duration) : s.start + s.duration;
    const at = s.start + (pdt - s.programDateTime!) / 1000;
    if (at >= end) continue;
    return at >= edge - asGood ? "live" : Math.max(s.start, at); // before its start: nothing was sent at that moment
  }
  const last = dated.at(-1)!;
  const newest = last.programDateTime! + (Math.max(edge, last.start + last.duration) - last.start) * 1000;
  return pdt - newest > soon ? "future" : "live";
}
