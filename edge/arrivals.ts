/**
 * Owns the order in which new connections are read: at most so many in a turn of the event loop, the
 * others wait unread, in line. What they sent lies in the kernel meanwhile, and whoever is here already
 * does not stand behind all of their handshakes. Knows no socket. Rule: SPEC E-JOIN-4.
 */
import type { Cancel } from '../src/ports/clock.js';
import { WaitingLine } from './core/waiting-line.js';

/** A connection just made, before anything of it was read. */
export interface Arrival {
  /** Nothing of it is read until `resume`; it cannot end meanwhile. */
  pause(): unknown;
  resume(): unknown;
}

/** Read first in one turn: handshakes of about 50 µs each, so 3 ms or so. */
export const ARRIVALS_A_TURN = 64;
/** Waiting connections; what comes beyond is read at once, as if there were no line. */
export const ARRIVALS_HELD_MAX = 20_000;

export class Arrivals {
  readonly #later: (run: () => void) => Cancel;
  readonly #held = new WaitingLine<Arrival>();
  #read = 0;
  #timer: Cancel | undefined;

  /** `later` runs once this turn's socket events have been taken. */
  constructor(later: (run: () => void) => Cancel) {
    this.#later = later;
  }

  /** Connections that wait. */
  get held(): number {
    return this.#held.length;
  }

  came(arrival: Arrival): void {
    this.#timer ??= this.#later(() => this.#turn());
    const isFull = this.held >= ARRIVALS_HELD_MAX;
    if (isFull || (this.held === 0 && this.#read < ARRIVALS_A_TURN)) {
      this.#read++;
      return;
    }
    arrival.pause();
    this.#held.push(arrival);
  }

  /** Lets go of those who wait, unread; for when they are closed. */
  stop(): void {
    this.#timer?.cancel();
    this.#held.clear();
  }

  #turn(): void {
    this.#timer = undefined;
    this.#read = 0;
    while (this.held > 0 && this.#read < ARRIVALS_A_TURN) {
      this.#read++;
      this.#held.shift().resume();
    }
    if (this.#read > 0) this.#timer = this.#later(() => this.#turn());
  }
}
