// When a bullet flies. Pure: times go in, bullets come out.
//
// A comment carries the program date time its writer saw (pdt). It is drawn
// when this viewer's own playhead reaches pdt + delay, so that somebody ten
// seconds behind sees it over the same picture.

export const lateLimit = 15_000; // ms: later than this a bullet is only in the list
const maxWaiting = 2000;

export type Verdict = "fly" | "wait" | "late";

interface Waiting<T> {
  due: number;
  order: number;
  item: T;
}

export interface Offer<T> {
  item: T;
  pdt: number;
  /** How late it may be and still fly; 0 for history, which the writer's audience has seen. */
  late?: number;
}

export class Schedule<T> {
  delay = 400;
  private waiting: Waiting<T>[] = []; // by due, then by order of arrival
  private order = 0;

  /** What to do with a comment now. playhead is null while there is no picture. */
  offer(o: Offer<T>, playhead: number | null): Verdict {
    const due = o.pdt + this.delay;
    const limit = o.late ?? lateLimit;
    if (playhead === null) return limit > 0 ? "fly" : "late";
    if (due <= playhead) return playhead - due <= limit && limit > 0 ? "fly" : "late";
    this.insert({ due, order: this.order++, item: o.item });
    return "wait";
  }

  /** Takes what has come due. What a seek has left far behind is dropped. */
  take(playhead: number | null): T[] {
    if (playhead === null) return this.flush();
    const n = this.waiting.findIndex((w) => w.due > playhead);
    const due = this.waiting.splice(0, n < 0 ? this.waiting.length : n);
    return due.filter((w) => playhead - w.due <= lateLimit).map((w) => w.item);
  }

  get size(): number {
    return this.waiting.length;
  }

  clear(): void {
    this.waiting = [];
  }

  /** The picture is gone: there is no moment left to wait for. */
  private flush(): T[] {
    const all = this.waiting.map((w) => w.item);
    this.waiting = [];
    return all;
  }

  private insert(w: Waiting<T>): void {
    let i = this.waiting.length;
    while (i > 0 && this.waiting[i - 1]!.due > w.due) i--;
    this.waiting.splice(i, 0, w);
    if (this.waiting.length > maxWaiting) this.waiting.shift();
  }
}
