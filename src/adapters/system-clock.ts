/**
 * Owns the process's time: wall time carried by the monotonic clock, so a clock stepped backwards
 * never turns quotas or expiries round. A step forward (suspend, correction) is followed at once.
 */
import type { Cancel, Clock } from '../ports/clock.js';
import { runAfter } from './loop-turns.js';

const FOLLOW_FORWARD_MS = 1000;
/** Node takes no longer timer, about 24.8 days, and fires a longer one at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

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
    if (ms <= TIMER_MS_MAX) return runAfter(ms, run);
    let timer: NodeJS.Timeout | undefined;
    const arm = (left: number): void => {
      const step = Math.min(left, TIMER_MS_MAX);
      timer = setTimeout(() => (left > step ? arm(left - step) : run()), step);
    };
    arm(ms);
    return { cancel: () => clearTimeout(timer) };
  }

  every(ms: number, run: () => void): Cancel {
    const timer = setInterval(run, ms);
    return { cancel: () => clearInterval(timer) };
  }
}
