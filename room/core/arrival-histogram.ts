/**
 * Owns how many arrivals stood at each place of the normal and low lanes in one window, and the
 * search for the level that would let through so many of them. Knows no rate and no time.
 */
import { LEVEL_FULL, LEVEL_MIN, USER_PLACES } from '../../src/admission-level.js';

/** Buckets widen with the place, 16 to each doubling, so that a cut is exact to 6 % anywhere. */
const FINE = 16;
const FINE_BITS = 4;
const LANE_BUCKETS = FINE + FINE * (Math.log2(USER_PLACES) - FINE_BITS);
const FIRST_RANK = LEVEL_MIN - 1;
const COUNTED_LANES = (LEVEL_FULL - FIRST_RANK) / USER_PLACES;

export type Histogram = Uint32Array;

export function emptyHistogram(): Histogram {
  return new Uint32Array(COUNTED_LANES * LANE_BUCKETS);
}

/** Counts an arrival of this rank (src/admission-level.ts), which is one of normal or low. */
export function countRank(histogram: Histogram, rank: number): void {
  const place = rank % USER_PLACES;
  const lane = (rank - FIRST_RANK - place) / USER_PLACES;
  histogram[lane * LANE_BUCKETS + bucketOf(place)]! += 1;
}

/**
 * The level under which `most` of the counted stood, all of them under `level`; `level` when there
 * were no more. Within a bucket they count as evenly spread.
 */
export function cutFor(histogram: Histogram, most: number, level: number): number {
  let sum = 0;
  for (let i = 0; i < histogram.length; i++) {
    const count = histogram[i]!;
    if (sum + count <= most) {
      sum += count;
      continue;
    }
    const { from, width } = spanOf(i);
    const end = Math.min(from + width, level);
    return Math.min(level, from + ((most - sum) / count) * Math.max(0, end - from));
  }
  return level;
}

function bucketOf(place: number): number {
  if (place < FINE) return place;
  const shift = 31 - Math.clz32(place) - FINE_BITS;
  return FINE + shift * FINE + ((place >> shift) & (FINE - 1));
}

function spanOf(index: number): { from: number; width: number } {
  const lane = Math.floor(index / LANE_BUCKETS);
  const bucket = index % LANE_BUCKETS;
  const base = FIRST_RANK + lane * USER_PLACES;
  if (bucket < FINE) return { from: base + bucket, width: 1 };
  const shift = (bucket - FINE) >> FINE_BITS;
  return { from: base + ((FINE + (bucket % FINE)) << shift), width: 1 << shift };
}
