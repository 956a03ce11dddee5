// The room's clock: which program date time is being made now. Pure: the time of
// this machine goes in, and is never compared with anybody else's.
//
// The server answers with its own clock and with the program date time of that
// instant. How the two machines' clocks differ follows from the exchange that took
// the least time; how program date time and the server's clock differ is one
// number for all viewers, and the newest one counts.

export interface Exchange {
  sent: number; // ms of this machine's monotonic clock
  received: number;
  now: number; // ms of the server's clock, somewhere in between
  pdtNow: number; // program date time at now, ms
}

const kept = 24; // exchanges: a minute
const stepped = 1000; // ms beyond doubt: the server's clock has been set anew

export class RoomClock {
  private exchanges: { offset: number; trip: number }[] = [];
  private lead: number | null = null; // program date time − the server's clock

  hear(e: Exchange): void {
    const trip = e.received - e.sent;
    const offset = e.now - (e.sent + e.received) / 2;
    const before = this.best;
    if (before && Math.abs(offset - before.offset) > (trip + before.trip) / 2 + stepped) this.exchanges = [];
    this.exchanges = [...this.exchanges, { offset, trip }].slice(-kept);
    this.lead = e.pdtNow - e.now;
  }

  /** The broadcast is over, or another one. */
  forget(): void {
    this.lead = null;
  }

  /** Program date time at `at` of this machine's clock, ms; null = not known. */
  pdt(at: number): number | null {
    return this.best && this.lead !== null ? at + this.best.offset + this.lead : null;
  }

  private get best(): { offset: number; trip: number } | undefined {
    return this.exchanges.reduce<{ offset: number; trip: number } | undefined>((a, b) => (a && a.trip <= b.trip ? a : b), undefined);
  }
}
