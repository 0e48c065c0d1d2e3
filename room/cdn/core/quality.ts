/**
 * Owns how the viewers of one region fare with a CDN that works: how late the slowest tenth of them is and
 * what share of segments they miss, and what that is worth beside the best of the CDNs. Whatever all have
 * in common (a late room, a shed segment, newcomers) counts for none. Pure. Rule: SPEC R-CDN-14.
 */
import type { CdnSum } from '../../../src/wire/cdn-state.js';
import { DELAY_STEPS, delayAtShare, delayStep } from '../../../src/wire/cdn-delays.js';

export interface QualityRules {
  /** So much later than the best, at the 90th percentile, is no difference. */
  readonly delayMs: number;
  /** Nor is so much more of the segments missed, 0-1. */
  readonly missed: number;
  /** Share of its weight that the worst keeps, 0-1; 1: delay and loss do not count. */
  readonly least: number;
}
export const QUALITY_RULES: QualityRules = { delayMs: 500, missed: 0.02, least: 0.25 };

export interface Fared {
  /** Of the 90th percentile. */
  readonly delayMs: number;
  readonly missed: number;
}

/** Viewers report every 30 s: twice that, so that all are in it. */
const WINDOW_MS = 60_000;
const PART_MS = 5000;
/** Reports that say something. */
const ENOUGH = 20;
const SLOWEST = 0.9;
/** Half of the weight for each tenth of the segments that is missed beyond the bound. */
const LOSS = 5;

/** What a CDN is worth beside the best there is, `least` to 1. Exported for its table of tests. */
export function qualityFactor(own: Fared, best: Fared, rules: QualityRules): number {
  const fine = best.delayMs + rules.delayMs;
  const delay = own.delayMs <= fine ? 1 : fine / own.delayMs;
  const lost = Math.max(0, own.missed - best.missed - rules.missed);
  return Math.max(rules.least, delay * Math.max(0, 1 - LOSS * lost));
}

/** The best of each; undefined of none. */
export function bestOf(fared: readonly Fared[]): Fared | undefined {
  if (fared.length === 0) return undefined;
  return {
    delayMs: Math.min(...fared.map(({ delayMs }) => delayMs)),
    missed: Math.min(...fared.map(({ missed }) => missed)),
  };
}

interface Part {
  readonly at: number;
  readonly delays: number[];
  asked: number;
  missed: number;
}

export class Quality {
  #parts: Part[] = [];

  hear({ ok, failed, missed, delayMs, delays, delaySteps }: CdnSum, now: number): void {
    const part = this.#part(now);
    part.asked += ok + failed + missed;
    part.missed += missed;
    // An edge that does not count by step tells the mean.
    const counts = delaySteps ?? stepsOf(delayMs, delays);
    for (const [step, count] of counts.entries()) part.delays[step]! += count;
  }

  /** Undefined while too few have reported. */
  fared(now: number): Fared | undefined {
    return faredOf([this], now);
  }

  /** Parts of the window. */
  lately(now: number): readonly Part[] {
    this.#parts = this.#parts.filter(({ at }) => now - at < WINDOW_MS && at <= now);
    return this.#parts;
  }

  #part(now: number): Part {
    const at = Math.floor(now / PART_MS) * PART_MS;
    const newest = this.lately(now).at(-1);
    if (newest?.at === at) return newest;
    const delays = Array.from({ length: DELAY_STEPS }, () => 0);
    const part = { at, delays, asked: 0, missed: 0 };
    this.#parts.push(part);
    return part;
  }
}

/** Of several regions together; undefined while too few have reported. */
export function faredOf(qualities: readonly Quality[], now: number): Fared | undefined {
  const counts = Array.from({ length: DELAY_STEPS }, () => 0);
  let [asked, missed] = [0, 0];
  for (const part of qualities.flatMap((quality) => quality.lately(now))) {
    for (const [step, count] of part.delays.entries()) counts[step]! += count;
    asked += part.asked;
    missed += part.missed;
  }
  if (counts.reduce((sum, count) => sum + count, 0) < ENOUGH) return undefined;
  return { delayMs: delayAtShare(counts, SLOWEST), missed: missed / Math.max(1, asked) };
}

function stepsOf(delayMs: number, delays: number): number[] {
  const counts = Array.from({ length: DELAY_STEPS }, () => 0);
  if (delays > 0) counts[delayStep(delayMs / delays)] = delays;
  return counts;
}
