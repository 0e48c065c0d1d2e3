/**
 * Owns a second log of a room in the store, under a name no room can have: appended in batches,
 * bounded, read page by page, entries replaced in place. Knows nothing of what its entries mean.
 */
import { asBarrageError } from '../../src/errors.js';
import { shelfOf, type RoomId } from '../../src/ids.js';
import type { Fence, LogEntry, Store } from '../../src/ports/store.js';
import { appendToBook, evenChunks, openBook, type LogBook, type LogBounds } from '../log-book.js';
import { Turns } from './turns.js';

export interface ShelfTools {
  readonly store: Store;
  readonly fence: Fence;
  readonly bounds: () => LogBounds;
  /** Another owner has the shard. */
  readonly lost: () => void;
}

export class Shelf {
  readonly #id: RoomId;
  readonly #tools: ShelfTools;
  readonly #turns = new Turns();
  #book: LogBook | undefined;

  constructor(room: RoomId, name: string, tools: ShelfTools) {
    this.#id = shelfOf(room, name);
    this.#tools = tools;
  }

  /** Appends whole or not at all; the oldest go when a bound is passed. Rejects with the store's error. */
  append(texts: readonly string[]): Promise<void> {
    if (texts.length === 0) return Promise.resolve();
    return this.#turns.take(async () => {
      const book = await this.#opened();
      const sizes = texts.map((text) => Buffer.byteLength(text));
      const { book: next, trimBelow } = appendToBook(book, sizes, this.#tools.bounds());
      await this.#commit({
        append: { from: book.next, json: texts },
        ...(trimBelow === undefined ? {} : { trimBelow }),
      });
      this.#book = next;
    });
  }

  /**
   * Replaces what `change` gives another text for, from the newest entry back, at most `most` of the
   * newest `scan`. Answers how many there were.
   */
  rewrite(
    change: (json: string) => string | undefined,
    most: number,
    scan: number,
  ): Promise<number> {
    return this.#turns.take(async () => {
      const book = await this.#opened();
      const rewrite: LogEntry[] = [];
      const oldest = Math.max(firstOf(book), book.next - scan);
      for (let end = book.next; end > oldest && rewrite.length < most;) {
        const from = Math.max(oldest, end - PAGE);
        const entries = await this.#span(from, end);
        for (const { offset, json } of entries.reverse()) {
          const text = rewrite.length < most ? change(json) : undefined;
          if (text !== undefined) rewrite.push({ offset, json: text });
        }
        end = from;
      }
      if (rewrite.length > 0) await this.#commit({ rewrite });
      return rewrite.length;
    });
  }

  /** Entries from `from` on, oldest first; `next` is where the following page begins. */
  async page(from: number, limit: number, bytes: number): Promise<ShelfPage> {
    const book = await this.#turns.take(() => this.#opened());
    const oldest = firstOf(book);
    const start = Math.max(from, oldest);
    const most = Math.min(limit, book.next - start);
    const entries = most > 0 ? await this.#tools.store.readLog(this.#id, start, most, bytes) : [];
    const last = entries.at(-1)?.offset;
    const page = { entries, oldest };
    return last !== undefined && last + 1 < book.next ? { ...page, next: last + 1 } : page;
  }

  /** Resolves when what was asked so far is through. */
  idle(): Promise<void> {
    return this.#turns.idle();
  }

  async #span(from: number, end: number): Promise<LogEntry[]> {
    const out: LogEntry[] = [];
    for (let next = from; next < end;) {
      const entries = await this.#tools.store.readLog(this.#id, next, end - next, PAGE_BYTES);
      const last = entries.at(-1);
      if (last === undefined) break;
      out.push(...entries);
      next = last.offset + 1;
    }
    return out;
  }

  async #opened(): Promise<LogBook> {
    if (this.#book !== undefined) return this.#book;
    const stored = await this.#tools.store.load(this.#id);
    if (stored === undefined) return (this.#book = openBook(1, []));
    const { firstOffset, nextOffset, logBytes } = stored;
    const chunks = evenChunks(firstOffset, nextOffset - firstOffset, logBytes);
    return (this.#book = openBook(nextOffset, chunks));
  }

  async #commit(changes: Parameters<Store['commit']>[2]): Promise<void> {
    const { store, fence, lost } = this.#tools;
    try {
      await store.commit(this.#id, fence, changes);
    } catch (error) {
      // What the store holds may not be what was believed: look again before the next.
      this.#book = undefined;
      if (asBarrageError(error).code === 'fenced') lost();
      throw error;
    }
  }
}

export interface ShelfPage {
  readonly entries: readonly LogEntry[];
  readonly oldest: number;
  /** Absent at the end. */
  readonly next?: number;
}

const PAGE = 500;
const PAGE_BYTES = 4 << 20;

function firstOf(book: LogBook): number {
  return book.chunks[0]?.[0] ?? book.next;
}
