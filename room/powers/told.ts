/**
 * Owns how a power says something that must be in the log together with a change of its records.
 */
import { BarrageError } from '../../src/errors.js';
import type { Draft, Fated } from '../calls/calls.js';
import type { PowerHost } from './power.js';
import type { Ride } from '../senders.js';

/**
 * The fate of a keepable publication that went through; `ride` adds to its commit. Throws
 * BarrageError `unavailable` when a full lane refused it, `closed`, or the store's error.
 */
export async function told(host: PowerHost, draft: Draft, ride?: Ride): Promise<Fated> {
  const fated = await host.post(draft, ride);
  if (fated.verdict === 'published' || fated.verdict === 'merged') return fated;
  throw new BarrageError('unavailable', `it ended as ${fated.verdict}`, {
    retryAfterMs: fated.retryAfterMs ?? 1000,
  });
}
