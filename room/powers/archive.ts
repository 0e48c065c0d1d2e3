/**
 * Owns keeping the droppable publications of a room beside its log, so that an export has all that
 * viewers saw: written in batches, at most every second; what was not written yet is lost with the
 * process. Off unless the room's `archive` says so.
 */
import { encodePublication, parsePublication } from '../../src/wire/publication.js';
import { RECALLED_KIND, type Publication } from '../../src/words.js';
import { SCAN_MAX } from './find.js';
import { encodeSafely } from '../keep-job.js';
import type { Power, PowerHost } from './power.js';
import { idPrefix } from '../recent.js';
import { isOf } from '../studio/recalls.js';
import type { Shelf, ShelfPage } from './shelf.js';

/** Publications are written at most this late: what a `kill -9` may cost the archive. */
export const ARCHIVE_EVERY_MS = 1000;
/** Waiting for the store; more are let go and counted. */
const WAITING_MAX = 20_000;
const WAITING_BYTES_MAX = 16 << 20;
/** In one commit. */
const BATCH_MAX = 1000;

export class Archive implements Power {
  readonly #host: PowerHost;
  readonly #shelf: Shelf;
  #waiting: string[] = [];
  #bytes = 0;
  #dueAt = Infinity;
  #writing: Promise<void> | undefined;

  constructor(host: PowerHost, shelf: Shelf) {
    this.#host = host;
    this.#shelf = shelf;
  }

  published(publications: readonly Publication[], now: number): void {
    if (!this.#host.settings().archive) return;
    for (const publication of publications) {
      // What was meant for some is nobody else's to read.
      if (publication.offset !== undefined || publication.to !== undefined) continue;
      const text = encodeSafely(publication);
      if (text !== undefined) this.#push(text);
    }
    if (this.#waiting.length > 0) this.#dueAt = Math.min(this.#dueAt, now + ARCHIVE_EVERY_MS);
  }

  nextAt(): number {
    return this.#writing === undefined ? this.#dueAt : Infinity;
  }

  step(now: number): void {
    this.#begin(now);
  }

  idle(): boolean {
    return this.#waiting.length === 0 && this.#writing === undefined;
  }

  save(now: number): boolean {
    if (this.#writing === undefined) this.#begin(now);
    return !this.idle();
  }

  ended(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  drop(): void {
    this.#host.archiveLost(this.#waiting.length);
    this.#waiting = [];
    this.#bytes = 0;
    this.#dueAt = Infinity;
  }

  /** Past publications, stored when it resolves. Rejects with the store's error. */
  async put(publications: readonly Publication[]): Promise<void> {
    const texts = publications.map(encodePublication);
    await this.#shelf.append(texts);
  }

  /** Entries from `from` on, what waits written first. */
  async page(from: number, limit: number, bytes: number): Promise<ShelfPage> {
    await this.#settle();
    return this.#shelf.page(from, limit, bytes);
  }

  /** Whether a publication of this id is in the archive; looks at its newest entries. */
  async holds(id: string): Promise<boolean> {
    const head = idPrefix(id);
    await this.#settle();
    let found = false;
    const look = (json: string): undefined => {
      found ||= json.startsWith(head) && parsePublication(json).kind !== RECALLED_KIND;
    };
    await this.#shelf.rewrite(look, 1, SCAN_MAX);
    return found;
  }

  /** Puts tombstones in the place of publications. */
  async recall(ids: readonly string[]): Promise<void> {
    const heads = ids.map(idPrefix);
    await this.#rewrite((json) => heads.some((head) => json.startsWith(head)), ids.length);
  }

  /** The same for what a user said; `mark` is how its JSON names the user. Answers how many. */
  recallUser(mark: string, most: number): Promise<number> {
    return this.#rewrite((json) => isOf(json, mark), most);
  }

  async #rewrite(isMeant: (json: string) => boolean, most: number): Promise<number> {
    await this.#settle();
    return this.#shelf.rewrite(
      (json) => (isMeant(json) ? tombstoneOf(json) : undefined),
      most,
      SCAN_MAX,
    );
  }

  /** Writes what waits; a failure is retried by the next step. */
  async #settle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#writing !== undefined) {
      if (this.#writing === undefined) this.#begin(this.#host.clock.now());
      const before = this.#waiting.length;
      await this.#writing;
      if (this.#waiting.length >= before && before > 0) break;
    }
  }

  #push(text: string): void {
    if (this.#waiting.length >= WAITING_MAX || this.#bytes + text.length > WAITING_BYTES_MAX) {
      this.#host.archiveLost(1);
      return;
    }
    this.#waiting.push(text);
    this.#bytes += text.length;
  }

  #begin(now: number): void {
    this.#dueAt = Infinity;
    const batch = this.#waiting.slice(0, BATCH_MAX);
    if (batch.length === 0) return;
    this.#writing = this.#shelf
      .append(batch)
      .then(
        () => {
          this.#waiting.splice(0, batch.length);
          this.#bytes -= batch.reduce((sum, text) => sum + text.length, 0);
          if (this.#waiting.length > 0) this.#dueAt = now;
        },
        (error: unknown) => {
          this.#dueAt = now + ARCHIVE_EVERY_MS;
          this.#host.log.warn('the archive could not be written', { room: this.#host.room, error });
        },
      )
      .finally(() => {
        this.#writing = undefined;
        this.#host.wake();
      });
  }
}

function tombstoneOf(json: string): string {
  const { id, lane, at } = parsePublication(json);
  return encodePublication({ id, kind: RECALLED_KIND, lane, at });
}
