/**
 * Owns the model of a cache in front of an origin, and of viewers that poll it: what the origin is
 * asked and how old publications are when they arrive, without a request being made. Time is stepped
 * through in order of events; randomness is seeded.
 */
import { seededRandom } from '../src/random.js';

export interface ModelOptions {
  readonly viewers: number;
  readonly seconds: number;
  readonly pollMs: number;
  /** Share of the poll that the viewers' phases are spread over, from the tick on; 1 unless given. */
  readonly spread?: number;
  readonly segmentMs: number;
  /** Segments close this long before their tick. */
  readonly leadMs: number;
  /**
   * Of the manifest. nginx counts in whole seconds of the clock: what has one second is good until the
   * next but one begins, what has none until this one ends.
   */
  readonly maxAgeS: number;
  /** Caches the audience is spread over; each asks the origin by itself. */
  readonly caches: number;
  /** From the end of a segment until origin has the manifest with it. */
  readonly writeMs: number;
  /** Between a viewer and its cache and between the cache and the origin, one way and back. */
  readonly viewerMs: number;
  readonly originMs: number;
  readonly perSecond: number;
}

export interface ModelAnswer {
  readonly requestsPerSecond: number;
  readonly originPerSecond: number;
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
}

interface Cache {
  /** Newest segment its manifest names, and when that came from the origin. */
  newest: number;
  fetchedAt: number;
  /** A fetch under way: when it ends; Infinity for none. */
  pendingAt: number;
  readonly segments: Set<number>;
}

/** Ages of arrivals are counted in steps of this. */
const STEP_MS = 10;

export function modelCdn(options: ModelOptions): ModelAnswer {
  const { viewers, seconds, pollMs, segmentMs, caches: count, spread = 1 } = options;
  const random = seededRandom(1);
  const caches = Array.from({ length: count }, (): Cache => {
    return { newest: -1, fetchedAt: -Infinity, pendingAt: Infinity, segments: new Set() };
  });
  // Viewers in order of their phase: one pass a poll goes through time in order.
  const phases = Float64Array.from(
    { length: viewers },
    () => random.next() * pollMs * spread,
  ).sort();
  const seen = new Int32Array(viewers).fill(-1);
  const ages = new Float64Array(60_000 / STEP_MS);
  let [requests, origin] = [0, 0];
  const warmMs = 5000;
  for (let poll = 0; poll * pollMs < seconds * 1000 + warmMs; poll++) {
    for (let viewer = 0; viewer < viewers; viewer++) {
      const now = poll * pollMs + phases[viewer]!;
      const isCounted = now >= warmMs;
      const cache = caches[viewer % count]!;
      const asked = askManifest(cache, now, options);
      let newest = asked.newest;
      if (isCounted) requests++;
      if (isCounted) origin += asked.origin;
      for (let segment = Math.max(seen[viewer]! + 1, newest - 4); segment <= newest; segment++) {
        const isFirst = !cache.segments.has(segment);
        if (isFirst) cache.segments.add(segment);
        if (!isCounted) continue;
        requests++;
        if (isFirst) origin++;
        const arrived = now + 2 * options.viewerMs + (isFirst ? options.originMs : 0);
        countAges(ages, arrived - segment * segmentMs + options.leadMs, options);
      }
      newest = Math.max(newest, seen[viewer]!);
      seen[viewer] = newest;
    }
  }
  return {
    requestsPerSecond: requests / seconds,
    originPerSecond: origin / seconds,
    delayP50Ms: quantile(ages, 0.5),
    delayP99Ms: quantile(ages, 0.99),
  };
}

/** As `proxy_cache_lock` with `background_update`: one asks, the others get what is there. */
function askManifest(cache: Cache, now: number, options: ModelOptions) {
  const { originMs, maxAgeS } = options;
  if (cache.pendingAt <= now) {
    cache.newest = newestAt(cache.pendingAt - originMs / 2, options);
    cache.fetchedAt = cache.pendingAt;
    cache.pendingAt = Infinity;
  }
  const isGood = Math.floor(now / 1000) <= Math.floor(cache.fetchedAt / 1000) + maxAgeS;
  if (isGood || cache.pendingAt < Infinity) {
    return { newest: cache.newest, origin: 0 };
  }
  cache.pendingAt = now + originMs;
  return { newest: cache.newest, origin: 1 };
}

/** Number of the newest segment in the manifest at the origin; segment n ends at (n + 1) ticks. */
function newestAt(now: number, { segmentMs, writeMs, leadMs }: ModelOptions): number {
  return Math.floor((now - writeMs + leadMs) / segmentMs) - 1;
}

/** Ages of a segment's publications, evenly spread over its time. */
function countAges(ages: Float64Array, sinceStart: number, { segmentMs, perSecond }: ModelOptions) {
  const publications = Math.max(1, Math.round((perSecond * segmentMs) / 1000));
  // One for each six, the middle of them.
  for (let i = Math.min(3, publications / 2); i < publications; i += 6) {
    const age = sinceStart - (i / publications) * segmentMs;
    const step = Math.min(ages.length - 1, Math.max(0, Math.floor(age / STEP_MS)));
    ages[step]! += 1;
  }
}

function quantile(counts: Float64Array, share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let left = total * share;
  for (let step = 0; step < counts.length; step++) {
    left -= counts[step]!;
    if (left <= 0) return step * STEP_MS;
  }
  return counts.length * STEP_MS;
}
