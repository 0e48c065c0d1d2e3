/**
 * Owns the room's door: the order in which a danmaku is judged, and what letting it in uses up.
 * Every judge is a small function that changes nothing; only what passed them all takes quota.
 * Knows no tick and no edge.
 */
import type { Random } from '../../src/random.js';
import type { Lane } from '../../src/words.js';
import { admissionRank } from '../../src/admission-level.js';
import { advanceAdmission, noteArrival, noteDemand, NO_RANK } from './admission.js';
import { settle, type Refused } from './books.js';
import { countEcho } from './echoes.js';
import { countStorming, isStorming } from './emoji-storm.js';
import { enqueue, refuseByLane } from './enqueue.js';
import { countEnter, isCountedEnter } from './enters.js';
import { newEntry } from './lanes.js';
import { canLike, countLike, isLike } from './likes.js';
import { mutedForMs } from './mute-all.js';
import { maySay } from './permissions.js';
import { takeOne, waitMs } from './quota.js';
import { isHeld, leftMs } from './sanctions.js';
import { isKeepable, laneOf, type RoomState } from './state.js';
import { isTextTooLong } from './text-bounds.js';
import type { Arrival, Offer } from './types.js';
import { kindWaitMs, repeatWaitMs, useLimits } from './user-limits.js';
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
  const rank = rankOf(state, arrival, isTrusted, now);
  if (state.meter !== undefined) advanceAdmission(state, state.settings.uplinkPerSecond, now);
  noteArrival(state, arrival, rank, now);
  const refused = refusalOf(state, arrival, now, isTrusted);
  if (refused !== undefined) return settle(state, arrival.ref, refused.verdict, refused);
  if (isLike(arrival)) return countLike(state, arrival, now);
  if (!isTrusted) {
    if (isStorming(state, arrival, now)) return countInStorm(state, arrival, now);
    const crowded = refuseByUplink(state, rank, now);
    if (crowded !== undefined) return settle(state, arrival.ref, crowded.verdict, crowded);
  }
  letIn(state, arrival, { isTrusted, now, random });
}

/** Why a danmaku would be refused now whatever the room's load. Takes no quota. */
export function refusalOf(
  state: RoomState,
  arrival: Arrival,
  now: number,
  isTrusted = isTrustedSpeaker(state, arrival, now),
): Refused | undefined {
  return (
    refuseByStatus(state, isTrusted) ??
    refuseByBan(state, arrival, now) ??
    refuseByMute(state, arrival, now) ??
    refuseByMuteAll(state, arrival, now) ??
    refuseBySpeaker(state, arrival) ??
    refuseByText(state, arrival) ??
    refuseBySlowMode(state, arrival, isTrusted, now) ??
    refuseByUserQuota(state, arrival, now) ??
    refuseByRepeat(state, arrival, isTrusted, now)
  );
}

/** Queues a studio's or the room's own publication: no user or uplink limits, the same lanes. */
export function offer(state: RoomState, offered: Offer, now: number, random: Random): void {
  state.received += 1;
  state.offered += 1;
  const { lane, ref } = offered;
  const entry = newEntry(offered, state.settings, now);
  const refused = state.status === 'closed' ? CLOSED : refuseByLane(state, lane, entry);
  if (refused !== undefined) return settle(state, ref, refused.verdict, refused);
  if (!isCountedEnter(state, offered, lane, now)) return enqueue(state, lane, entry, random);
  countEnter(state, offered, lane, now);
  settle(state, ref, 'counted');
}

function letIn(
  state: RoomState,
  arrival: Arrival,
  by: { readonly isTrusted: boolean; readonly now: number; readonly random: Random },
): void {
  const lane = laneFor(state, arrival, by.isTrusted);
  const entry = newEntry(arrival, state.settings, by.now);
  const refused = refuseByLane(state, lane, entry);
  if (refused !== undefined) return settle(state, arrival.ref, refused.verdict, refused);
  useUserQuotas(state, arrival, by.now);
  if (!by.isTrusted) takeOne(state.uplink);
  if (isCountedEnter(state, arrival, lane, by.now)) countEnter(state, arrival, lane, by.now);
  else if (!countEcho(state, entry, lane, by.now)) return enqueue(state, lane, entry, by.random);
  settle(state, arrival.ref, 'counted');
}

function countInStorm(state: RoomState, arrival: Arrival, now: number): void {
  useUserQuotas(state, arrival, now);
  countStorming(state, arrival, now);
  settle(state, arrival.ref, 'counted');
}

function useUserQuotas(state: RoomState, arrival: Arrival, now: number): void {
  const memory = rememberUser(state.users, arrival.user.id, state.settings.userBurst, now);
  memory.saidAt = now;
  takeOne(memory.said);
  useLimits(state.settings, memory, arrival, now);
}

/** Where the arrival stands with the admission level, which lets control and high always pass. */
function rankOf(state: RoomState, arrival: Arrival, isTrusted: boolean, now: number): number {
  const lane = isTrusted ? 'high' : laneOf(state.settings, arrival.kind);
  return isKeepable(lane) ? NO_RANK : admissionRank(lane, arrival.user.id, now);
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

/** Mute all spares the roles and users it names, and the allowed. */
function refuseByMuteAll(state: RoomState, arrival: Arrival, now: number): Refused | undefined {
  if (state.muteAll === undefined) return undefined;
  const { user, role } = arrival;
  const isAllowed = isHeld(state.allowed, user.id, now);
  const left = mutedForMs(state.muteAll, { user: user.id, role, isAllowed }, now);
  if (left === 0) return undefined;
  return { verdict: 'muted', retryAfterMs: left === Infinity ? undefined : left };
}

function refuseBySpeaker(state: RoomState, arrival: Arrival): Refused | undefined {
  if (arrival.role === 'guest' && !state.settings.guestsSpeak) return FORBIDDEN;
  const { viewerKinds, permissions } = state.settings;
  if (!viewerKinds.includes(arrival.kind)) return FORBIDDEN;
  return maySay(permissions, arrival.kind, arrival.role) ? undefined : FORBIDDEN;
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
    : Math.max(
        waitMs(memory.said, userPerSecond, userBurst, now),
        kindWaitMs(state.settings, memory, arrival.kind, now),
      );
  return wait > 0 ? { verdict: 'rate_limited', retryAfterMs: Math.ceil(wait) } : undefined;
}

function refuseByRepeat(
  state: RoomState,
  arrival: Arrival,
  isTrusted: boolean,
  now: number,
): Refused | undefined {
  if (state.settings.repeatTextMs === 0 || isTrusted || isLike(arrival)) return undefined;
  const memory = findUser(state.users, arrival.user.id);
  if (memory === undefined) return undefined;
  const wait = repeatWaitMs(state.settings, memory, arrival, now);
  return wait > 0 ? { verdict: 'repeated', retryAfterMs: Math.ceil(wait) } : undefined;
}

/** The limit of the room as a whole; who reached it is what the admission level is judged by. */
function refuseByUplink(state: RoomState, rank: number, now: number): Refused | undefined {
  const { uplinkPerSecond, uplinkBurst } = state.settings;
  noteDemand(state, rank);
  return waitMs(state.uplink, uplinkPerSecond, uplinkBurst, now) > 0 ? CROWDED : undefined;
}
