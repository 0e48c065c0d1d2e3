/**
 * Owns the LMDB environment: the one importer of `lmdb`. Text keys and values, one write at a time,
 * each a transaction that is on the disk when its promise resolves. Knows no rooms.
 */
import { statfs } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { BarrageError } from '../errors.js';
import type { KeyRange } from './store-keys.js';

/** LMDB's lock file is 8 KiB with its 126 reader slots; whole pages of every page size. */
const LOCK_FILE_BYTES = 16 * 1024;
/** Under this a failed write is put down to the full disk, whatever code it failed with. */
const FULL_BELOW_BYTES = 1 << 20;
/** EFBIG, ENOSPC, EDQUOT (Linux and macOS) and LMDB's own MDB_MAP_FULL. */
const FULL_CODES: readonly unknown[] = [27, 28, 69, 122, -30792];
const FULL_RETRY_MS = 2000;
const REASON_WAIT_MS = 500;

/** A key with its new value; undefined deletes. */
export type Write = readonly [key: string, value: string | undefined];

export class LmdbEnv {
  readonly #db: RootDatabase<string, Buffer>;
  readonly #path: string;

  /** Opens or creates the file at `path`. The caller alone may use it (LMDB itself lets others in). */
  constructor(path: string) {
    this.#path = path;
    // LMDB maps this file for writing: a page the full disk cannot give would end us with SIGBUS.
    writeFileSync(`${path}-lock`, Buffer.alloc(LOCK_FILE_BYTES));
    this.#db = open<string, Buffer>({
      path,
      noSubdir: true,
      keyEncoding: 'binary',
      encoding: 'string',
      // A commit resolves after its fdatasync, not before it.
      overlappingSync: false,
      // With it a failed commit rejects a promise nobody holds.
      eventTurnBatching: false,
    });
  }

  get(key: string): string | undefined {
    return this.#db.get(Buffer.from(key));
  }

  /** Pairs in order of their keys' bytes; leave the loop as soon as possible. */
  *range(range: KeyRange): IterableIterator<readonly [key: string, value: string]> {
    const start = Buffer.from(range.from);
    const end = Buffer.from(range.to);
    for (const { key, value } of this.#db.getRange({ start, end })) {
      yield [key.toString(), value];
    }
  }

  /** All or nothing. Rejects with BarrageError `store_full` or `store_failed`. */
  async write(writes: Iterable<Write>): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const [key, value] of writes) {
          if (value === undefined) void this.#db.remove(Buffer.from(key));
          else void this.#db.put(Buffer.from(key), value);
        }
      });
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  async #explain(error: unknown): Promise<BarrageError> {
    const cause = await reasonOf(error);
    if (FULL_CODES.includes(codeOf(cause)) || (await this.#isFull())) {
      const detail = { retryAfterMs: FULL_RETRY_MS, cause };
      return new BarrageError('store_full', 'no room on the disk of the data folder', detail);
    }
    const message = cause instanceof Error ? cause.message : String(cause);
    return new BarrageError('store_failed', `the store cannot write: ${message}`, {
      retryAfterMs: FULL_RETRY_MS,
      cause,
    });
  }

  /** A write cut short by a full disk is reported by LMDB as a plain I/O error. */
  async #isFull(): Promise<boolean> {
    try {
      const { bavail, bsize } = await statfs(this.#path);
      return bavail * bsize < FULL_BELOW_BYTES;
    } catch {
      return false;
    }
  }
}

/** The error behind lmdb's `Commit failed`, which it keeps in a promise of its own. */
async function reasonOf(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<unknown> } | null)?.commitError;
  if (!(reason instanceof Promise)) return error;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(error), REASON_WAIT_MS);
  });
  const told = reason.then(
    () => error,
    (cause: unknown) => cause,
  );
  const cause = await Promise.race([told, late]);
  clearTimeout(timer);
  return cause;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
