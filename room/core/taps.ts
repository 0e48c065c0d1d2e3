/**
 * Owns the door for what viewers do beside speaking (votes, queues, acknowledgements): who may, and
 * how fast. What it means is a power's; here it is let in and its end is booked.
 */
import { settle, type Refused } from './books.js';
import { canLike, LIKE_FACTOR } from './likes.js';
import { fullBucket, takeOne } from './quota.js';
import { isHeld, leftMs } from './sanctions.js';
import type { RoomState } from './state.js';
import type { Arrival, Settlement } from './types.js';
import { findUser, rememberUser } from './users.js';

/**
 * Why a tap is not let in, or undefined: then it has used up one of the user's taps, of which likes
 * are others. `isGuestFine`: guests may do it even where they may not speak.
 */
export function refuseTap(
  state: RoomState,
  arrival: Arrival,
  isGuestFine: boolean,
  now: number,
): Refused | undefined {
  const user = arrival.user.id;
  if (state.status === 'closed') return { verdict: 'closed' };
  if (isHeld(state.bans, user, now)) {
    return { verdict: 'banned', retryAfterMs: leftMs(state.bans, user, now) };
  }
  const isTrusted = arrival.role === 'host' || arrival.role === 'moderator';
  const mayAct = isTrusted || isHeld(state.allowed, user, now);
  if (state.status === 'frozen' && !mayAct) return { verdict: 'frozen' };
  if (arrival.role === 'guest' && !isGuestFine && !state.settings.guestsSpeak) {
    return { verdict: 'forbidden' };
  }
  const memory = findUser(state.users, user);
  const wait = memory === undefined ? 0 : canLike(state, memory, now);
  if (wait > 0) return { verdict: 'rate_limited', retryAfterMs: Math.ceil(wait) };
  takeTap(state, arrival, now);
  return undefined;
}

/** Books an arrival that never went through the core's own door, with its end. */
export function settleTap(state: RoomState, settlement: Settlement): void {
  state.received += 1;
  settle(state, settlement.ref, settlement.verdict, settlement);
}

function takeTap(state: RoomState, arrival: Arrival, now: number): void {
  const { userBurst } = state.settings;
  const memory = rememberUser(state.users, arrival.user.id, userBurst, now);
  memory.likes ??= fullBucket(userBurst * LIKE_FACTOR, now);
  takeOne(memory.likes);
}
