/**
 * Owns when what has come is shown: droppables spread over the time until the next batch, all of it
 * held back to meet the viewer's picture, keepables in the order of their offsets. Bounded in items
 * and time. Pure. Rules: SPEC K-SHOW-1 to K-SHOW-4.
 */
import type { Publication } from '../types.js';

/** Beyond this the oldest is shown at once: late is better than lost. */
const ITEMS_MAX = 2000;
/** However far behind the picture is. */
const HOLD_MS_MAX = 60_000;

interface Held {
  readonly publication: Publication;
  readonly dueAt: number;
}

export interface Showing {
  readonly now: number;
  /** By how much the room's clock is ahead of the viewer's. */
  readonly aheadMs: number;
  /** How far behind the room's clock things are shown; 0: as they come. */
  readonly delayMs: number;
  /** Droppables are spread over at most this. */
  readonly smoothMs: number;
}

export class ShowBuffer {
  readonly #held: Held[] = [];
  #keepDue = 0;
  #batchAt = 0;
  #intervalMs = 0;

  get size(): number {
    return this.#held.length;
  }

  /** When the next is due; undefined: nothing waits. */
  get dueAt(): number | undefined {
    return this.#held[0]?.dueAt;
  }

  /** Takes what came together. */
  push(publications: readonly Publication[], showing: Showing): void {
    const drops = publications.filter(({ offset }) => offset === undefined).length;
    const spreadMs = drops === 0 ? 0 : this.#spread(showing);
    let nth = 0;
    for (const publication of publications) {
      const alignedAt = alignedTime(publication, showing);
      const isKeep = publication.offset !== undefined;
      const spreadAt = isKeep ? 0 : showing.now + (spreadMs * nth++) / drops;
      const dueAt = Math.max(showing.now, alignedAt, spreadAt, isKeep ? this.#keepDue : 0);
      if (isKeep) this.#keepDue = dueAt;
      this.#insert({ publication, dueAt });
    }
  }

  /** What is due, in order. */
  take(now: number): Publication[] {
    let count = Math.max(0, this.#held.length - ITEMS_MAX);
    while (count < this.#held.length && this.#held[count]!.dueAt <= now) count++;
    return this.#held.splice(0, count).map(({ publication }) => publication);
  }

  /** Takes publications out that were recalled before they were shown. */
  remove(ids: ReadonlySet<string>): void {
    for (let i = this.#held.length - 1; i >= 0; i--) {
      if (ids.has(this.#held[i]!.publication.id)) this.#held.splice(i, 1);
    }
  }

  /** The time to the next batch, as the last ones came (a mean that forgets by a quarter). */
  #spread({ now, smoothMs }: Showing): number {
    const since = Math.min(now - this.#batchAt, 4 * smoothMs);
    this.#batchAt = now;
    this.#intervalMs += (since - this.#intervalMs) / 4;
    return Math.min(smoothMs, this.#intervalMs);
  }

  #insert(held: Held): void {
    let at = this.#held.length;
    while (at > 0 && this.#held[at - 1]!.dueAt > held.dueAt) at--;
    this.#held.splice(at, 0, held);
  }
}

function alignedTime({ at }: Publication, { now, aheadMs, delayMs }: Showing): number {
  if (delayMs <= 0 || !Number.isFinite(at)) return now;
  return Math.min(now + HOLD_MS_MAX, at - aheadMs + delayMs);
}
