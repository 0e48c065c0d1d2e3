/**
 * Owns publications for users in whatever room they are: one note to all edges, not logged, and the
 * numbers the edges tell of it. Rules: SPEC R-SCOPE-8, R-ACK-4.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import { IDEMPOTENCY_KEEP_MS } from '../../src/limits.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import { randomId } from '../../src/random.js';
import { everyoneDeliverySubject, everyoneSubject } from '../../src/subjects.js';
import { VALID_MS_DEFAULT } from '../../src/target.js';
import { encodeJson, type EveryoneNote } from '../../src/wire/internal.js';
import { encodePublication } from '../../src/wire/publication.js';
import type { Draft, RepeatKey } from '../calls/calls.js';
import { Deliveries } from './deliveries.js';
import { checkDraft } from './drafts.js';
import { hearEveryone } from '../powers/scopes.js';

const TRACKED_MAX = 10_000;
const KEYS_MAX = 5000;

interface Sent {
  readonly fingerprint: string;
  readonly id: string;
  readonly expiresAt: number;
}

export class Everyone {
  readonly deliveries = new Deliveries(TRACKED_MAX);
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #hearing: Cancel;
  /** Answers by key, oldest first. */
  readonly #sent = new Map<string, Sent>();

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
    this.#hearing = hearEveryone(bus, everyoneDeliverySubject(), this.deliveries);
  }

  /** The publication's id. Throws BarrageError `invalid`, `idempotency_mismatch` or `unavailable`. */
  publish(users: readonly UserId[], draft: Draft, key?: RepeatKey): string {
    const now = this.#clock.now();
    const before = key === undefined ? undefined : this.#sent.get(key.key);
    if (before !== undefined && before.expiresAt > now) {
      if (before.fingerprint === key?.fingerprint) return before.id;
      throw new BarrageError('idempotency_mismatch', 'this key was first used with another body', {
        field: 'Idempotency-Key',
        rule: 'a new key for a new body',
      });
    }
    const id = this.#send(users, draft, now);
    if (key !== undefined) this.#remember(key, id, now);
    return id;
  }

  stop(): void {
    this.#hearing.cancel();
  }

  #send(users: readonly UserId[], draft: Draft, now: number): string {
    const { reliable = true, validMs = VALID_MS_DEFAULT, to: _, ...said } = draft;
    const named = [...new Set(users)];
    checkDraft({ ...draft, to: { users: named } });
    const id = `all-${randomId()}`;
    const lane = said.lane ?? 'normal';
    const ack = reliable ? { ack: true } : {};
    const json = encodePublication({ id, ...said, lane, at: Math.round(now), ...ack });
    const note: EveryoneNote = { id, users: named, json, ...(reliable ? { validMs } : {}) };
    this.deliveries.track(id, { users: named });
    if (this.#bus.publish(everyoneSubject(), encodeJson(note)) === 'sent') return id;
    throw new BarrageError('unavailable', 'the edges cannot be reached now', {
      retryAfterMs: 1000,
    });
  }

  #remember({ key, fingerprint }: RepeatKey, id: string, now: number): void {
    this.#sent.delete(key);
    this.#sent.set(key, { fingerprint, id, expiresAt: now + IDEMPOTENCY_KEEP_MS });
    if (this.#sent.size > KEYS_MAX) this.#sent.delete(this.#sent.keys().next().value!);
  }
}
