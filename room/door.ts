/**
 * Owns which way an arrival takes in a room: to the power of its kind, by the judges, or straight to
 * the core. What waits for an answer is bounded and ends in a verdict whatever happens.
 */
import { BarrageError } from '../src/errors.js';
import type { Log } from '../src/ports/log.js';
import type { Random } from '../src/random.js';
import { admit, refusalOf } from './core/admit.js';
import type { RoomState } from './core/state.js';
import { asGranted } from './core/standing.js';
import { refuseTap, settleTap } from './core/taps.js';
import type { Arrival } from './core/types.js';
import type { Judgement, Settled } from './powers/power.js';
import type { AllPowers, Powers } from './powers/powers.js';

export interface DoorParts {
  readonly state: RoomState;
  readonly random: Random;
  readonly log: Log;
  readonly now: () => number;
  readonly powers: () => Pick<
    Powers<AllPowers>,
    'takes' | 'takesOfGuests' | 'arrival' | 'judge' | 'hasJudges'
  >;
  /** Something that waited has ended. */
  readonly settled: () => void;
}

/** Arrivals of one room waiting for a power or a judge; each is one command of a viewer at most. */
export const WAITING_MAX = 2000;
const RETRY_MS = 1000;
const CROWDED: Settled = { verdict: 'overloaded', retryAfterMs: RETRY_MS };
const FAILED: Settled = { verdict: 'unavailable', retryAfterMs: RETRY_MS };

export class Door {
  readonly #parts: DoorParts;
  readonly #waiting = new Set<Arrival>();

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  /** Arrivals waiting for a power or a judge. */
  get waiting(): number {
    return this.#waiting.size;
  }

  take(said: Arrival, now: number): void {
    const powers = this.#parts.powers();
    const arrival = asGranted(this.#parts.state.standing, said);
    if (powers.takes(arrival.kind)) this.#tap(arrival, now);
    else if (powers.hasJudges) this.#judge(arrival, now);
    else this.#admit(arrival, now);
  }

  /** Ends all that waits as `unavailable`; what is answered later is not listened to. */
  close(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const arrival of waiting) this.#settle(arrival, FAILED);
  }

  #tap(arrival: Arrival, now: number): void {
    const powers = this.#parts.powers();
    const isGuestFine = powers.takesOfGuests(arrival.kind);
    const refused = refuseTap(this.#parts.state, arrival, isGuestFine, now);
    if (refused !== undefined) {
      const { verdict, retryAfterMs } = refused;
      const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
      return this.#settle(arrival, { verdict, ...retry });
    }
    const settled = this.#tried(arrival, () => powers.arrival(arrival, now));
    if (!(settled instanceof Promise)) return this.#settle(arrival, settled);
    this.#wait(arrival, settled, (end) => this.#settle(arrival, end));
  }

  #judge(arrival: Arrival, now: number): void {
    // What the core refuses anyway is not worth a judge's time.
    if (refusalOf(this.#parts.state, arrival, now) !== undefined) return this.#admit(arrival, now);
    const judged = this.#tried<Judgement>(arrival, () => this.#parts.powers().judge(arrival, now));
    if (!(judged instanceof Promise)) return this.#judged(arrival, judged, now);
    this.#wait<Judgement>(arrival, judged, (late) =>
      this.#judged(arrival, late, this.#parts.now()),
    );
  }

  #judged(arrival: Arrival, judgement: Judgement | Settled, now: number): void {
    if (judgement === undefined) return this.#admit(arrival, now);
    if ('verdict' in judgement) return this.#settle(arrival, judgement);
    if ('settled' in judgement) return this.#settle(arrival, judgement.settled);
    this.#admit(judgement.altered, now);
  }

  #wait<T>(arrival: Arrival, answer: Promise<T | Settled>, end: (answer: T | Settled) => void) {
    if (this.#waiting.size >= WAITING_MAX) {
      answer.catch(() => undefined);
      this.#settle(arrival, CROWDED);
      return;
    }
    this.#waiting.add(arrival);
    const once = (answered: T | Settled): void => {
      if (!this.#waiting.delete(arrival)) return;
      end(answered);
      this.#parts.settled();
    };
    answer.then(once, (error: unknown) => once(this.#failed(arrival, error)));
  }

  /** A power that throws costs the arrival, not the room. */
  #tried<T>(arrival: Arrival, run: () => T | Promise<T>): T | Settled | Promise<T | Settled> {
    try {
      return run();
    } catch (error) {
      return this.#failed(arrival, error);
    }
  }

  #failed(arrival: Arrival, error: unknown): Settled {
    // The store or the lane refused: said where it happened.
    if (error instanceof BarrageError) {
      return { ...FAILED, retryAfterMs: error.retryAfterMs ?? RETRY_MS };
    }
    this.#parts.log.error('an arrival could not be judged', { kind: arrival.kind, error });
    return FAILED;
  }

  #admit(arrival: Arrival, now: number): void {
    admit(this.#parts.state, arrival, now, this.#parts.random);
  }

  #settle(arrival: Arrival, settled: Settled): void {
    settleTap(this.#parts.state, { ref: arrival.ref, ...settled });
  }
}
