/**
 * Owns the one door by which anything ends: a settlement in the outbox and a count by its word, so
 * that received always equals the ends plus what is still queued. Knows no rule.
 */
import type { Refusal, Verdict } from '../../src/verdict.js';
import type { Entry } from './lanes.js';
import type { RoomState } from './state.js';
import type { Ref, Settlement } from './types.js';

/** Why something is not let in. */
export interface Refused {
  readonly verdict: Refusal;
  readonly retryAfterMs?: number | undefined;
}

/** Ends one danmaku or offer. */
export function settle(
  state: RoomState,
  ref: Ref,
  verdict: Verdict,
  more?: {
    readonly id?: string;
    readonly retryAfterMs?: number | undefined;
    readonly reason?: string;
  },
): void {
  state.verdicts[verdict] += 1;
  if (verdict === 'sampled_out' || verdict === 'shed') state.lost += 1;
  const settled = settlement(ref, verdict, more?.id, more?.retryAfterMs);
  state.settled.push(more?.reason === undefined ? settled : { ...settled, reason: more.reason });
}

/** Ends all that an entry stands for the same way: those who merged share its fate. */
export function settleLost(
  state: RoomState,
  entry: Entry,
  verdict: 'sampled_out' | 'shed' | 'unavailable',
): void {
  settle(state, entry.said.ref, verdict);
  if (entry.more !== undefined) for (const ref of entry.more) settle(state, ref, verdict);
}

/** Ends the senders of a publication that went out: the first `published`, the others `merged`. */
export function settleSent(state: RoomState, refs: readonly Ref[], id: string): void {
  for (let i = 0; i < refs.length; i++) {
    settle(state, refs[i], i === 0 ? 'published' : 'merged', { id });
  }
}

function settlement(
  ref: Ref,
  verdict: Verdict,
  id: string | undefined,
  retryAfterMs: number | undefined,
): Settlement {
  if (id !== undefined) return { ref, verdict, id };
  return retryAfterMs === undefined ? { ref, verdict } : { ref, verdict, retryAfterMs };
}
