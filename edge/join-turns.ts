/**
 * Owns the turns of those who come in: who names its room in the handshake joins at once while there is
 * time for it, and waits in line for its turn when many come at once, so that whoever is here
 * already is not kept waiting. What waits is bounded; over it the door is shut. Knows no socket.
 * Rule: SPEC E-JOIN-3.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import { WaitingLine } from './core/waiting-line.js';

/** Joins, or lets go of it when it is not wanted any more. */
export type Join = (isWanted: boolean) => void;

/** Core time joins take in a row, milliseconds; bounds the pause that others see. */
export const JOIN_TURN_MS = 4;
/** Joins that wait, and the bytes of their rooms and tokens. */
export const HELD_JOINS_MAX = 8192;
export const HELD_JOIN_BYTES_MAX = 16 << 20;
/** Core time of a join, milliseconds, until it has been measured, and how fast that follows. */
const COST_MS = 0.1;
const COST_STEP = 0.05;
/** Others need the core meanwhile. */
const OTHERS_FACTOR = 2;

export interface JoinTurnsParts {
  readonly clock: Pick<Clock, 'now'>;
  /** Runs when others in the process have had their turn, outside of any socket's callback. */
  readonly later: (run: () => void) => Cancel;
  readonly fault: (where: string, error: unknown) => void;
}

export class JoinTurns {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #later: (run: () => void) => Cancel;
  readonly #fault: (where: string, error: unknown) => void;
  readonly #held = new WaitingLine<{ readonly join: Join; readonly bytes: number }>();
  #bytes = 0;
  #spentMs = 0;
  #costMs = COST_MS;
  #timer: Cancel | undefined;

  constructor({ clock, later, fault }: JoinTurnsParts) {
    this.#clock = clock;
    this.#later = later;
    this.#fault = fault;
  }

  /** Joins that wait. */
  get held(): number {
    return this.#held.length;
  }

  /** When no more can wait: how long those who do will take, milliseconds; undefined: there is room. */
  get fullMs(): number | undefined {
    const isFull = this.held >= HELD_JOINS_MAX || this.#bytes >= HELD_JOIN_BYTES_MAX;
    return isFull ? this.held * this.#costMs * OTHERS_FACTOR : undefined;
  }

  /** Runs a join now or in turn; true when it has run. `bytes`: what it holds until then. */
  run(bytes: number, join: Join): boolean {
    this.#timer ??= this.#later(() => this.#turn());
    if (this.held === 0 && this.#spentMs < JOIN_TURN_MS) {
      this.#spend(join);
      return true;
    }
    this.#held.push({ join, bytes });
    this.#bytes += bytes;
    return false;
  }

  /** Lets go of those who wait. */
  stop(): void {
    this.#timer?.cancel();
    while (this.held > 0) this.#take()(false);
  }

  #turn(): void {
    this.#timer = undefined;
    this.#spentMs = 0;
    while (this.held > 0 && this.#spentMs < JOIN_TURN_MS) this.#spend(this.#take());
    if (this.#spentMs > 0) this.#timer = this.#later(() => this.#turn());
  }

  #spend(join: Join): void {
    const began = this.#clock.now();
    try {
      join(true);
    } catch (error) {
      this.#fault('join', error);
    }
    const tookMs = this.#clock.now() - began;
    this.#spentMs += tookMs;
    this.#costMs += (tookMs - this.#costMs) * COST_STEP;
  }

  #take(): Join {
    const { join, bytes } = this.#held.shift();
    this.#bytes -= bytes;
    return join;
  }
}
