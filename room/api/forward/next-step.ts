/**
 * Owns what is done after an attempt to reach a shard's owner failed: try again, or which error.
 * Pure. What may have been done already is repeated only where a repeat is harmless.
 */
import { BarrageError } from '../../../src/errors.js';
import type { Random } from '../../../src/random.js';
import type { ForwardTuning } from './cluster.js';

/**
 * `nobody`, `not_mine`: nothing was begun; `busy`, `full`: neither, and trying again makes it worse;
 * `unknown`: handed over, no answer; `moved`: the owner lost the shard over it.
 */
export type Miss = 'nobody' | 'not_mine' | 'busy' | 'full' | 'unknown' | 'moved';

export interface Attempt {
  readonly miss: Miss;
  /** A repeat is harmless: the call reads, or carries a key that its route honours. */
  readonly isRepeatable: boolean;
  /** Attempts before this one. */
  readonly before: number;
  readonly now: number;
  readonly began: number;
  /** When an owner was last heard of or handed something; `began` when never. */
  readonly lastContact: number;
}

export type Next =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'fail'; readonly error: BarrageError };

const WAIT_MS_FIRST = 20;
const WAIT_MS_MAX = 250;
const RETRY_AFTER_MS = 1000;

export function nextStep(attempt: Attempt, tuning: ForwardTuning, random: Random): Next {
  const { miss, now, began, lastContact, isRepeatable } = attempt;
  switch (miss) {
    case 'busy':
      return fail('the service that owns the room has too many calls under way');
    case 'full':
      return fail('too many calls to other services are under way');
    case 'nobody':
    case 'not_mine':
      if (now - lastContact < tuning.ownerMs) return wait(attempt.before, random);
      return fail('no service owns the room now');
    case 'moved':
    case 'unknown':
      if (!isRepeatable) return fail(UNCERTAIN);
      if (now - began < tuning.repeatMs) return wait(attempt.before, random);
      return fail('the service that owns the room does not answer');
  }
}

const UNCERTAIN =
  'the service that owns the room did not answer: the call may have been done, read before repeating';

/** Twice as long each time, by half at random, so that those who wait do not come at once. */
function wait(before: number, random: Random): Next {
  const most = Math.min(WAIT_MS_MAX, WAIT_MS_FIRST * 2 ** Math.min(before, 10));
  return { do: 'wait', ms: Math.ceil(most * (0.5 + random.next() / 2)) };
}

function fail(message: string): Next {
  const error = new BarrageError('unavailable', message, { retryAfterMs: RETRY_AFTER_MS });
  return { do: 'fail', error };
}
