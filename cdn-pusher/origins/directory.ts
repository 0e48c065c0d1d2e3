/**
 * Origin in a folder that a web server serves: files appear by rename, compressed forms as siblings
 * (`gzip_static`, `brotli_static`), the newer epoch's manifest is kept under a lock file. Files are
 * not synced: after a power cut a viewer's hash check passes over a torn one.
 */
import { mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BarrageError } from '../../src/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import { randomId } from '../../src/random.js';
import { ENCODING_ENDS, type Origin, type OriginFile } from '../origin.js';
import { isOlderThan } from './epoch.js';
import { originFailure } from './failure.js';

/** Whoever held the lock this long is gone: it is held for one small write. */
const LOCK_STALE_MS = 5000;
const LOCK_RETRY_MS = 20;
/** What is not served: locks and files not yet whole. */
const HIDDEN = '.';

export class DirectoryOrigin implements Origin {
  readonly encodings = ['gzip', 'br'] as const;
  readonly ranges = true;
  readonly #root: string;
  readonly #clock: Clock;

  constructor(root: string, clock: Clock) {
    this.#root = root;
    this.#clock = clock;
  }

  async put(name: string, file: OriginFile, signal: AbortSignal): Promise<void> {
    try {
      await this.#write(name, file, signal);
    } catch (error) {
      throw originFailure('write', name, error);
    }
  }

  async putManifest(
    name: string,
    file: OriginFile,
    epoch: number,
    signal: AbortSignal,
  ): Promise<'written' | 'fenced'> {
    try {
      await mkdir(dirname(this.#path(name)), { recursive: true });
      const lock = await this.#lock(name, signal);
      try {
        const current = await this.get(name);
        if (current !== undefined && isOlderThan(epoch, current)) return 'fenced';
        await this.#write(name, file, signal);
        return 'written';
      } finally {
        await rm(lock, { force: true });
      }
    } catch (error) {
      throw originFailure('write', name, error);
    }
  }

  async get(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#path(name));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw originFailure('read', name, error);
    }
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    const ends = this.encodings.map((encoding) => ENCODING_ENDS[encoding]);
    try {
      for (const end of ['', ...ends]) await rm(`${path}${end}`, { force: true });
    } catch (error) {
      throw originFailure('delete', name, error);
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    const ends = this.encodings.map((encoding) => ENCODING_ENDS[encoding]);
    try {
      const names = await readdir(this.#path(folder));
      return names.filter(
        (name) => !name.startsWith(HIDDEN) && !ends.some((end) => name.endsWith(end)),
      );
    } catch (error) {
      if (isAbsent(error)) return [];
      throw originFailure('list', folder, error);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The plain file last: who sees it finds its compressed forms. */
  async #write(name: string, file: OriginFile, signal: AbortSignal): Promise<void> {
    const path = this.#path(name);
    const folder = dirname(path);
    await mkdir(folder, { recursive: true });
    const forms = file.compressed.map(({ encoding, bytes }) => ({
      end: ENCODING_ENDS[encoding],
      bytes,
    }));
    const run = randomId(6);
    for (const { end, bytes } of [...forms, { end: '', bytes: file.bytes }]) {
      const part = join(folder, `${HIDDEN}${run}${end}.part`);
      signal.throwIfAborted();
      try {
        await writeFile(part, bytes, { signal });
        await rename(part, `${path}${end}`);
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    }
  }

  async #lock(name: string, signal: AbortSignal): Promise<string> {
    const path = join(dirname(this.#path(name)), `${HIDDEN}manifest.lock`);
    for (;;) {
      signal.throwIfAborted();
      try {
        await (await open(path, 'wx')).close();
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      await this.#dropStale(path);
      await new Promise<void>((resolve) => this.#clock.after(LOCK_RETRY_MS, resolve));
    }
  }

  async #dropStale(path: string): Promise<void> {
    const made = await stat(path).catch(() => undefined);
    if (made === undefined || this.#clock.now() - made.mtimeMs < LOCK_STALE_MS) return;
    await rm(path, { force: true });
  }

  #path(name: string): string {
    const isSafe = name.split('/').every((part) => part !== '' && !part.startsWith(HIDDEN));
    if (isSafe) return join(this.#root, name);
    throw new BarrageError('invalid', `${name} is no name of a file`, { field: 'name' });
  }
}

function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
