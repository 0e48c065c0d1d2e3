/**
 * Owns answering: how many requests are being answered at once, and that each ends in an answer, a
 * refusal the asker hears of, or a count.
 */
import { BarrageError, asBarrageError } from '../errors.js';
import type { NatsWire } from './nats-bus-wire.js';
import type { NatsMeters } from './nats-meters.js';
import { Account, type Bounds, type Pending } from './nats-pending.js';

export type Answer = (bytes: Uint8Array) => Promise<Uint8Array>;

export interface ServingParts {
  readonly pending: Pending;
  readonly meters: NatsMeters;
  readonly wire: () => NatsWire | undefined;
}

export class NatsServing {
  readonly #underWay: Account;
  readonly #parts: ServingParts;
  #idle: (() => void)[] = [];

  constructor(bounds: Bounds, parts: ServingParts) {
    this.#underWay = new Account(bounds);
    this.#parts = parts;
  }

  /** Answers one request. Never rejects. */
  async take(answer: Answer, bytes: Uint8Array, reply: string): Promise<void> {
    if (!this.#underWay.take(bytes.byteLength)) return this.refuse(reply);
    try {
      this.#send(reply, await answer(bytes));
    } catch (error) {
      this.#refuse(reply, 'internal', asBarrageError(error).message);
    } finally {
      this.#underWay.give(bytes.byteLength);
      if (this.#underWay.items === 0) for (const end of this.#idle.splice(0)) end();
    }
  }

  /** Tells the asker that too many ask. */
  refuse(reply: string): void {
    this.#refuse(reply, 'bus_full', 'too many requests are being answered');
  }

  /** Resolves when nothing is being answered. */
  idle(): Promise<void> {
    if (this.#underWay.items === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #send(reply: string, bytes: Uint8Array): void {
    const { pending, meters } = this.#parts;
    const wire = this.#parts.wire();
    if (wire !== undefined && bytes.byteLength > wire.maxPayload) {
      throw new BarrageError('too_large', `an answer of ${bytes.byteLength} bytes is too large`);
    }
    if (wire === undefined || !pending.answers.take(bytes.byteLength))
      return meters.answers.add('lost');
    wire.publish(reply, bytes);
    pending.nudge();
    meters.answers.add('sent');
  }

  #refuse(reply: string, code: 'internal' | 'bus_full', why: string): void {
    const { pending, meters } = this.#parts;
    const wire = this.#parts.wire();
    const isTaken = wire !== undefined && pending.answers.take(why.length);
    try {
      if (isTaken) wire.refuse(reply, code, why);
      meters.answers.add(isTaken ? 'refused' : 'lost');
    } catch {
      meters.answers.add('lost');
    }
    pending.nudge();
  }
}
