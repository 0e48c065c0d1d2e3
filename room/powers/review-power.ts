/**
 * Owns the danmaku of one room that are held for review: each is stored before its sender is told
 * `held`, is bounded in number, bytes and time, and ends approved, rejected or expired.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import type { Draft, Fated } from '../calls/calls.js';
import type { Review } from '../calls/reviews.js';
import type { Arrival } from '../core/types.js';
import type { Power, PowerHost, RawRecords, Settled } from './power.js';
import { readRecord } from '../records.js';

export const REVIEW_PREFIX = 'review:';
/** Of one user at once: nobody fills the list alone. */
const USER_MAX = 10;
const BYTES_MAX = 4 << 20;
const RETRY_MS = 5000;

const FULL: Settled = { verdict: 'overloaded', retryAfterMs: RETRY_MS };
const CROWDED: Settled = { verdict: 'rate_limited', retryAfterMs: RETRY_MS };
const HELD: Settled = { verdict: 'held' };
const UNSTORED: Settled = { verdict: 'unavailable', retryAfterMs: 1000 };

interface Held {
  readonly review: Review;
  readonly bytes: number;
  /** Somebody's decision is being carried out. */
  isBusy: boolean;
}

export class ReviewPower implements Power {
  readonly #host: PowerHost;
  /** By id, in the order they were held. */
  readonly #held = new Map<string, Held>();
  readonly #byUser = new Map<UserId, number>();
  #bytes = 0;
  #storing = 0;
  #seq = 0;
  /** Drafts that somebody has looked at: no filter looks again. */
  readonly #approved = new WeakSet<Draft>();

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    const reviews = [...records].map(([name, json]) => readRecord<Review>(host.room, name, json));
    reviews.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const review of reviews) this.#keep(review);
  }

  get count(): number {
    return this.#held.size;
  }

  isApproved(draft: Draft): boolean {
    return this.#approved.has(draft);
  }

  /** Holds the danmaku; its verdict once that is durable. */
  async hold(arrival: Arrival, by: Review['by'], reason?: string): Promise<Settled> {
    const now = this.#host.clock.now();
    const { reviews, reviewForMs } = this.#host.outside.wordsConfig();
    if ((this.#byUser.get(arrival.user.id) ?? 0) >= USER_MAX) return CROWDED;
    if (this.#held.size >= reviews || this.#bytes >= BYTES_MAX) {
      this.#host.outside.meters.reviews.add('full');
      return FULL;
    }
    const { ref: _, role: __, waitedMs: ___, ...said } = arrival;
    const review: Review = {
      id: this.#nextId(now),
      ...said,
      heldAt: Math.floor(now),
      expiresAt: Math.floor(now + reviewForMs),
      by,
      ...(reason === undefined ? {} : { reason }),
    };
    return this.#store(review);
  }

  /** In the order they were held, from after the id. */
  page(after: string, limit: number): { items: Review[]; next?: string } {
    const now = this.#host.clock.now();
    const items: Review[] = [];
    for (const { review, isBusy } of this.#held.values()) {
      if (review.id <= after || review.expiresAt <= now || isBusy) continue;
      if (items.length === limit) return { items, next: items.at(-1)!.id };
      items.push(review);
    }
    return { items };
  }

  /** Publishes it as the room's own. What is not shown stays held and can be approved again. */
  approve(id: string): Promise<Fated> {
    return this.#decide(id, async ({ review }) => {
      const { user, kind, text, style, data } = review;
      const draft: Draft = {
        ...{ kind, user },
        ...(text === undefined ? {} : { text }),
        ...(style === undefined ? {} : { style }),
        ...(data === undefined ? {} : { data }),
      };
      this.#approved.add(draft);
      const name = REVIEW_PREFIX + id;
      const fated = await this.#host.post(draft, (work) => {
        work.records.set(name, null);
        work.after.push(() => this.#drop(id));
      });
      if (!['published', 'merged', 'counted'].includes(fated.verdict)) return fated;
      // A droppable publication makes no commit of its own.
      if (this.#held.has(id)) await this.#remove([id]);
      this.#host.outside.meters.reviews.add('approved');
      return fated;
    });
  }

  reject(id: string): Promise<void> {
    return this.#decide(id, async () => {
      await this.#remove([id]);
      this.#host.outside.meters.reviews.add('rejected');
    });
  }

  sweep(now: number): void {
    const gone = [...this.#held.values()]
      .filter(({ review, isBusy }) => review.expiresAt <= now && !isBusy)
      .map(({ review }) => review.id);
    if (gone.length === 0) return;
    const { log, outside, room } = this.#host;
    for (const id of gone) this.#held.get(id)!.isBusy = true;
    this.#remove(gone).then(
      () => outside.meters.reviews.add('expired', gone.length),
      (error: unknown) => {
        // They are past their time and shown to nobody; the next sweep tries again.
        log.warn('expired reviews not removed', { room, error });
        for (const id of gone) this.#free(id);
      },
    );
  }

  idle(): boolean {
    return this.#storing === 0;
  }

  async #store(review: Review): Promise<Settled> {
    const { id } = review;
    // It counts for the bounds at once and is shown once it is stored.
    this.#keep(review).isBusy = true;
    this.#storing++;
    try {
      await this.#host.change((work) => {
        work.records.set(REVIEW_PREFIX + id, JSON.stringify(review));
      });
      this.#free(id);
      return HELD;
    } catch {
      this.#drop(id);
      return UNSTORED;
    } finally {
      this.#storing--;
    }
  }

  async #decide<T>(id: string, run: (held: Held) => Promise<T>): Promise<T> {
    const held = this.#held.get(id);
    if (held === undefined || held.review.expiresAt <= this.#host.clock.now()) {
      throw new BarrageError('not_found', 'no danmaku of this id is held', { field: 'id' });
    }
    if (held.isBusy) throw new BarrageError('conflict', 'it is being decided on', { field: 'id' });
    held.isBusy = true;
    try {
      return await run(held);
    } finally {
      held.isBusy = false;
    }
  }

  #remove(ids: readonly string[]): Promise<void> {
    return this.#host.change(
      (work) => {
        for (const id of ids) work.records.set(REVIEW_PREFIX + id, null);
      },
      () => {
        for (const id of ids) this.#drop(id);
      },
    );
  }

  #keep(review: Review): Held {
    const held = { review, bytes: Buffer.byteLength(JSON.stringify(review)), isBusy: false };
    this.#held.set(review.id, held);
    this.#bytes += held.bytes;
    const user = review.user.id;
    this.#byUser.set(user, (this.#byUser.get(user) ?? 0) + 1);
    return held;
  }

  #drop(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    this.#bytes -= held.bytes;
    const user = held.review.user.id;
    const left = (this.#byUser.get(user) ?? 1) - 1;
    if (left > 0) this.#byUser.set(user, left);
    else this.#byUser.delete(user);
  }

  #free(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined) held.isBusy = false;
  }

  /** Rises with time, so that pages keep their order across owners. */
  #nextId(now: number): string {
    const time = Math.floor(now).toString(36).padStart(9, '0');
    let id: string;
    do id = `${time}-${(this.#seq++ % 46_656).toString(36).padStart(3, '0')}`;
    while (this.#held.has(id));
    return id;
  }
}
