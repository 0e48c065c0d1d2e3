/**
 * Owns storms of very short texts: past a rate they leave the lane and are told as the few most said
 * with their counts. Bounded by Space-Saving counters. Knows no lane's queue.
 */
import { TopCounts } from '../../src/sketch/top-counts.js';
import { EMOJI_KIND, type Lane, type Publication } from '../../src/words.js';
import { normalFor } from './equal-text.js';
import { publicationId } from './likes.js';
import { fullBucket, takeOne, waitMs, type Bucket } from './quota.js';
import type { DueReport } from './reports.js';
import { isKeepable, laneOf, type RoomState } from './state.js';
import type { Arrival } from './types.js';

/** Characters (code points, after normalisation) of a text that can be part of a storm. */
export const STORM_CHARACTERS_MAX = 4;
/** Different texts counted at once; the most said are among them for certain. */
const TEXTS_MAX = 256;

export interface Storm {
  /** What goes the usual way. */
  readonly quiet: Bucket;
  top: TopCounts | undefined;
  since: number;
  toldAt: number;
}

/** Whether the arrival is past the rate of short texts; uses that rate up when it is not. */
export function isStorming(state: RoomState, arrival: Arrival, now: number): boolean {
  const rate = state.settings.emojiPerSecond;
  if (rate === 0 || !isShort(state, arrival)) return false;
  const burst = Math.max(1, rate);
  state.storm ??= { quiet: fullBucket(burst, now), top: undefined, since: now, toldAt: -Infinity };
  const { quiet } = state.storm;
  if (waitMs(quiet, rate, burst, now) > 0) return true;
  takeOne(quiet);
  return false;
}

/** Counts one `isStorming` said yes to. */
export function countStorming(state: RoomState, arrival: Arrival, now: number): void {
  const storm = state.storm!;
  storm.top ??= new TopCounts(TEXTS_MAX);
  if (storm.top.total === 0) storm.since = now;
  storm.top.add(normalFor(state.settings, arrival.text!));
}

export function stormReadyAt(state: RoomState): number {
  const storm = state.storm;
  if (storm?.top === undefined || storm.top.total === 0) return Infinity;
  return Math.max(storm.since, storm.toldAt) + state.settings.emojiEveryMs;
}

export function dueStorm(state: RoomState, now: number): DueReport[] {
  const storm = state.storm;
  if (storm?.top === undefined || stormReadyAt(state) > now) return [];
  const lane = stormLane(state);
  const top = storm.top;
  return [{ lane, tell: () => tellStorm(state, storm, top, { lane, now }) }];
}

/** Forgets a storm that is over. */
export function restStorm(state: RoomState, now: number): void {
  const storm = state.storm;
  if (storm === undefined || (storm.top?.total ?? 0) > 0) return;
  if (now - Math.max(storm.toldAt, storm.quiet.at) > state.settings.emojiEveryMs) {
    state.storm = undefined;
  }
}

function tellStorm(
  state: RoomState,
  storm: Storm,
  top: TopCounts,
  { lane, now }: { readonly lane: Lane; readonly now: number },
): Publication {
  const count = top.total;
  // What is certain: a count may be too high by its error, never by more.
  const texts = top.top(state.settings.emojiTop).map(({ key, count, error }) => {
    return { text: key, count: count - error };
  });
  storm.toldAt = now;
  storm.top = undefined;
  state.seq += 1;
  const id = publicationId(state, state.seq);
  const data = { top: texts.filter((text) => text.count > 0) };
  return { id, kind: EMOJI_KIND, lane, at: Math.round(now), count, data };
}

/** Counts are told again and again: they are never kept. */
function stormLane(state: RoomState): Lane {
  const lane = laneOf(state.settings, EMOJI_KIND);
  return isKeepable(lane) ? 'low' : lane;
}

function isShort(state: RoomState, { text, data }: Arrival): boolean {
  if (text === undefined || data !== undefined || text.length > 64) return false;
  let count = 0;
  for (const _ of normalFor(state.settings, text)) {
    count += 1;
    if (count > STORM_CHARACTERS_MAX) return false;
  }
  return count > 0;
}
