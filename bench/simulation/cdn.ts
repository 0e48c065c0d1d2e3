/**
 * Owns the CDN of a simulation: places with caches, viewers that poll on the second each at a step of
 * its own, segments that come out on the wall clock (docs/cdn.md). Counts what reaches the origin.
 */
import { ASSUMED } from '../../src/plan/assumptions.js';
import type { PlanInput } from '../../src/plan/input.js';
import { PHASES } from './crowd.js';

export interface CdnTally {
  requests: number;
  bytes: number;
  originRequests: number;
}

const STEP_MS = ASSUMED.cdnPollMs / PHASES;
/** `max-age` of the manifest. */
const MANIFEST_MS = 1000;
const SEGMENTS_MAX = 5;

export class SimCdn {
  readonly tally: CdnTally = { requests: 0, bytes: 0, originRequests: 0 };
  readonly #pops: number;
  /** Compressed bytes of each segment by its number; it is out from (number + 1) × segmentMs on. */
  readonly #segments = new Map<number, number>();
  readonly #fetchedAt: Float64Array;
  /** Newest segment that the cached manifest names, and that the place has itself. */
  readonly #named: Float64Array;
  readonly #cached: Float64Array;
  /** Newest segment the viewers of a step have. */
  readonly #seen: Float64Array;

  constructor({ pops }: PlanInput) {
    this.#pops = pops;
    this.#fetchedAt = new Float64Array(pops).fill(-Infinity);
    this.#named = new Float64Array(pops).fill(-1);
    this.#cached = new Float64Array(pops).fill(-1);
    this.#seen = new Float64Array(pops * PHASES).fill(-1);
  }

  /** The room sent droppable publications at a time. */
  write(at: number, publications: number): void {
    const segment = Math.floor(at / ASSUMED.segmentMs);
    const before = this.#segments.get(segment) ?? ASSUMED.segmentHeadBytes;
    this.#segments.set(segment, before + publications * ASSUMED.segmentEachBytes);
    this.#segments.delete(segment - ASSUMED.cdnWindowMs / ASSUMED.segmentMs);
  }

  /** Everybody whose step is within the span polls. */
  step(from: number, to: number, followers: Uint32Array): void {
    for (let at = from; at < to; at += STEP_MS) {
      const phase = Math.round((at % ASSUMED.cdnPollMs) / STEP_MS);
      for (let pop = 0; pop < this.#pops; pop++) {
        const spot = pop * PHASES + phase;
        const viewers = followers[spot]!;
        if (viewers > 0) this.#poll(pop, spot, viewers, at);
      }
    }
  }

  #poll(pop: number, spot: number, viewers: number, at: number): void {
    const { tally } = this;
    if (at - this.#fetchedAt[pop]! >= MANIFEST_MS) {
      tally.originRequests++;
      this.#fetchedAt[pop] = at;
      this.#named[pop] = Math.floor(at / ASSUMED.segmentMs) - 1;
    }
    tally.requests += viewers;
    tally.bytes += viewers * (ASSUMED.manifestBytes + ASSUMED.cdnHeadBytes);
    const newest = this.#named[pop]!;
    const first = Math.max(this.#seen[spot]! + 1, newest - SEGMENTS_MAX + 1);
    for (let segment = first; segment <= newest; segment++) {
      const bytes = this.#segments.get(segment);
      if (bytes === undefined) continue;
      if (segment > this.#cached[pop]!) {
        tally.originRequests++;
        this.#cached[pop] = segment;
      }
      tally.requests += viewers;
      tally.bytes += viewers * (bytes + ASSUMED.cdnHeadBytes);
    }
    this.#seen[spot] = newest;
  }
}
