/**
 * Owns the process's time: wall time carried by the monotonic clock, so a clock stepped backwards
 * never turns quotas or expiries round. A step forward (suspend, correction) is followed at once.
 */
import type { Cancel, Clock } from '../ports/clock.js';

const FOLLOW_FORWARD_MS = 1000;

export class SystemClock implements Clock {
  #offset = Date.now() - performance.now();

  now(): number {
    const carried = this.#offset + performance.now();
    const ahead = Date.now() - carried;
    if (ahead <= FOLLOW_FORWARD_MS) return carried;
    this.#offset += ahead;
    return carried + ahead;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  }

  every(ms: number, run: () => void): Cancel {
    const timer = setInterval(run, ms);
    return { cancel: () => clearInterval(timer) };
  }
}
