/**
 * Owns a clock on which work takes its time, as on a core that does one thing after another: timers
 * run when it is free. Knows not what the work is.
 */
import type { Cancel, Clock } from '../../src/ports/clock.js';

export class BusyCore implements Clock {
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>();
  #now = 0;
  #cpuMs = 0;

  now(): number {
    return this.#now;
  }

  /** CPU time used so far, milliseconds. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  every(): Cancel {
    throw new Error('not used here');
  }

  /** The core is busy for so long. */
  work(ms: number): void {
    this.#cpuMs += ms;
    this.#now += ms;
  }

  /** Time goes by, callbacks get their turns. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await Promise.resolve();
      await Promise.resolve();
      let next: { readonly at: number; readonly run: () => void } | undefined;
      for (const one of this.#timers) if (next === undefined || one.at < next.at) next = one;
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = Math.max(this.#now, end);
  }
}
