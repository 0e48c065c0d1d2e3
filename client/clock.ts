/** Owns the SDK's doors to time and chance, so that tests may move them by hand. */

export interface Cancel {
  cancel(): void;
}

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  after(ms: number, run: () => void): Cancel;
}

/** Beyond this `setTimeout` fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, TIMER_MS_MAX));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** 0-1: spreads an audience, and is nothing to guess from. */
export const systemRandom = (): number => Math.random();
