/**
 * Owns patience with an origin: a deadline for each operation, a few repeats spread by full jitter,
 * a bound on what is under way at once, and the counts of all that. Wraps any Origin.
 */
import { BarrageError } from '../src/errors.js';
import type { Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import { Gate } from './gate.js';
import type { PusherMeters } from './meters.js';
import type { Origin, OriginFile } from './origin.js';

export interface PatienceOptions {
  /** For one operation, waiting for its turn included. */
  readonly deadlineMs: number;
  /** Repeats within the deadline. */
  readonly retries: number;
  readonly retryMs: number;
  /** Operations at once. */
  readonly concurrency: number;
}

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly meters: PusherMeters;
}

export type OriginAct = 'put' | 'manifest' | 'get' | 'remove' | 'list';

export class PatientOrigin {
  readonly #origin: Origin;
  readonly #options: PatienceOptions;
  readonly #parts: Parts;
  readonly #gate: Gate;

  constructor(origin: Origin, options: PatienceOptions, parts: Parts) {
    this.#origin = origin;
    this.#options = options;
    this.#parts = parts;
    this.#gate = new Gate(options.concurrency);
  }

  get encodings(): Origin['encodings'] {
    return this.#origin.encodings;
  }

  get ranges(): boolean {
    return this.#origin.ranges;
  }

  put(name: string, file: OriginFile): Promise<void> {
    return this.#try('put', (signal) => this.#origin.put(name, file, signal));
  }

  putManifest(name: string, file: OriginFile, epoch: number): Promise<'written' | 'fenced'> {
    return this.#try('manifest', (signal) => this.#origin.putManifest(name, file, epoch, signal));
  }

  get(name: string): Promise<Buffer | undefined> {
    return this.#try('get', (signal) => this.#origin.get(name, signal));
  }

  remove(name: string): Promise<void> {
    return this.#try('remove', (signal) => this.#origin.remove(name, signal));
  }

  list(folder: string): Promise<readonly string[]> {
    return this.#try('list', (signal) => this.#origin.list(folder, signal));
  }

  close(): Promise<void> {
    return this.#origin.close();
  }

  async #try<T>(act: OriginAct, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, meters } = this.#parts;
    const ended = new AbortController();
    const late = clock.after(this.#options.deadlineMs, () => ended.abort());
    const began = clock.now();
    try {
      const done = await this.#gate.pass(() => this.#repeat(run, ended.signal), ended.signal);
      meters.operations.add('ok');
      return done;
    } catch (error) {
      const failure = this.#failure(act, error, ended.signal);
      meters.operations.add(failure.code === 'timeout' ? 'timeout' : 'failed');
      throw failure;
    } finally {
      late.cancel();
      meters.operationSeconds.observe((clock.now() - began) / 1000);
    }
  }

  async #repeat<T>(run: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock, random } = this.#parts;
    for (let repeat = 0; ; repeat++) {
      try {
        return await orAborted(run(signal), signal);
      } catch (error) {
        const isFinal = error instanceof BarrageError && error.code === 'forbidden';
        if (signal.aborted || isFinal || repeat >= this.#options.retries) throw error;
      }
      const waitMs = random.next() * this.#options.retryMs * 2 ** repeat;
      await orAborted(new Promise<void>((resolve) => clock.after(waitMs, resolve)), signal);
    }
  }

  #failure(act: OriginAct, error: unknown, signal: AbortSignal): BarrageError {
    const { deadlineMs } = this.#options;
    if (signal.aborted) {
      return new BarrageError('timeout', `the origin did not ${act} within ${deadlineMs} ms`);
    }
    if (error instanceof BarrageError) return error;
    return new BarrageError('unavailable', `the origin failed: ${String(error)}`, { cause: error });
  }
}

/** Ends with the signal even when the work does not heed it; what it does later is nobody's. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('aborted'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work
      .finally(() => signal.removeEventListener('abort', abort))
      .then(resolve, (error: unknown) => reject(error as Error));
  });
}
