/**
 * Owns the way into a lane: merge with an equal, refuse at a full keepable lane, or let one go at a
 * full droppable one. Knows no user rule and no tick.
 */
import type { Random } from '../../src/random.js';
import type { ShedOrder } from '../../src/room-settings.js';
import { LANES, type Lane } from '../../src/words.js';
import { paceOf } from './audience.js';
import { settle, settleLost, type Refused } from './books.js';
import {
  isFull,
  mergeInto,
  pushEntry,
  removeAt,
  twinOf,
  type Entry,
  type LaneQueue,
} from './lanes.js';
import { isKeepable, isWaiting, type RoomState } from './state.js';

const TOO_LARGE: Refused = { verdict: 'too_large' };

/** Keepable lanes refuse a newcomer they have no place for; nothing once queued is given up. */
export function refuseByLane(state: RoomState, lane: Lane, entry: Entry): Refused | undefined {
  const bounds = state.settings.lanes[lane];
  if (entry.bytes > bounds.bytes) return TOO_LARGE;
  if (!isKeepable(lane)) return undefined;
  const queue = state.lanes[lane];
  if (twinOf(queue, entry) !== undefined || !isFull(queue, bounds, 1, entry.bytes))
    return undefined;
  return { verdict: 'overloaded', retryAfterMs: paceOf(state.settings, state.row).tickMs };
}

/** Queues or merges what `refuseByLane` let pass. */
export function enqueue(state: RoomState, lane: Lane, entry: Entry, random: Random): void {
  const queue = state.lanes[lane];
  const twin = twinOf(queue, entry);
  if (twin !== undefined) {
    if (!mergeInto(queue, twin, entry.said.ref)) settle(state, entry.said.ref, 'shed');
    return;
  }
  if (!isKeepable(lane) && !makeRoom(state, lane, entry, random)) {
    return settleLost(state, entry, 'shed');
  }
  const times = state.times;
  if (!isWaiting(state)) times.waitingSince = entry.at;
  if (isKeepable(lane)) times.isUrgent = true;
  state.seq += 1;
  entry.seq = state.seq;
  pushEntry(queue, entry);
}

/** Sheds until the newcomer fits; false when the newcomer itself was drawn. */
function makeRoom(state: RoomState, lane: Lane, newcomer: Entry, random: Random): boolean {
  const queue = state.lanes[lane];
  const bounds = state.settings.lanes[lane];
  while (isFull(queue, bounds, 1, newcomer.bytes)) {
    const victim = victimOf(queue, bounds.shed ?? 'random', random);
    if (victim === queue.entries.length) return false;
    settleLost(state, removeAt(queue, victim), 'shed');
  }
  return true;
}

/** Place of the one that goes; that past the last is the newcomer's. */
function victimOf(queue: LaneQueue, order: ShedOrder, random: Random): number {
  const { entries } = queue;
  if (order === 'random') return random.below(entries.length + 1);
  if (order === 'newest') return entries.length;
  let oldest = 0;
  for (let i = 1; i < entries.length; i++) if (entries[i]!.seq < entries[oldest]!.seq) oldest = i;
  return oldest;
}

/** Brings droppable lanes back within settings that shrank under them; keepable ones drain. */
export function trimLanes(state: RoomState, random: Random): void {
  for (const lane of LANES) {
    const queue = state.lanes[lane];
    if (!queue.isExcused) continue;
    const bounds = state.settings.lanes[lane];
    while (!isKeepable(lane) && isFull(queue, bounds, 0, 0)) {
      settleLost(state, removeAt(queue, random.below(queue.entries.length)), 'shed');
    }
    queue.isExcused = isFull(queue, bounds, 0, 0);
  }
}
