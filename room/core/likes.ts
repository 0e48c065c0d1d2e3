/**
 * Owns likes: counted one by one, told as one publication in a while. A like takes the same door as a
 * danmaku but neither slow mode nor the room's uplink. Knows no lane's queue: a report waits here.
 */
import type { KindLimit } from '../../src/room-settings.js';
import { LIKE_KIND, type Publication } from '../../src/words.js';
import { settle } from './books.js';
import { fullBucket, takeOne, waitMs } from './quota.js';
import type { DueReport } from './reports.js';
import { laneOf, type RoomState } from './state.js';
import type { Arrival, Said } from './types.js';
import { rememberUser, type UserMemory } from './users.js';

/** A user may like this many times as fast as speak: taps, not sentences. */
export const LIKE_FACTOR = 5;

export function isLike(said: Said): boolean {
  return said.kind === LIKE_KIND;
}

/** Milliseconds until the user's next like is let in, 0 for now. */
export function canLike(state: RoomState, memory: UserMemory, now: number): number {
  if (memory.likes === undefined) return 0;
  const { perSecond, burst } = likeLimit(state);
  return waitMs(memory.likes, perSecond, burst, now);
}

/** Counts a like that was let in. */
export function countLike(state: RoomState, arrival: Arrival, now: number): void {
  const memory = rememberUser(state.users, arrival.user.id, state.settings.userBurst, now);
  memory.likes ??= fullBucket(likeLimit(state).burst, now);
  takeOne(memory.likes);
  const report = state.likeReport;
  if (report.untold === 0) report.since = now;
  report.untold += 1;
  state.likes += 1;
  settle(state, arrival.ref, 'counted');
}

/** The room's limit of the kind, or a multiple of what a user may say. */
function likeLimit(state: RoomState): KindLimit {
  const { userPerSecond, userBurst, kindLimits } = state.settings;
  const own = Object.hasOwn(kindLimits, LIKE_KIND) ? kindLimits[LIKE_KIND] : undefined;
  return own ?? { perSecond: userPerSecond * LIKE_FACTOR, burst: userBurst * LIKE_FACTOR };
}

/** The report of all likes not told yet, when its time has come. */
export function dueLikes(state: RoomState, now: number): DueReport[] {
  if (likesReadyAt(state) > now) return [];
  return [{ lane: laneOf(state.settings, LIKE_KIND), tell: () => tellLikes(state, now) }];
}

/** When the likes not told yet may be told; Infinity when there are none. */
export function likesReadyAt(state: RoomState): number {
  const { untold, since, toldAt } = state.likeReport;
  return untold === 0 ? Infinity : Math.max(since, toldAt + state.settings.likeEveryMs);
}

/** All likes not told yet, which then count as told. */
function tellLikes(state: RoomState, now: number): Publication {
  const report = state.likeReport;
  const count = report.untold;
  report.untold = 0;
  report.toldAt = now;
  state.seq += 1;
  return {
    id: publicationId(state, state.seq),
    kind: LIKE_KIND,
    lane: laneOf(state.settings, LIKE_KIND),
    at: Math.round(now),
    count,
    data: { total: state.likes },
  };
}

/** Takes back a report that could not be logged: the next one carries its likes. */
export function untellLikes(state: RoomState, report: Publication): void {
  if (state.likeReport.untold === 0) state.likeReport.since = report.at;
  state.likeReport.untold += report.count ?? 1;
}

export function publicationId(state: RoomState, seq: number): string {
  return `${state.epoch.toString(36)}-${seq.toString(36)}`;
}
