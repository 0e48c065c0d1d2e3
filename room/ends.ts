/**
 * Owns the telling of ends: what the core settled goes to the edge or the call it came from, and is
 * counted by its word. A call ends exactly once.
 */
import { BarrageError } from '../src/errors.js';
import type { Lane } from '../src/words.js';
import type { Fated } from './calls/calls.js';
import type { Settlement } from './core/types.js';
import type { RoomMeters } from './meters.js';
import { fatedOf, type CallSender, type Ride, type Sender } from './senders.js';
import type { Verdicts } from './verdicts.js';

export class Ends {
  readonly #verdicts: Verdicts;
  readonly #meters: RoomMeters;
  readonly #calls = new Set<CallSender>();

  constructor(verdicts: Verdicts, meters: RoomMeters) {
    this.#verdicts = verdicts;
    this.#meters = meters;
  }

  /** Calls not ended yet. */
  get waiting(): number {
    return this.#calls.size;
  }

  /** A call to be offered to the core by `offer`; resolves or rejects with its end. */
  call(lane: Lane, ride: Ride | undefined, offer: (sender: CallSender) => void): Promise<Fated> {
    return new Promise((resolve, reject) => {
      const sender: CallSender = {
        by: 'call',
        ride,
        placed: undefined,
        error: undefined,
        settle: (settlement) => {
          if (!this.#calls.delete(sender)) return;
          if (sender.error !== undefined) reject(sender.error);
          else if (settlement.verdict === 'closed') reject(closedError());
          else resolve(fatedOf(settlement, lane, sender.placed));
        },
      };
      this.#calls.add(sender);
      offer(sender);
    });
  }

  tell(settlements: readonly Settlement[]): void {
    for (const settlement of settlements) {
      this.#meters.verdicts.add(settlement.verdict);
      const sender = settlement.ref as Sender;
      if (sender.by === 'call') sender.settle(settlement);
      else this.#verdicts.add(sender.edge, verdictItem(sender.ref, settlement));
    }
  }

  /** Ends every call that still waits with the error. */
  rejectAll(error: BarrageError): void {
    for (const sender of this.#calls) {
      sender.error ??= error;
      sender.settle({ ref: sender, verdict: 'unavailable' });
    }
  }
}

export function closedError(): BarrageError {
  return new BarrageError('closed', 'the room is closed');
}

function verdictItem(ref: number, { verdict, id, retryAfterMs, reason }: Settlement) {
  return {
    ref,
    verdict,
    ...(id === undefined ? {} : { id }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
    ...(reason === undefined ? {} : { reason }),
  };
}
