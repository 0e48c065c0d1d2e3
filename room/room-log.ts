/**
 * Owns what of one room is in the store and what memory knows of it: the log's bounds, the recent
 * window, the meta record. All changes go through one keeper, so the two never disagree for long.
 */
import { BarrageError } from '../src/errors.js';
import type { RoomId } from '../src/ids.js';
import type { Fence, LogEntry, RoomChanges, Store } from '../src/ports/store.js';
import type { Clock } from '../src/ports/clock.js';
import { parsePublication } from '../src/wire/publication.js';
import type { EpochStart } from '../src/words.js';
import { Keeper, type Job, type KeeperHost, type Work } from './keeper.js';
import { appendToBook, type BookChange, type LogBook, type LogBounds } from './log-book.js';
import type { RoomMeters } from './meters.js';
import { Recent, type RecentEntry } from './recent.js';
import { LOG_RECORD, META_RECORD, withEpoch, type Meta } from './records.js';

/** What the store held of the room's log when it was last looked at. */
export interface LogStart {
  readonly meta: Meta;
  readonly book: LogBook;
  readonly recent: readonly RecentEntry[];
}

export interface LogTools {
  readonly store: Store;
  readonly clock: Clock;
  readonly meters: RoomMeters;
  readonly bounds: () => LogBounds & { readonly recent: number };
  /** Publications are in the log from `work.from` on. */
  readonly appended: (work: Work) => void;
  readonly reload: () => Promise<LogStart | undefined>;
  readonly lost: () => void;
  readonly settled: () => void;
}

export class RoomLog implements KeeperHost {
  readonly recent: Recent;
  readonly #room: RoomId;
  readonly #fence: Fence;
  readonly #tools: LogTools;
  readonly #keeper: Keeper;
  #meta: Meta;
  #book: LogBook;
  #next: BookChange | undefined;

  constructor(room: RoomId, fence: Fence, start: LogStart, tools: LogTools) {
    this.#room = room;
    this.#fence = fence;
    this.#tools = tools;
    this.#meta = start.meta;
    this.#book = start.book;
    this.recent = new Recent(tools.bounds().recent);
    this.#remember(start.recent);
    this.#keeper = new Keeper(this, tools.clock, tools.meters);
  }

  get meta(): Meta {
    return this.#meta;
  }

  /** Offset the next publication gets. */
  get nextOffset(): number {
    return this.#book.next;
  }

  /** Oldest offset still kept; `nextOffset` when there is none. */
  get firstOffset(): number {
    return this.#book.chunks[0]?.[0] ?? this.#book.next;
  }

  /** Jobs waiting for the store or under way. */
  get load(): number {
    return this.#keeper.load;
  }

  /** With the owner's own epoch, even before anything was written under it. */
  epochs(): readonly EpochStart[] {
    return withEpoch(this.#meta.epochs, this.#fence.epoch, this.#book.next);
  }

  append(job: Job): void {
    this.#keeper.add(job);
  }

  /** Commits what `prepare` adds; memory follows in `kept`. Rejects with what the caller may hear. */
  change(prepare: (work: Work) => void, kept: () => void = () => undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#keeper.add({
        items: 0,
        bytes: 256,
        prepare,
        kept: () => {
          kept();
          resolve();
        },
        failed: reject,
      });
    });
  }

  idle(): Promise<void> {
    return this.#keeper.idle();
  }

  /** Entries from `from` on that viewers may already have; none when `from` is no longer kept. */
  async read(from: number, limit: number, bytes: number): Promise<LogEntry[]> {
    const known = this.nextOffset;
    const most = Math.min(limit, known - from);
    if (most <= 0) return [];
    const entries = await this.#tools.store.readLog(this.#room, from, most, bytes);
    return entries.filter((entry) => entry.offset < known);
  }

  begin(): Work {
    return {
      now: this.#tools.clock.now(),
      epoch: this.#fence.epoch,
      from: this.#book.next,
      texts: [],
      publications: [],
      rewrite: [],
      records: new Map(),
      keys: [],
      after: [],
      meta: this.#meta,
    };
  }

  changesOf(work: Work): RoomChanges {
    this.#next = undefined;
    if (work.texts.length > 0) {
      const sizes = work.texts.map((text) => Buffer.byteLength(text));
      this.#next = appendToBook(this.#book, sizes, this.#tools.bounds());
      const epochs = withEpoch(work.meta.epochs, work.epoch, work.from);
      if (epochs !== work.meta.epochs) work.meta = { ...work.meta, epochs };
      if (this.#next.closed) {
        work.records.set(LOG_RECORD, JSON.stringify(this.#next.book.chunks.slice(0, -1)));
      }
    }
    if (work.meta !== this.#meta) work.records.set(META_RECORD, JSON.stringify(work.meta));
    const trimBelow = this.#next?.trimBelow;
    return {
      ...(work.texts.length === 0 ? {} : { append: { from: work.from, json: work.texts } }),
      ...(work.rewrite.length === 0 ? {} : { rewrite: work.rewrite }),
      ...(trimBelow === undefined ? {} : { trimBelow }),
      ...(work.records.size === 0 ? {} : { records: work.records }),
      ...(work.keys.length === 0 ? {} : { keys: work.keys }),
    };
  }

  commit(changes: RoomChanges): Promise<void> {
    return this.#tools.store.commit(this.#room, this.#fence, changes);
  }

  adopt(work: Work): void {
    this.#meta = work.meta;
    if (this.#next !== undefined) this.#book = this.#next.book;
    for (let i = 0; i < work.texts.length; i++) {
      this.recent.push(work.publications[i]!.id, work.from + i, work.texts[i]!);
    }
    for (const { offset, json } of work.rewrite) this.recent.replace(offset, json);
    for (const run of work.after) run();
    if (work.texts.length > 0) this.#tools.appended(work);
  }

  async refresh(): Promise<void> {
    const start = await this.#tools.reload();
    if (start === undefined) return;
    this.#meta = start.meta;
    this.#book = start.book;
    this.recent.clear();
    this.#remember(start.recent);
  }

  lost(): void {
    this.#tools.lost();
  }

  settled(): void {
    this.#tools.settled();
  }

  #remember(entries: readonly RecentEntry[]): void {
    for (const [offset, json] of entries) this.recent.push(idIn(json), offset, json);
  }
}

/** The id in a publication's JSON text. */
function idIn(json: string): string {
  const { id } = parsePublication(json) as { id?: unknown };
  if (typeof id === 'string') return id;
  throw new BarrageError('store_failed', 'an entry of the log has no id');
}
