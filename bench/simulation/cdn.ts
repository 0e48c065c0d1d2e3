/**
 * Owns the CDN of a simulation: places with caches, viewers that poll on the second each at a step of
 * its own, newcomers who first ask when they come (client/core/cdn-reader.ts), segments that come out on
 * the wall clock (docs/cdn.md). Counts what reaches the origin.
 */
import { ASSUMED } from '../../src/plan/assumptions.js';
import type { PlanInput } from '../../src/plan/input.js';
import type { Random } from '../../src/random.js';
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
  readonly #random: Random;
  /** Spots of those who come within the next span, by the step in it at which they do. */
  #coming = new Map<number, number[]>();
  /** How many of a spot's followers have yet to come. */
  readonly #absent: Uint32Array;
  /** Of newcomers since a spot's last poll, the newest segment that each has. */
  readonly #ahead = new Map<number, number[]>();

  constructor({ pops }: PlanInput, random: Random) {
    this.#pops = pops;
    this.#random = random;
    this.#absent = new Uint32Array(pops * PHASES);
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

  /** Somebody begins to follow, at some time within the next span of so many ms. */
  join(spot: number, ms: number): void {
    const step = this.#random.below(ms / STEP_MS);
    const others = this.#coming.get(step);
    if (others === undefined) this.#coming.set(step, [spot]);
    else others.push(spot);
    this.#absent[spot]!++;
  }

  /** Newcomers come, and everybody whose step is within the span polls. */
  step(from: number, to: number, followers: Uint32Array): void {
    for (let at = from; at < to; at += STEP_MS) {
      const phase = Math.round((at % ASSUMED.cdnPollMs) / STEP_MS);
      for (const spot of this.#coming.get((at - from) / STEP_MS) ?? []) this.#first(spot, at);
      for (let pop = 0; pop < this.#pops; pop++) {
        const spot = pop * PHASES + phase;
        const viewers = followers[spot]! - this.#absent[spot]!;
        if (viewers > 0) this.#poll(pop, spot, viewers, at);
      }
    }
    this.#coming = new Map();
  }

  /** The first manifest is asked for at once; its newest segments are read. */
  #first(spot: number, at: number): void {
    this.#absent[spot]!--;
    const pop = Math.floor(spot / PHASES);
    const newest = this.#manifest(pop, 1, at);
    const first = Math.max(0, newest - ASSUMED.cdnFirstSegments + 1);
    for (let segment = first; segment <= newest; segment++) this.#fetch(pop, segment, 1);
    const others = this.#ahead.get(spot);
    if (others === undefined) this.#ahead.set(spot, [newest]);
    else others.push(newest);
  }

  #poll(pop: number, spot: number, viewers: number, at: number): void {
    const newest = this.#manifest(pop, viewers, at);
    const ahead = this.#ahead.get(spot) ?? [];
    const first = Math.max(this.#seen[spot]! + 1, newest - SEGMENTS_MAX + 1);
    for (let segment = first; segment <= newest; segment++) {
      const have = ahead.filter((newestOf) => newestOf >= segment).length;
      // One of those who have it may be gone by now.
      this.#fetch(pop, segment, Math.max(0, viewers - have));
    }
    this.#seen[spot] = newest;
    this.#ahead.delete(spot);
  }

  /** So many ask for the manifest; the newest segment it names. */
  #manifest(pop: number, viewers: number, at: number): number {
    const { tally } = this;
    if (at - this.#fetchedAt[pop]! >= MANIFEST_MS) {
      tally.originRequests++;
      this.#fetchedAt[pop] = at;
      this.#named[pop] = Math.floor(at / ASSUMED.segmentMs) - 1;
    }
    tally.requests += viewers;
    tally.bytes += viewers * (ASSUMED.manifestBytes + ASSUMED.cdnHeadBytes);
    return this.#named[pop]!;
  }

  /** So many ask for a segment; one that never was is asked for by nobody. */
  #fetch(pop: number, segment: number, viewers: number): void {
    const { tally } = this;
    const bytes = this.#segments.get(segment);
    if (bytes === undefined || viewers === 0) return;
    if (segment > this.#cached[pop]!) {
      tally.originRequests++;
      this.#cached[pop] = segment;
    }
    tally.requests += viewers;
    tally.bytes += viewers * (bytes + ASSUMED.cdnHeadBytes);
  }
}
