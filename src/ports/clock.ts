/**
 * Port Clock: the only source of time. Cores receive `now` as an argument; only shells ask a clock.
 */

export interface Cancel {
  cancel(): void;
}

export interface Clock {
  /** Unix milliseconds; never goes backwards within a process. May be fractional. */
  now(): number;
  /** Calls back once after `ms`. */
  after(ms: number, run: () => void): Cancel;
  /** Calls back every `ms` until cancelled. */
  every(ms: number, run: () => void): Cancel;
}
