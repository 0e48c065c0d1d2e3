/**
 * Owns noticing that a file may have changed, however it was replaced: written in place, renamed
 * over by an editor, or swapped under a symbolic link (a Kubernetes ConfigMap). Reads nothing. The
 * only importer of chokidar.
 */
import { basename, dirname, resolve } from 'node:path';
import { watch as watchFolder } from 'chokidar';
import type { Cancel, Clock } from '../ports/clock.js';

/** A writer is given this long to finish; a save is several events. */
const QUIET_MS = 100;
/** A file written all the time is still looked at this often. */
const LONGEST_MS = 1000;

export interface FileWatch {
  /** Resolves when changes from now on are noticed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Calls `changed` some 100 ms after the file's last change; it may also come without one. */
export function watchFile(
  path: string,
  clock: Clock,
  changed: () => void,
  failed: (error: Error) => void,
): FileWatch {
  const [folder, name] = [resolve(dirname(path)), basename(path)];
  const wait = calmly(clock, changed);
  const watcher = watchFolder(folder, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    // A ConfigMap swaps the link `..data` beside the file, which itself does not change.
    ignored: (entry) => {
      const own = basename(entry);
      return resolve(entry) !== folder && own !== name && !own.startsWith('..');
    },
  });
  watcher.on('all', () => wait.poke());
  watcher.on('error', (error) => failed(error instanceof Error ? error : new Error(String(error))));
  const ready = new Promise<void>((done) => watcher.once('ready', () => done()));
  return {
    ready,
    close: async () => {
      wait.cancel();
      await watcher.close();
    },
  };
}

/** Runs once it has been quiet for QUIET_MS, at the latest LONGEST_MS after the first poke. */
function calmly(clock: Clock, run: () => void): Cancel & { poke(): void } {
  let waiting: Cancel | undefined;
  let since = 0;
  return {
    poke: () => {
      const now = clock.now();
      if (waiting === undefined) since = now;
      waiting?.cancel();
      const ms = Math.max(0, Math.min(QUIET_MS, since + LONGEST_MS - now));
      waiting = clock.after(ms, () => {
        waiting = undefined;
        run();
      });
    },
    cancel: () => waiting?.cancel(),
  };
}
