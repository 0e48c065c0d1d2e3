/**
 * Owns every change of a room that is not a danmaku: settings, status, sanctions, audience, and the
 * forgetting of what has lapsed. Persistence is the shell's; here a change holds at once.
 */
import type { UserId } from '../../src/ids.js';
import type { RoomSettings } from '../../src/room-settings.js';
import { LANES, type RoomStatus } from '../../src/words.js';
import { advanceAdmission, restAdmission } from './admission.js';
import { NO_ROW, paceOf, rowFor } from './audience.js';
import { accrue } from './budget.js';
import { settleLost } from './books.js';
import { isFull, removeFirst } from './lanes.js';
import { fillMs } from './quota.js';
import { endedSanctions, withoutSanction, withSanction } from './sanctions.js';
import type { RoomState } from './state.js';
import { restCombos } from './combos.js';
import { restEchoes } from './echoes.js';
import { restStorm } from './emoji-storm.js';
import { restEnters } from './enters.js';
import { limitsMs } from './user-limits.js';
import { forgetIdle } from './users.js';

/** The longest slow mode there is: who spoke is remembered at least this long. */
const REMEMBER_MS_MIN = 120_000;

/** Sanctions that `sweep` found ended and forgot; the shell may delete their records. */
export interface Lapsed {
  readonly mutes: readonly UserId[];
  readonly bans: readonly UserId[];
  readonly allowed: readonly UserId[];
}

/**
 * Holds from the next event on. A lane over bounds that shrank is brought back by the next tick: a
 * droppable one sheds at random, a keepable one gives up nothing and refuses newcomers until it fits.
 */
export function applySettings(state: RoomState, settings: RoomSettings, now: number): void {
  advanceAdmission(state, state.settings.uplinkPerSecond, now);
  accrueNow(state, now);
  state.settings = settings;
  state.row = rowFor(settings, state.online, NO_ROW);
  for (const lane of LANES) {
    const queue = state.lanes[lane];
    queue.isExcused = isFull(queue, settings.lanes[lane], 0, 0);
  }
}

/** What is queued still goes out; a closed room takes in nothing more. */
export function setStatus(state: RoomState, status: RoomStatus): void {
  state.status = status;
}

/** The room is another owner's: all that waits ends as `unavailable`. */
export function giveUp(state: RoomState): void {
  for (const lane of LANES) {
    const queue = state.lanes[lane];
    for (const entry of removeFirst(queue, queue.entries.length)) {
      settleLost(state, entry, 'unavailable');
    }
  }
}

/** `until` in unix milliseconds, 0 for good; replaces an earlier end, one in the past lifts it. */
export function mute(state: RoomState, user: UserId, until: number, now: number): void {
  if (until !== 0 && until <= now) return unmute(state, user);
  state.mutes = withSanction(state.mutes, user, until);
}

export function unmute(state: RoomState, user: UserId): void {
  state.mutes = withoutSanction(state.mutes, user);
}

/** As `mute`. */
export function ban(state: RoomState, user: UserId, until: number, now: number): void {
  if (until !== 0 && until <= now) return unban(state, user);
  state.bans = withSanction(state.bans, user, until);
}

export function unban(state: RoomState, user: UserId): void {
  state.bans = withoutSanction(state.bans, user);
}

/** Makes a user trusted: exempt from freeze, slow mode and uplink, heard in the high lane. */
export function allow(state: RoomState, user: UserId, until: number): void {
  state.allowed = withSanction(state.allowed, user, until);
}

export function disallow(state: RoomState, user: UserId): void {
  state.allowed = withoutSanction(state.allowed, user);
}

/**
 * Viewers of the room on all edges; chooses the row of the audience table. What was earned until
 * `now` was earned at the old row's pace.
 */
export function setOnline(state: RoomState, online: number, now: number): void {
  state.online = online;
  const row = rowFor(state.settings, online, state.row);
  if (row === state.row) return;
  accrueNow(state, now);
  state.row = row;
}

/** Forgets ended sanctions, users with every quota regained, and a meter at rest. */
export function sweep(state: RoomState, now: number): Lapsed {
  const lapsed = {
    mutes: endedSanctions(state.mutes, now),
    bans: endedSanctions(state.bans, now),
    allowed: endedSanctions(state.allowed, now),
  };
  for (const user of lapsed.mutes) unmute(state, user);
  for (const user of lapsed.bans) unban(state, user);
  for (const user of lapsed.allowed) disallow(state, user);
  const { userPerSecond, userBurst } = state.settings;
  const idleMs = Math.max(fillMs(userPerSecond, userBurst), limitsMs(state.settings));
  forgetIdle(state.users, Math.max(REMEMBER_MS_MIN, idleMs), now);
  restCombos(state);
  restEnters(state, now);
  restStorm(state, now);
  restEchoes(state, now);
  advanceAdmission(state, state.settings.uplinkPerSecond, now);
  restAdmission(state);
  return lapsed;
}

/** Books what the budget earned so far, before its rate changes. */
function accrueNow(state: RoomState, now: number): void {
  const { budget, lanes, settings, times } = state;
  accrue(budget, lanes, settings.lanes, paceOf(settings, state.row), now - times.accruedAt);
  times.accruedAt = now;
}
