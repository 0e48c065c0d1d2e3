/**
 * Owns what makes a repeated call harmless: the first answer under each key, in memory while it is
 * young and in the store for what was logged. A failed or refused attempt is not remembered.
 */
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { IDEMPOTENCY_KEEP_MS } from '../../src/limits.js';
import type { Clock } from '../../src/ports/clock.js';
import type { RepliedKey, Store } from '../../src/ports/store.js';
import { REFUSALS } from '../../src/verdict.js';
import type { Fated, RepeatKey } from '../calls/calls.js';
import { fatedAt, type Ride } from '../senders.js';

const KEYS_MAX = 5000;

interface Known {
  readonly fingerprint: string;
  readonly expiresAt: number;
  readonly answer: Promise<Fated>;
  done: boolean;
}

export class Repeats {
  readonly #known = new Map<string, Known>();
  readonly #room: RoomId;
  readonly #store: Store;
  readonly #clock: Clock;
  /** Until then the store may know keys that memory does not. */
  #lookUntil: number;

  constructor(room: RoomId, store: Store, clock: Clock, isNew: boolean) {
    this.#room = room;
    this.#store = store;
    this.#clock = clock;
    this.#lookUntil = isNew ? 0 : clock.now() + IDEMPOTENCY_KEEP_MS;
  }

  /**
   * The answer of `run`, or the first answer the key got. Throws BarrageError `idempotency_mismatch`
   * when the key was first used for something else.
   */
  async once(key: RepeatKey, run: () => Promise<Fated>): Promise<Fated> {
    const now = this.#clock.now();
    const known = this.#known.get(key.key);
    if (known !== undefined && (!known.done || known.expiresAt > now)) {
      if (known.fingerprint !== key.fingerprint) throw mismatch();
      return { ...(await known.answer), repeated: true };
    }
    const entry: Known = {
      fingerprint: key.fingerprint,
      expiresAt: now + IDEMPOTENCY_KEEP_MS,
      answer: this.#first(key, now, run),
      done: false,
    };
    this.#known.delete(key.key);
    this.#known.set(key.key, entry);
    this.#bound();
    try {
      const fated = await entry.answer;
      entry.done = true;
      if (isRefusal(fated)) this.#forget(key.key, entry);
      return fated;
    } catch (error) {
      this.#forget(key.key, entry);
      // A commit that failed late may have been applied: ask the store before trying again.
      this.#lookUntil = this.#clock.now() + IDEMPOTENCY_KEEP_MS;
      throw error;
    }
  }

  /** Lets go of what is past its time. */
  sweep(now: number): void {
    for (const [key, known] of this.#known) {
      if (known.expiresAt > now) break;
      if (known.done) this.#known.delete(key);
    }
  }

  async #first(key: RepeatKey, now: number, run: () => Promise<Fated>): Promise<Fated> {
    if (now >= this.#lookUntil) return run();
    const stored = await this.#store.findKey(this.#room, key.key, now);
    if (stored === undefined) return run();
    if (stored.fingerprint !== key.fingerprint) throw mismatch();
    return { ...(JSON.parse(stored.reply) as Fated), repeated: true };
  }

  #forget(key: string, entry: Known): void {
    if (this.#known.get(key) === entry) this.#known.delete(key);
  }

  #bound(): void {
    if (this.#known.size <= KEYS_MAX) return;
    for (const [key, known] of this.#known) {
      if (!known.done) continue;
      this.#known.delete(key);
      this.#lookUntil = Math.max(this.#lookUntil, known.expiresAt);
      return;
    }
  }
}

/** Adds the key's answer to the commit that logs its publication. */
export function rideWithKey(key: RepeatKey): Ride {
  return (work, placed) => {
    const reply: RepliedKey = {
      key: key.key,
      fingerprint: key.fingerprint,
      reply: JSON.stringify(fatedAt(placed)),
      expiresAt: work.now + IDEMPOTENCY_KEEP_MS,
    };
    work.keys.push(reply);
  };
}

function isRefusal(fated: Fated): boolean {
  return (REFUSALS as readonly string[]).includes(fated.verdict);
}

function mismatch(): BarrageError {
  return new BarrageError(
    'idempotency_mismatch',
    'this Idempotency-Key was first used with another body',
    { field: 'Idempotency-Key', rule: 'a new key for a new body' },
  );
}
