// Exponential back-off with full jitter: after a restart thousands of pages
// come back spread over the whole interval, not in step.

export interface BackoffLimits {
  first: number; // ms, upper end of the first wait
  max: number; // ms, upper end of every wait
}

export class Backoff {
  private failures = 0;

  constructor(
    private readonly limits: BackoffLimits,
    private readonly random: () => number = Math.random,
  ) {}

  /** How long to wait after one more failure. `atLeast` is what the server asked for. */
  next(atLeast = 0): number {
    const ceiling = Math.min(this.limits.max, this.limits.first * 2 ** this.failures);
    this.failures = Math.min(this.failures + 1, 30);
    return Math.round(atLeast + this.random() * ceiling);
  }

  reset(): void {
    this.failures = 0;
  }
}
