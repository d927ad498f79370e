const windowMs = 10_000;

/** Counts what is done, and how fast of late. */
export class Rate {
  done = 0;
  private times: number[] = []; // of what was done in the window

  count(): void {
    this.done++;
    const now = performance.now();
    this.times.push(now);
    if (this.times[0]! < now - windowMs) {
      this.times = this.times.filter((t) => t >= now - windowMs);
    }
  }

  perSecond(): number {
    const now = performance.now();
    const recent = this.times.filter((t) => t >= now - windowMs);
    if (recent.length < 2) {
      return 0;
    }
    return (recent.length - 1) / ((recent.at(-1)! - recent[0]!) / 1000);
  }
}
