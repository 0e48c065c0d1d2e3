/**
 * Owns how much of the CDN's segments a viewer reads: all of it, or the more important priorities only,
 * as the page says or as the line allows. Pure. Rules: SPEC K-CDN-11, K-CDN-12.
 */
import type { Thin } from '../types.js';

/** The lowest priority there is: up to it is all. */
const ALL = 2;
/** What `true` and a wish to save data mean: without the low lane. */
const THIN = 1;
/** Slow ones in a row before less is read; one that did not come at all counts as two. */
const SLOW_MAX = 3;
/** Quick ones for so long before more is tried, and how long at most after that failed. */
const TRY_MS = 30_000;
const TRY_MS_MAX = 480_000;

/** A part of a segment's file: lines of one priority, up to the byte `end`. */
export interface Part {
  readonly priority: number;
  readonly count: number;
  readonly end: number;
}

/** What is read of a file. `end`: up to this byte; undefined: the whole file. */
export interface Wanted {
  readonly end: number | undefined;
  /** Publications that are not read. */
  readonly leftOut: number;
}

export class Thinness {
  #thin: Thin;
  #level = ALL;
  #slow = 0;
  /** Nothing was slow since then. */
  #quickSince: number | undefined;
  #tryMs = TRY_MS;
  #triedAt = -Infinity;
  readonly #savesData: () => boolean;

  /** Throws TypeError on what is no thinness. */
  constructor(thin: Thin, savesData: () => boolean) {
    this.#thin = checked(thin);
    this.#savesData = savesData;
  }

  /** The page wants it otherwise from now on. Throws TypeError on what is no thinness. */
  set(thin: Thin): void {
    this.#thin = checked(thin);
    [this.#level, this.#slow, this.#quickSince, this.#tryMs] = [ALL, 0, undefined, TRY_MS];
  }

  /** The last priority that is read; undefined: all are. */
  get priority(): number | undefined {
    const thin = this.#thin;
    const most = thin === 'auto' ? Math.min(this.#level, this.#savesData() ? THIN : ALL) : ALL;
    const level = thin === true ? THIN : typeof thin === 'object' ? thin.priority : most;
    return level < ALL ? level : undefined;
  }

  /** What is to be read of a segment of these parts. */
  wanted(parts: readonly Part[]): Wanted {
    const last = this.priority ?? ALL;
    const others = parts.filter(({ priority }) => priority > last);
    if (others.length === 0) return { end: undefined, leftOut: 0 };
    const ends = parts.filter(({ priority }) => priority <= last).map(({ end }) => end);
    return {
      end: Math.max(0, ...ends),
      leftOut: others.reduce((sum, { count }) => sum + count, 0),
    };
  }

  /**
   * A segment took so long beyond what a small request takes; Infinity: it did not come in time.
   * `share`: of the whole file, 0-1. Slower than the room speaks is too slow.
   */
  took(ms: number, segmentMs: number, share: number, now: number): void {
    if (this.#thin !== 'auto') return;
    if (ms > segmentMs) {
      this.#quickSince = undefined;
      this.#slow += ms === Infinity ? 2 : 1;
      if (this.#slow >= SLOW_MAX) this.#less(now);
      return;
    }
    this.#slow = 0;
    // The whole would have to come in half the time: what is just enough now would soon be too much.
    if (share <= 0 || ms / share < segmentMs / 2) this.#quickSince ??= now;
    else this.#quickSince = undefined;
    if (this.#level < ALL && now - (this.#quickSince ?? now) >= this.#tryMs) this.#more(now);
  }

  #less(now: number): void {
    const heldMs = now - this.#triedAt;
    if (heldMs < TRY_MS) this.#tryMs = Math.min(TRY_MS_MAX, this.#tryMs * 2);
    // By what held, not by when it was tried: a wait of 8 min would forget itself.
    else if (heldMs > TRY_MS_MAX) this.#tryMs = TRY_MS;
    this.#slow = 0;
    this.#level = Math.max(0, this.#level - 1);
  }

  #more(now: number): void {
    this.#triedAt = now;
    this.#quickSince = undefined;
    this.#level++;
  }
}

function checked(thin: Thin): Thin {
  const isPriority = typeof thin === 'object' && [0, 1, 2].includes(thin?.priority);
  if (typeof thin === 'boolean' || thin === 'auto' || isPriority) return thin;
  throw new TypeError("thin must be: true, false, 'auto' or { priority: 0, 1 or 2 }");
}
