/**
 * Owns the word lists of a running process: built in a thread of its own, followed when their files
 * change, replaced whole. A list that is no good is told and the old one stays. Knows no room.
 */
import { Worker } from 'node:worker_threads';
import { watchFile, type FileWatch } from '../config/watch.js';
import { asBarrageError, BarrageError } from '../errors.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { CounterSet, Meter } from '../telemetry/meter.js';
import { WordFilter } from '../words-filter/word-filter.js';
import type { WordListsMade } from './word-list-worker.js';

/** Makes the filter of these files; rejects with BarrageError `config` naming file and line. */
export type BuildWords = (files: readonly string[]) => Promise<WordFilter>;

export interface WordListParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** `buildInThread` unless said otherwise. */
  readonly build?: BuildWords;
}

/** 100,000 words take some 200 ms, which no room should wait for. */
export function buildInThread(files: readonly string[]): Promise<WordFilter> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./word-list-worker.js', import.meta.url), {
      workerData: files,
    });
    worker.once('message', (made: WordListsMade) => {
      if (made.parts === undefined) reject(refusal(made.problem));
      else resolve(WordFilter.of(made.parts));
    });
    worker.once('error', (error) => reject(refusal(asBarrageError(error).message)));
    worker.once('exit', () => reject(refusal('the thread ended without a word list')));
  });
}

export class WordLists {
  readonly #parts: WordListParts;
  readonly #build: BuildWords;
  readonly #loads: CounterSet<'taken' | 'refused'>;
  #files: readonly string[] = [];
  #filter: WordFilter | undefined;
  #watches: readonly FileWatch[] = [];
  #running: Promise<void> | undefined;
  #isAskedAgain = false;
  #problem = '';

  constructor(parts: WordListParts) {
    this.#parts = parts;
    this.#build = parts.build ?? buildInThread;
    const { meter } = parts;
    this.#loads = meter.counters('barrage_words_loads_total', 'word lists read', 'end', [
      'taken',
      'refused',
    ]);
    meter.gauge('barrage_words_listed', 'words in force', () => this.#filter?.words ?? 0);
    meter.gauge('barrage_words_bytes', 'their memory', () => this.#filter?.bytes ?? 0);
  }

  /** The filter in force; undefined when there are no lists. */
  get filter(): WordFilter | undefined {
    return this.#filter;
  }

  /** Reads the lists for the first time. Rejects with BarrageError `config` when one is no good. */
  async open(files: readonly string[]): Promise<void> {
    this.#files = files;
    if (files.length > 0) this.#filter = await this.#build(files);
    await this.#watch();
  }

  /** Other files from now on; the lists in force stay until the new ones are there. */
  follow(files: readonly string[]): void {
    if (files.join('\n') === this.#files.join('\n')) return;
    this.#files = files;
    void this.#watch();
    this.#load();
  }

  async close(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.close()));
    this.#watches = [];
    await this.#running;
  }

  async #watch(): Promise<void> {
    const before = this.#watches;
    this.#watches = this.#files.map((file) =>
      watchFile(
        file,
        this.#parts.clock,
        () => this.#load(),
        (error) => this.#refuse(`${file} cannot be watched: ${error.message}`),
      ),
    );
    await Promise.all([
      ...this.#watches.map((watch) => watch.ready),
      ...before.map((watch) => watch.close()),
    ]);
  }

  /** One at a time; a change while it runs means once more. */
  #load(): void {
    this.#isAskedAgain = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      const files = this.#files;
      try {
        this.#take(files.length === 0 ? undefined : await this.#build(files));
      } catch (error) {
        this.#loads.add('refused');
        this.#refuse(asBarrageError(error).message);
      }
    }
  }

  #take(filter: WordFilter | undefined): void {
    this.#filter = filter;
    this.#problem = '';
    this.#loads.add('taken');
    this.#parts.log.info('word lists taken up', { words: filter?.words ?? 0 });
  }

  /** Told once, not at each event of the same trouble. */
  #refuse(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#parts.log.error('word lists refused, the old ones stay', { problem });
  }
}

function refusal(problem: string): BarrageError {
  return new BarrageError('config', problem, { field: 'words.lists' });
}
