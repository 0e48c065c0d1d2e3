/**
 * Owns enter notices: counted and told as one with a few names; users who matter are told by name and
 * never come here. Knows no lane's queue.
 */
import type { Lane, Publication } from '../../src/words.js';
import { publicationId } from './likes.js';
import type { DueReport } from './reports.js';
import { isHeld } from './sanctions.js';
import { isKeepable, type RoomState } from './state.js';
import type { Said } from './types.js';

export const ENTER_KIND = 'enter';
/** Names told with the count. */
export const ENTER_NAMES_MAX = 3;

export interface Enters {
  count: number;
  names: string[];
  /** Lane of the first of them. */
  lane: Lane;
  since: number;
  toldAt: number;
}

/** Whether it is one of many; by name go users of the level, allowed ones, and keepable notices. */
export function isCountedEnter(state: RoomState, said: Said, lane: Lane, now: number): boolean {
  if (said.kind !== ENTER_KIND || state.settings.enterEveryMs === 0) return false;
  if (isKeepable(lane)) return false;
  const { user } = said;
  if (user === undefined || said.text !== undefined || said.data !== undefined) return false;
  const isNamed = (user.level ?? 0) >= state.settings.enterNameLevel;
  return !isNamed && !isHeld(state.allowed, user.id, now);
}

/** Counts one `isCountedEnter` said yes to. */
export function countEnter(state: RoomState, { user }: Said, lane: Lane, now: number): void {
  const enters = (state.enters ??= { count: 0, names: [], lane, since: now, toldAt: -Infinity });
  if (enters.count === 0) {
    enters.since = now;
    enters.lane = lane;
  }
  enters.count += 1;
  if (enters.names.length < ENTER_NAMES_MAX) enters.names.push(user!.name ?? user!.id);
}

export function entersReadyAt(state: RoomState): number {
  const enters = state.enters;
  if (enters === undefined || enters.count === 0) return Infinity;
  return Math.max(enters.since, enters.toldAt + state.settings.enterEveryMs);
}

export function dueEnters(state: RoomState, now: number): DueReport[] {
  const enters = state.enters;
  if (enters === undefined || entersReadyAt(state) > now) return [];
  return [{ lane: enters.lane, tell: () => tellEnters(state, enters, now) }];
}

/** Forgets when nobody entered for a while, so that a quiet room takes no memory. */
export function restEnters(state: RoomState, now: number): void {
  const enters = state.enters;
  if (enters?.count === 0 && now - enters.toldAt > state.settings.enterEveryMs) {
    state.enters = undefined;
  }
}

function tellEnters(state: RoomState, enters: Enters, now: number): Publication {
  const { count, names, lane } = enters;
  enters.count = 0;
  enters.names = [];
  enters.toldAt = now;
  state.seq += 1;
  const id = publicationId(state, state.seq);
  return { id, kind: ENTER_KIND, lane, at: Math.round(now), count, data: { names } };
}
