/**
 * Owns a studio that posts droppable danmaku at a steady rate, in small batches over several
 * connections, and counts what became of each. Knows no viewer.
 */
import { clock, sleep } from './kit.js';
import type { Corpus } from './corpus.js';
import type { Studio } from './studio.js';

const EVERY_MS = 20;
const BATCH_MAX = 100;
const BEHIND_MAX_MS = 1000;

export interface PosterCounts {
  readonly posted: number;
  /** Posts not made because the load program itself fell behind by more than a second. */
  readonly late: number;
  readonly verdicts: Readonly<Record<string, number>>;
  /** Batches that failed as a whole, with the first reason. */
  readonly failed: number;
  readonly reason: string | undefined;
}

export class Poster {
  #posted = 0;
  #late = 0;
  #failed = 0;
  #reason: string | undefined;
  #open = 0;
  #verdicts = new Map<string, number>();
  #started = clock.now();
  #due = 0;
  readonly #timer;

  /** Starts at once; `perSecond` publications, evenly over batches every 20 ms. */
  constructor(
    readonly studio: Studio,
    readonly room: string,
    readonly corpus: Corpus,
    readonly perSecond: number,
  ) {
    this.#timer = clock.every(EVERY_MS, () => this.#post());
  }

  counts(): PosterCounts {
    return {
      posted: this.#posted,
      late: this.#late,
      verdicts: Object.fromEntries(this.#verdicts),
      failed: this.#failed,
      reason: this.#reason,
    };
  }

  /** Stops posting and waits up to 5 s for the answers still open. */
  async stop(): Promise<PosterCounts> {
    this.#timer.cancel();
    for (let i = 0; i < 200 && this.#open > 0; i++) await sleep(25);
    return this.counts();
  }

  #post(): void {
    const passed = clock.now() - this.#started;
    let due = Math.floor((passed * this.perSecond) / 1000) - this.#due;
    const most = Math.max(1, Math.ceil((BEHIND_MAX_MS * this.perSecond) / 1000));
    if (due > most) {
      this.#late += due - most;
      this.#due += due - most;
      due = most;
    }
    this.#due += due;
    for (; due > 0; due -= BATCH_MAX) void this.#send(Math.min(due, BATCH_MAX));
  }

  async #send(count: number): Promise<void> {
    const said = Array.from({ length: count }, () => this.corpus.next());
    this.#posted += count;
    this.#open++;
    try {
      for (const verdict of await this.studio.publishBatch(this.room, said)) {
        this.#verdicts.set(verdict, (this.#verdicts.get(verdict) ?? 0) + 1);
      }
    } catch (error) {
      this.#failed++;
      this.#reason ??= String(error);
    } finally {
      this.#open--;
    }
  }
}
