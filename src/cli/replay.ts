/**
 * Owns `barrage replay`: a file's comments as viewers of their own, at the file's pace or as fast as
 * verdicts allow, with a bounded number of connections and of danmaku on the way.
 */
import type { BarrageError } from '../errors.js';
import type { BilibiliFile } from '../formats/bilibili-xml.js';
import type { UserId } from '../ids.js';
import type { Clock } from '../ports/clock.js';
import type { Random } from '../random.js';
import { ReplayBooks } from './replay-books.js';
import { replayItems, type ReplayItem } from './replay-items.js';
import { ReplaySeat, type SeatParts } from './replay-seat.js';
import { pause } from './tail.js';

export interface ReplayOptions {
  readonly url: string;
  readonly room: string;
  /** Times the file's own pace; Infinity is as fast as verdicts allow. */
  readonly speed: number;
  readonly connectionsMax: number;
  readonly inFlightMax: number;
  /** Without any verdict for this long the edge is taken for silent. */
  readonly answerWaitMs: number;
  readonly stop: AbortSignal;
}

/** Edges answer `unavailable` after 15 s at the latest, so a longer silence is a loss. */
export const REPLAY_DEFAULTS = { connectionsMax: 500, inFlightMax: 2000, answerWaitMs: 25_000 };

export interface ReplayParts {
  readonly clock: Clock;
  readonly random: Random;
  tokenFor(user: UserId): Promise<string>;
  /** Once a second. */
  progress(line: string): void;
}

export interface Replayed {
  readonly books: ReplayBooks;
  readonly seconds: number;
}

/** Throws BarrageError when the room or the tokens are refused. */
export async function runReplay(
  file: BilibiliFile,
  options: ReplayOptions,
  parts: ReplayParts,
): Promise<Replayed> {
  const { items, unsendable } = replayItems(file.comments);
  const books = new ReplayBooks(file.comments.length, file.broken, unsendable);
  const run = new ReplayRun(options, parts, books);
  const started = parts.clock.now();
  const seconds = (): number => (parts.clock.now() - started) / 1000;
  const ticker = parts.clock.every(1000, () => {
    run.watchSilence();
    parts.progress(books.progressLine(seconds(), run.inFlight));
  });
  try {
    await run.feed(items);
    await run.settle();
  } finally {
    ticker.cancel();
    run.close();
  }
  return { books, seconds: seconds() };
}

class ReplayRun {
  readonly #options: ReplayOptions;
  readonly #parts: ReplayParts;
  readonly #books: ReplayBooks;
  /** In order of last use, longest ago first. */
  readonly #seats = new Map<UserId, ReplaySeat>();
  readonly #seatParts: SeatParts;
  #wake: (() => void) | undefined;
  #failure: BarrageError | undefined;
  #reached = false;
  #answeredAt: number;
  #answered = 0;

  constructor(options: ReplayOptions, parts: ReplayParts, books: ReplayBooks) {
    this.#options = options;
    this.#parts = parts;
    this.#books = books;
    this.#answeredAt = parts.clock.now();
    this.#seatParts = {
      url: options.url,
      room: options.room,
      clock: parts.clock,
      random: parts.random,
      books,
      tokenFor: parts.tokenFor,
      reached: (now) => (this.#reached ||= now === true),
      changed: () => this.#wake?.(),
      failed: (error) => {
        this.#failure ??= error;
        this.#wake?.();
      },
    };
  }

  /** Danmaku handed to connections whose end is not known. */
  get inFlight(): number {
    let sum = 0;
    for (const seat of this.#seats.values()) sum += seat.load;
    return sum;
  }

  /** Hands over every item when it is due. */
  async feed(items: readonly ReplayItem[]): Promise<void> {
    const { clock } = this.#parts;
    const { speed, stop } = this.#options;
    const started = clock.now();
    for (const [index, item] of items.entries()) {
      const early = started + item.atMs / speed - clock.now();
      if (early > 0) await pause(clock, early, stop);
      while (!stop.aborted && !this.#hand(item)) await this.#change();
      if (this.#failure !== undefined) throw this.#failure;
      if (!stop.aborted) continue;
      this.#books.addUnsent('told to stop', items.length - index);
      return;
    }
  }

  /** Waits for the verdicts of everything handed over. */
  async settle(): Promise<void> {
    while (this.inFlight > 0 && this.#failure === undefined) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Gives up what is on the way when nothing was answered for too long. */
  watchSilence(): void {
    const now = this.#parts.clock.now();
    const { answered } = this.#books;
    if (answered !== this.#answered || this.inFlight === 0) this.#answeredAt = now;
    this.#answered = answered;
    if (now - this.#answeredAt < this.#options.answerWaitMs) return;
    this.#answeredAt = now;
    for (const [user, seat] of this.#seats) {
      if (seat.load === 0) continue;
      seat.close('the edge fell silent');
      this.#seats.delete(user);
    }
    this.#wake?.();
  }

  close(): void {
    for (const seat of this.#seats.values()) seat.close('ended');
    this.#seats.clear();
  }

  /** False when there is no place for it now. */
  #hand(item: ReplayItem): boolean {
    if (this.#failure !== undefined) return true;
    if (this.inFlight >= this.#options.inFlightMax) return false;
    const known = this.#seats.get(item.user);
    if (known === undefined && !this.#makePlace()) return false;
    const seat = known ?? new ReplaySeat(item.user, this.#seatParts);
    this.#seats.delete(item.user);
    this.#seats.set(item.user, seat);
    seat.give(item);
    return true;
  }

  /** Closes the connection idle longest when all are taken; false when none is idle. */
  #makePlace(): boolean {
    if (this.#seats.size < this.#options.connectionsMax) return true;
    for (const [user, seat] of this.#seats) {
      if (seat.load > 0) continue;
      seat.close('ended');
      this.#seats.delete(user);
      return true;
    }
    return false;
  }

  #change(): Promise<void> {
    const { stop } = this.#options;
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = undefined;
        stop.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      if (!stop.aborted) stop.addEventListener('abort', done, { once: true });
    });
  }
}
