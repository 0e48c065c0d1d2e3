/**
 * Owns the waiting of commits for the disk: those that come while a group is being written form the
 * next one. Bounded in items and bytes. Knows neither rooms nor the disk.
 */
import { BarrageError, asBarrageError } from '../errors.js';

export interface Weight {
  readonly bytes: number;
  /** Reads what is on the disk, so it must not share its group. */
  readonly alone: boolean;
}

interface Waiting<G> extends Weight {
  /** Adds its part to the group or throws, adding nothing. */
  readonly stage: (group: G) => void;
  readonly resolve: () => void;
  readonly reject: (error: BarrageError) => void;
}

const WAITING_ITEMS_MAX = 10_000;
const WAITING_BYTES_MAX = 64 << 20;
/** A group is one transaction; larger ones only make everyone in it wait. */
const GROUP_ITEMS_MAX = 1000;
const GROUP_BYTES_MAX = 4 << 20;
const FULL_RETRY_MS = 1000;

export class CommitQueue<G extends { readonly size: number }> {
  readonly #begin: () => G;
  readonly #write: (group: G) => Promise<void>;
  #waiting: Waiting<G>[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  /** `begin` makes an empty group; `write` puts it on the disk whole or rejects. */
  constructor(begin: () => G, write: (group: G) => Promise<void>) {
    this.#begin = begin;
    this.#write = write;
  }

  /** Resolves when the part is on the disk. Rejects with `store_failed` when too much waits. */
  add(stage: (group: G) => void, { bytes, alone }: Weight): Promise<void> {
    const isFull =
      this.#waiting.length >= WAITING_ITEMS_MAX ||
      (this.#waiting.length > 0 && this.#waitingBytes + bytes > WAITING_BYTES_MAX);
    if (isFull) {
      const detail = { retryAfterMs: FULL_RETRY_MS };
      return Promise.reject(new BarrageError('store_failed', 'too many commits wait', detail));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ stage, bytes, alone, resolve, reject });
      this.#waitingBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Let the commits of this turn come together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#writeGroup(this.#take());
    this.#running = undefined;
  }

  #take(): Waiting<G>[] {
    let count = 0;
    let bytes = 0;
    for (const item of this.#waiting) {
      const isApart = item.alone || this.#waiting[0]!.alone;
      if (count > 0 && (isApart || bytes + item.bytes > GROUP_BYTES_MAX)) break;
      if (count >= GROUP_ITEMS_MAX) break;
      count++;
      bytes += item.bytes;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(items: readonly Waiting<G>[]): Promise<void> {
    const staged: Waiting<G>[] = [];
    try {
      const group = this.#begin();
      for (const item of items) {
        try {
          item.stage(group);
          staged.push(item);
        } catch (error) {
          item.reject(asBarrageError(error));
        }
      }
      if (group.size > 0) await this.#write(group);
      for (const item of staged) item.resolve();
    } catch (error) {
      const failed = asBarrageError(error);
      for (const item of items) item.reject(failed);
    }
  }
}
