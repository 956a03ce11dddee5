// The reader's own comments between "Enter" and their fate. Pure.
//
// A comment is on the screen before the server has seen it; later it comes
// back twice, as an ack (by cid) and in a tick (by id), in either order. The
// book makes sure it stays one comment.

import type { Ack, Comment } from "./protocol";

export class OwnBook {
  private readonly texts = new Map<string, string>(); // cid → text, not yet seen in a tick
  private readonly ids = new Map<string, string>(); // comment id → cid, from acks

  add(cid: string, text: string): void {
    this.texts.set(cid, text);
  }

  /** The cid of a comment from a tick that is on the screen already, else null. */
  claim(c: Comment, you: string): string | null {
    const known = this.ids.get(c.id);
    if (known !== undefined) {
      this.forget(known, c.id);
      return known;
    }
    if (c.author !== you) return null;
    const cid = this.oldest((text) => text.trim() === c.text) ?? this.oldest((text) => bare(text) === bare(c.text));
    if (cid !== null) this.texts.delete(cid);
    return cid;
  }

  private oldest(matches: (text: string) => boolean): string | null {
    for (const [cid, text] of this.texts) if (matches(text)) return cid;
    return null;
  }

  /** Learns the id of a comment that its tick has yet to bring. */
  settle(a: Ack): void {
    if (a.fate === "rejected" || a.fate === "rest") this.texts.delete(a.cid);
    else if (a.id !== "" && this.texts.has(a.cid)) this.ids.set(a.id, a.cid);
  }

  private forget(cid: string, id: string): void {
    this.ids.delete(id);
    this.texts.delete(cid);
  }
}

/**
 * What the server's cleaning leaves of a text for sure: it composes letters and takes
 * invisible characters, odd spaces and surplus accents away.
 */
function bare(text: string): string {
  return text.normalize("NFC").replace(/[\p{C}\p{M}\p{Z}\s]/gu, "");
}

/** Remembers the newest `limit` ids: history and ticks may overlap. */
export class Seen {
  private readonly ids = new Set<string>();

  constructor(private readonly limit = 2000) {}

  /** Whether `id` is new; from now on it is not. */
  add(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > this.limit) {
      const oldest = this.ids.values().next();
      if (!oldest.done) this.ids.delete(oldest.value);
    }
    return true;
  }
}
