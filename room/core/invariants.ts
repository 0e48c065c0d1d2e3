/**
 * Owns what must be true of a room between any two events, for tests, the simulation and a running
 * room under suspicion. Reads only.
 */
import type { RoomState } from './state.js';
import { isKeepable, queuedOf } from './state.js';
import { isFull, refCount, type LaneQueue } from './lanes.js';
import { LANES, type Lane } from '../../src/words.js';
import { LEVEL_FULL, LEVEL_MIN, LEVEL_SPARES_LIKES } from '../../src/admission-level.js';
import { COMBOS_MAX } from './combos.js';
import { ECHOES_MAX } from './echoes.js';
import { ENTER_NAMES_MAX } from './enters.js';
import { rememberedUsers, USERS_MAX } from './users.js';

/** A sentence for everything that is not as it must be; empty when all is well. */
export function checkInvariants(state: RoomState): string[] {
  const broken: string[] = [];
  const must = (holds: boolean, sentence: string): void => {
    if (!holds) broken.push(sentence);
  };
  const queued = sum(Object.values(queuedOf(state)));
  const ended = sum(Object.values(state.verdicts));
  must(state.received === ended + queued, `${state.received} in, ${ended} ended, ${queued} queued`);
  must(state.offered <= state.received, 'more offers than were taken in');
  must(Object.values(state.verdicts).every(isCount), 'a verdict count is no count');
  for (const lane of LANES) checkLane(state, lane, must);
  must(rememberedUsers(state.users) <= USERS_MAX, 'too many users remembered');
  must(isCount(state.likeReport.untold) && state.likeReport.untold <= state.likes, 'likes untold');
  const level = state.admission === LEVEL_FULL ? LEVEL_FULL : state.admission % LEVEL_SPARES_LIKES;
  must(level >= LEVEL_MIN && level <= LEVEL_FULL, 'admission out of bounds');
  must((state.meter?.passed ?? 0) <= (state.meter?.arrivals ?? 0), 'more passed than arrived');
  checkReports(state, must);
  must(state.uplink.level >= 0, 'uplink below zero');
  checkBudget(state, must);
  return broken;
}

type Must = (holds: boolean, sentence: string) => void;

function checkLane(state: RoomState, lane: Lane, must: Must): void {
  const queue = state.lanes[lane];
  const fits = queue.isExcused || !isFull(queue, state.settings.lanes[lane], 0, 0);
  must(fits, `${lane} is over its bounds`);
  must(queue.bytes === sum(queue.entries.map((entry) => entry.bytes)), `${lane} bytes`);
  must(queue.refs === sum(queue.entries.map(refCount)), `${lane} refs`);
  must(isCount(queue.planned), `${lane} planned`);
  must(isKeepable(lane) || queue.planned === 0, `${lane} keeps a plan open`);
  must(queue.credit >= -1, `${lane} credit below what a fraction can owe`);
  must(hasEqualsOfItsEntries(queue), `${lane} equals`);
  must(new Set(queue.entries).size === queue.entries.length, `${lane} holds an entry twice`);
  if (isKeepable(lane)) must(isInOrder(queue), `${lane} out of order`);
}

function checkReports({ combos, enters, echoes }: RoomState, must: Must): void {
  const grown = combos === undefined ? [] : [...combos.grown];
  const open = new Set(combos?.open.values());
  must(open.size <= COMBOS_MAX, 'too many combos open');
  must((combos?.ended.length ?? 0) <= 2 * COMBOS_MAX, 'too many combos ended');
  must(
    grown.every((combo) => open.has(combo)),
    'a combo grew that is not open',
  );
  must((enters?.names.length ?? 0) <= Math.min(enters?.count ?? 0, ENTER_NAMES_MAX), 'enter names');
  must((echoes?.texts.size ?? 0) <= ECHOES_MAX, 'too many echoes');
}

function checkBudget(state: RoomState, must: Must): void {
  const sent = state.budget.sent ?? [];
  must(state.budget.others === sum(sent.map((tick) => tick.others)), 'window of others');
  must(state.budget.control === sum(sent.map((tick) => tick.control)), 'window of control');
  must(state.budget.total >= 0, 'total credit below zero');
}

function hasEqualsOfItsEntries(queue: LaneQueue): boolean {
  const keyed = queue.entries.filter((entry) => entry.key !== '');
  if (keyed.length !== (queue.equals?.size ?? 0)) return false;
  return keyed.every((entry) => queue.equals?.get(entry.key) === entry);
}

function isInOrder(queue: LaneQueue): boolean {
  return queue.entries.every((entry, i) => i === 0 || queue.entries[i - 1]!.seq < entry.seq);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
