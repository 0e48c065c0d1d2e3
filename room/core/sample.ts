/**
 * Owns the draw when more waits than may be sent: which entries of a bag a tick takes. Uniform
 * whatever the age, heavier by level, fair between users. Knows no lane and no time.
 */
import type { Random } from '../../src/random.js';
import type { UserId } from '../../src/ids.js';
import type { Entry } from './lanes.js';

/** A level of 100 or more weighs twice as much as level 0, in between in proportion. */
const WEIGHT_MAX = 2;
const LEVEL_FULL = 100;

export function weightOf(entry: Entry): number {
  const level = entry.said.user?.level ?? 0;
  return 1 + Math.min(Math.max(level, 0), LEVEL_FULL) / LEVEL_FULL;
}

/**
 * Moves `count` drawn entries to the front of the bag. Draws one after the other without replacement,
 * each in proportion to its weight among what is left (by rejection, so the cost is that of the
 * drawn, not of the waiting). A user with `perUser` places is passed over until nothing of others
 * is left.
 */
export function drawToFront(bag: Entry[], count: number, perUser: number, random: Random): void {
  const places = new Map<UserId, number>();
  let low = 0;
  let high = bag.length;
  while (low < count && low < high) {
    const index = low + random.below(high - low);
    const entry = bag[index]!;
    const weight = weightOf(entry);
    if (weight < WEIGHT_MAX && random.next() * WEIGHT_MAX >= weight) continue;
    if (hasPlace(places, entry, perUser)) swap(bag, index, low++);
    else swap(bag, index, --high);
  }
  // Passed over, first drawn last: they fill what is left only when nobody else waits.
  for (let last = bag.length - 1; low < count; low++, last--) swap(bag, low, last);
}

function hasPlace(places: Map<UserId, number>, entry: Entry, perUser: number): boolean {
  const user = entry.said.user?.id;
  if (user === undefined) return true;
  const taken = places.get(user) ?? 0;
  if (taken >= perUser) return false;
  places.set(user, taken + 1);
  return true;
}

function swap(bag: Entry[], a: number, b: number): void {
  const held = bag[a]!;
  bag[a] = bag[b]!;
  bag[b] = held;
}
