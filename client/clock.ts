/** Owns the SDK's doors to time and chance, so that tests may move them by hand. */

export interface Cancel {
  cancel(): void;
}

export interface Clock {
  /** Unix milliseconds; never goes back. */
  now(): number;
  after(ms: number, run: () => void): Cancel;
}

/** Beyond this `setTimeout` fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A device that slept, or was told the time, is followed from here on. */
const FOLLOW_FORWARD_MS = 1000;

let offset = Date.now() - performance.now();

/** Wall time carried by the monotonic clock: a device's clock set back holds nothing back. */
export const systemClock: Clock = {
  now: () => {
    const ahead = Date.now() - performance.now() - offset;
    if (ahead > FOLLOW_FORWARD_MS) offset += ahead;
    return performance.now() + offset;
  },
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, TIMER_MS_MAX));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** 0-1: spreads an audience, and is nothing to guess from. */
export const systemRandom = (): number => Math.random();
