/**
 * Owns what is due while a turn of the event loop is still taking socket events: libuv hands on up to
 * 48 times 1,024 of them before it looks at timers and immediates again, which under a flood of small
 * reads is a second. Whoever takes such events calls `catchUp` now and then. One for the process, as
 * the loop is. Rule: SPEC E-UP-3.
 */
import type { Cancel } from '../ports/clock.js';

interface Pending {
  readonly run: () => void;
  /** On the loop's own clock, milliseconds. */
  readonly at: number;
  stop: () => void;
}

/** Timers longer than this are left to the loop: nobody waits for them to the millisecond. */
const SHORT_MS_MAX = 250;
/** Late by less than this is left to the loop too; also the least time between two looks. */
const LATE_MS = 4;

const pending = new Set<Pending>();
let lookAt = 0;
let isCatchingUp = false;

/** As `setTimeout`. */
export function runAfter(ms: number, run: () => void): Cancel {
  if (ms > SHORT_MS_MAX) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  }
  return schedule(ms, run, (due) => {
    const timer = setTimeout(due, ms);
    return () => clearTimeout(timer);
  });
}

/** As `setImmediate`. */
export function runSoon(run: () => void): Cancel {
  return schedule(0, run, (due) => {
    const immediate = setImmediate(due);
    return () => clearImmediate(immediate);
  });
}

/**
 * Runs once this turn's socket events have been taken, and is never caught up with: for what must not
 * run within a callback of a socket library.
 */
export function afterEvents(run: () => void): Cancel {
  const immediate = setImmediate(run);
  return { cancel: () => clearImmediate(immediate) };
}

/** Runs what is overdue, once; cheap when nothing is. What fails does so as in a timer of its own. */
export function catchUp(): void {
  const now = performance.now();
  if (now < lookAt || isCatchingUp) return;
  isCatchingUp = true;
  for (const each of [...pending]) {
    if (each.at + LATE_MS > now || !pending.delete(each)) continue;
    each.stop();
    try {
      each.run();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }
  isCatchingUp = false;
  lookAt = performance.now() + LATE_MS;
}

function schedule(ms: number, run: () => void, arm: (due: () => void) => () => void): Cancel {
  const each: Pending = { run, at: performance.now() + ms, stop: () => undefined };
  each.stop = arm(() => {
    pending.delete(each);
    run();
  });
  pending.add(each);
  return {
    cancel: () => {
      pending.delete(each);
      each.stop();
    },
  };
}
