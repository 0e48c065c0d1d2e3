/**
 * Owns the room's door: the order in which a danmaku is judged, and what letting it in uses up.
 * Every judge is a small function that changes nothing; only what passed them all takes quota.
 * Knows no tick and no edge.
 */
import type { Random } from '../../src/random.js';
import type { Lane } from '../../src/words.js';
import { noteDemand } from './admission.js';
import { settle, type Refused } from './books.js';
import { enqueue, refuseByLane } from './enqueue.js';
import { newEntry } from './lanes.js';
import { canLike, countLike, isLike } from './likes.js';
import { takeOne, waitMs } from './quota.js';
import { isHeld, leftMs } from './sanctions.js';
import { isKeepable, laneOf, type RoomState } from './state.js';
import { isTextTooLong } from './text-bounds.js';
import type { Arrival, Offer } from './types.js';
import { findUser, rememberUser } from './users.js';

/** Told to those the room's uplink refuses: sooner they would only join the crowd again. */
const UPLINK_RETRY_MS = 1000;

const CLOSED: Refused = { verdict: 'closed' };
const FROZEN: Refused = { verdict: 'frozen' };
const FORBIDDEN: Refused = { verdict: 'forbidden' };
const INVALID: Refused = { verdict: 'invalid' };
const CROWDED: Refused = { verdict: 'rate_limited', retryAfterMs: UPLINK_RETRY_MS };

/** Judges a viewer's danmaku: settled at once, or queued. `now` in unix milliseconds. */
export function admit(state: RoomState, arrival: Arrival, now: number, random: Random): void {
  state.received += 1;
  const isTrusted = isTrustedSpeaker(state, arrival, now);
  const refused =
    refuseByStatus(state, isTrusted) ??
    refuseByBan(state, arrival, now) ??
    refuseByMute(state, arrival, now) ??
    refuseBySpeaker(state, arrival) ??
    refuseByText(state, arrival) ??
    refuseBySlowMode(state, arrival, isTrusted, now) ??
    refuseByUserQuota(state, arrival, now) ??
    refuseByUplink(state, arrival, isTrusted, now);
  if (refused !== undefined) return settle(state, arrival.ref, refused.verdict, refused);
  if (isLike(arrival)) return countLike(state, arrival, now);
  letIn(state, arrival, { isTrusted, now, random });
}

/** Queues a studio's or the room's own publication: no user or uplink limits, the same lanes. */
export function offer(state: RoomState, offered: Offer, now: number, random: Random): void {
  state.received += 1;
  state.offered += 1;
  const entry = newEntry(offered, now);
  const refused = state.status === 'closed' ? CLOSED : refuseByLane(state, offered.lane, entry);
  if (refused !== undefined) return settle(state, offered.ref, refused.verdict, refused);
  enqueue(state, offered.lane, entry, random);
}

function letIn(
  state: RoomState,
  arrival: Arrival,
  by: { readonly isTrusted: boolean; readonly now: number; readonly random: Random },
): void {
  const lane = laneFor(state, arrival, by.isTrusted);
  const entry = newEntry(arrival, by.now);
  const refused = refuseByLane(state, lane, entry);
  if (refused !== undefined) return settle(state, arrival.ref, refused.verdict, refused);
  const memory = rememberUser(state.users, arrival.user.id, state.settings.userBurst, by.now);
  memory.saidAt = by.now;
  takeOne(memory.said);
  if (!by.isTrusted) takeOne(state.uplink);
  enqueue(state, lane, entry, by.random);
}

/** Hosts, moderators and allowed users: exempt from freeze, slow mode and the room's uplink. */
function isTrustedSpeaker(state: RoomState, arrival: Arrival, now: number): boolean {
  const { role, user } = arrival;
  return role === 'host' || role === 'moderator' || isHeld(state.allowed, user.id, now);
}

/** Trusted speakers go to `high`, or to `control` when the room names it for the kind. */
function laneFor(state: RoomState, arrival: Arrival, isTrusted: boolean): Lane {
  const named = laneOf(state.settings, arrival.kind);
  return isTrusted && !isKeepable(named) ? 'high' : named;
}

function refuseByStatus(state: RoomState, isTrusted: boolean): Refused | undefined {
  if (state.status === 'closed') return CLOSED;
  return state.status === 'frozen' && !isTrusted ? FROZEN : undefined;
}

function refuseByBan(state: RoomState, arrival: Arrival, now: number): Refused | undefined {
  const user = arrival.user.id;
  if (!isHeld(state.bans, user, now)) return undefined;
  return { verdict: 'banned', retryAfterMs: leftMs(state.bans, user, now) };
}

function refuseByMute(state: RoomState, arrival: Arrival, now: number): Refused | undefined {
  const user = arrival.user.id;
  if (!isHeld(state.mutes, user, now)) return undefined;
  return { verdict: 'muted', retryAfterMs: leftMs(state.mutes, user, now) };
}

function refuseBySpeaker(state: RoomState, arrival: Arrival): Refused | undefined {
  if (arrival.role === 'guest' && !state.settings.guestsSpeak) return FORBIDDEN;
  return state.settings.viewerKinds.includes(arrival.kind) ? undefined : FORBIDDEN;
}

function refuseByText(state: RoomState, arrival: Arrival): Refused | undefined {
  if (arrival.text === undefined) return undefined;
  return isTextTooLong(arrival.text, state.settings) ? INVALID : undefined;
}

/** Slow mode paces what is said; likes say nothing. */
function refuseBySlowMode(
  state: RoomState,
  arrival: Arrival,
  isTrusted: boolean,
  now: number,
): Refused | undefined {
  const slowModeMs = state.settings.slowModeMs;
  if (slowModeMs === 0 || isTrusted || isLike(arrival)) return undefined;
  const memory = findUser(state.users, arrival.user.id);
  if (memory === undefined) return undefined;
  const wait = memory.saidAt + slowModeMs - now;
  return wait > 0 ? { verdict: 'slow_mode', retryAfterMs: Math.ceil(wait) } : undefined;
}

function refuseByUserQuota(state: RoomState, arrival: Arrival, now: number): Refused | undefined {
  const memory = findUser(state.users, arrival.user.id);
  if (memory === undefined) return undefined;
  const { userPerSecond, userBurst } = state.settings;
  const wait = isLike(arrival)
    ? canLike(state, memory, now)
    : waitMs(memory.said, userPerSecond, userBurst, now);
  return wait > 0 ? { verdict: 'rate_limited', retryAfterMs: Math.ceil(wait) } : undefined;
}

/** The limit of the room as a whole; who reached it is what the admission level is judged by. */
function refuseByUplink(
  state: RoomState,
  arrival: Arrival,
  isTrusted: boolean,
  now: number,
): Refused | undefined {
  if (isTrusted || isLike(arrival)) return undefined;
  const { uplinkPerSecond, uplinkBurst } = state.settings;
  noteDemand(state, uplinkPerSecond, now);
  return waitMs(state.uplink, uplinkPerSecond, uplinkBurst, now) > 0 ? CROWDED : undefined;
}
