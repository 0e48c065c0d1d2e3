/**
 * Owns the configuration of a running process: what is in force, taking up a changed file, refusing
 * a bad one while the old stays. Knows nothing of what the settings mean.
 */
import { readFileSync } from 'node:fs';
import { BarrageError } from '../errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { changeLine, findChanges, inForce, type Change } from './changes.js';
import { toConfig, type Config } from './config.js';
import { problemLine, type Problem } from './given.js';
import { loadSettings, refuseProblems, type Loaded } from './load.js';
import type { Settings } from './schema.js';
import type { FlagText } from './sources.js';
import { watchFile, type FileWatch } from './watch.js';

/** Larger than any real one; a wrong path (a device, a dump) is refused early. */
const FILE_BYTES_MAX = 1 << 20;

export interface ConfigSources {
  /** Path of the file; undefined when there is none. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: readonly FlagText[];
}

/** `problems`: the file was refused and nothing changed; `changes`: taken up, possibly none. */
export type Reload =
  | { readonly changes: readonly Change[]; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly changes?: never };

export interface ConfigManager {
  readonly current: Config;
  /** The settings in force under their names of the file. */
  readonly settings: Settings;
  /** Called after a change was taken up; what needs a restart is told but not in `next`. */
  onChange(changed: (next: Config, changes: readonly Change[]) => void): Cancel;
  /** Called when a changed file is refused. */
  onRefused(refused: (problems: readonly Problem[]) => void): Cancel;
  /** Reads the file again now. Never throws. */
  reload(): Reload;
  /** Follows changes of the file from now on, until `close`. */
  watch(clock: Clock): Promise<void>;
  close(): Promise<void>;
}

/** Throws BarrageError `config` with every problem of the sources. */
export function openConfig(sources: ConfigSources): ConfigManager {
  const loaded = load(sources);
  if (loaded.problems !== undefined) refuseProblems(loaded.problems);
  return new Manager(sources, loaded.settings);
}

/** Writes a line for every change and refusal. */
export function logReloads(
  manager: Pick<ConfigManager, 'onChange' | 'onRefused'>,
  log: Log,
): Cancel {
  const taken = manager.onChange((_, changes) => {
    for (const change of changes) log.info(`configuration changed, ${changeLine(change)}`);
  });
  const refused = manager.onRefused((problems) => {
    const lines = problems.map(problemLine);
    log.error('configuration refused, the old one stays', { problems: lines });
  });
  return {
    cancel: () => {
      taken.cancel();
      refused.cancel();
    },
  };
}

function load({ file, env, flags }: ConfigSources): Loaded {
  if (file === undefined) return loadSettings({ env, flags });
  try {
    return loadSettings({ file: { name: file, text: readText(file) }, env, flags });
  } catch (error) {
    return { problems: [{ path: '', source: file, message: reasonOf(error) }] };
  }
}

function readText(file: string): string {
  const bytes = readFileSync(file);
  if (bytes.byteLength > FILE_BYTES_MAX) {
    throw new BarrageError('config', `is larger than ${FILE_BYTES_MAX} bytes`);
  }
  return bytes.toString('utf8');
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'the file may not be read';
  if (code === 'EISDIR') return 'is a folder, not a file';
  return error instanceof Error ? error.message : String(error);
}

class Manager implements ConfigManager {
  readonly #sources: ConfigSources;
  readonly #changed = new Set<(next: Config, changes: readonly Change[]) => void>();
  readonly #refused = new Set<(problems: readonly Problem[]) => void>();
  /** As last accepted, with what waits for a restart. */
  #written: Settings;
  #running: Settings;
  #current: Config;
  #watch: FileWatch | undefined;
  /** The problems last told, so that a broken file is told once, not at each event. */
  #told = '';

  constructor(sources: ConfigSources, settings: Settings) {
    this.#sources = sources;
    this.#written = settings;
    this.#running = settings;
    this.#current = toConfig(settings);
  }

  get current(): Config {
    return this.#current;
  }

  get settings(): Settings {
    return this.#running;
  }

  onChange(changed: (next: Config, changes: readonly Change[]) => void): Cancel {
    return subscribe(this.#changed, changed);
  }

  onRefused(refused: (problems: readonly Problem[]) => void): Cancel {
    return subscribe(this.#refused, refused);
  }

  reload(): Reload {
    const loaded = load(this.#sources);
    if (loaded.problems !== undefined) {
      const told = loaded.problems.map(problemLine).join('\n');
      if (told !== this.#told) for (const refused of this.#refused) refused(loaded.problems);
      this.#told = told;
      return { problems: loaded.problems };
    }
    this.#told = '';
    const changes = findChanges(this.#written, loaded.settings);
    this.#written = loaded.settings;
    if (changes.length === 0) return { changes };
    this.#running = inForce(this.#running, loaded.settings);
    this.#current = toConfig(this.#running);
    for (const changed of this.#changed) this.#apply(() => changed(this.#current, changes));
    return { changes };
  }

  /** Runs a listener; its failure is told, so that a change of a file never ends the process. */
  #apply(run: () => void): void {
    try {
      run();
    } catch (error) {
      const source = this.#sources.file ?? '';
      const message = `was taken up only in part: ${reasonOf(error)}`;
      for (const refused of this.#refused) refused([{ path: '', source, message }]);
    }
  }

  async watch(clock: Clock): Promise<void> {
    const { file } = this.#sources;
    if (file === undefined || this.#watch !== undefined) return;
    const failed = (error: Error) => {
      const problem = { path: '', source: file, message: `cannot be watched: ${error.message}` };
      for (const refused of this.#refused) refused([problem]);
    };
    this.#watch = watchFile(file, clock, () => void this.reload(), failed);
    await this.#watch.ready;
  }

  async close(): Promise<void> {
    this.#changed.clear();
    this.#refused.clear();
    await this.#watch?.close();
    this.#watch = undefined;
  }
}

function subscribe<T>(all: Set<T>, one: T): Cancel {
  all.add(one);
  return { cancel: () => all.delete(one) };
}
