/**
 * Owns the workers of one edge supervisor: starts them, starts those again that end, asks each what
 * it counts, kills one that no longer answers, and ends all of them together. Rules: SPEC E-PROC-*.
 */
import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { SocketLibrary } from '../edge/listen.js';
import { NODE_FLAGS } from '../src/cli/node-flags.js';
import type { Config } from '../src/config/config.js';
import { BarrageError } from '../src/errors.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { MergedMeter } from '../src/telemetry/merged-meter.js';
import type { WorkerMeters } from './worker-meters.js';
import { RestartPolicy } from './restart-policy.js';
import type { FromWorker, ToWorker, WorkerCounts } from './worker-words.js';

export interface WorkersOptions {
  readonly count: number;
  readonly port: number;
  readonly library: SocketLibrary;
}

export interface WorkersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly merged: MergedMeter;
  readonly meters: WorkerMeters;
}

const SCRIPT = fileURLToPath(new URL('./edge-worker.js', import.meta.url));
/** A start takes as long as the bus's first try at most, and some. */
const START_MS = 30_000;
/** How often each is asked what it counts. */
const TICK_MS = 1000;
/** Ticks without an answer after which one is killed: its viewers come back elsewhere. */
const SILENT_TICKS_MAX = 15;
/** Connections on their way to a worker; one that takes none for so long gets no more. */
const GIVEN_MAX = 1024;
/** How long workers may take to end beyond the window in which their viewers go. */
const END_GRACE_MS = 10_000;

interface Waiting {
  resolve(): void;
  reject(error: BarrageError): void;
}

/** A worker's place; the process in it may be another from time to time. */
class Place {
  readonly policy = new RestartPolicy();
  child: ChildProcess | undefined;
  startedAt = 0;
  isReady = false;
  /** Round it answered last. */
  answered = 0;
  /** Was asked and had not answered when it was to be judged. */
  isSilent = false;
  /** Ticks since it answered anything. */
  silentTicks = 0;
  counts: Omit<WorkerCounts, 'metrics'> | undefined;
  /** What it said it failed of. */
  flaw: BarrageError | undefined;
  /** Connections on their way to it, oldest first: it does not say yet that it has them. */
  readonly given: Socket[] = [];
  /** Who waits for the first start. */
  waiting: Waiting | undefined;
  timer: Cancel | undefined;

  constructor(readonly worker: number) {}
}

export class EdgeWorkers {
  /** Resolves when a worker cannot be kept alive. */
  readonly failure: Promise<BarrageError>;
  readonly #options: WorkersOptions;
  readonly #parts: WorkersParts;
  readonly #places: readonly Place[];
  readonly #ticks: Cancel;
  #config: Config;
  #round = 0;
  /** Round of the last tick. */
  #ticked = 0;
  #turn = 0;
  #isEnding = false;
  readonly #looks = new Set<() => void>();
  #fail: (error: BarrageError) => void = () => undefined;

  constructor(config: Config, options: WorkersOptions, parts: WorkersParts) {
    this.#config = config;
    this.#options = options;
    this.#parts = parts;
    this.#places = Array.from({ length: options.count }, (_, i) => new Place(i + 1));
    this.failure = new Promise((resolve) => (this.#fail = resolve));
    this.#ticks = parts.clock.every(TICK_MS, () => {
      this.#watch();
      this.#judge(this.#ticked);
      this.#ticked = this.#ask();
    });
    parts.meters.watch(() => this.#places);
  }

  /** Resolves when all take viewers; rejects with what the first to fail failed of. */
  async start(): Promise<void> {
    await Promise.all(
      this.#places.map(
        (place) =>
          new Promise<void>((resolve, reject) => {
            place.waiting = { resolve, reject };
            this.#spawn(place);
          }),
      ),
    );
  }

  tune(config: Config): void {
    this.#config = config;
    for (const place of this.#places) send(place, { type: 'config', config });
  }

  /** Why none takes viewers; none: at least one does. */
  reasons(): readonly string[] {
    const reasons = this.#places.map((place) => reasonOf(place));
    return reasons.includes(undefined) ? [] : reasons.filter((reason) => reason !== undefined);
  }

  /** Asks all what they count; resolves when they have answered, or after `withinMs`. */
  async collect(withinMs: number): Promise<void> {
    const round = this.#ask();
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!this.#haveAnswered(round)) return;
        late.cancel();
        this.#looks.delete(look);
        resolve();
      };
      const late = this.#parts.clock.after(withinMs, () => {
        this.#looks.delete(look);
        resolve();
      });
      this.#looks.add(look);
      look();
    });
    this.#judge(round);
  }

  /**
   * Gives a connection to the next worker in turn; cut when there is none. It stays open here too
   * until the worker has it: what was on its way to one that is killed would else hang, for Node
   * forgets all but the first of the connections it still holds for a process that ends.
   */
  give(socket: Socket): void {
    for (let tries = 0; tries < this.#places.length; tries++) {
      const place = this.#places[this.#turn++ % this.#places.length]!;
      if (!place.isReady || place.given.length >= GIVEN_MAX) continue;
      place.given.push(socket);
      send(place, { type: 'viewer' }, socket);
      return;
    }
    socket.destroy();
  }

  /** Ends all together, their viewers within the window. */
  async stop(windowMs: number): Promise<void> {
    this.#isEnding = true;
    this.#ticks.cancel();
    await Promise.all(this.#places.map((place) => this.#end(place, windowMs + END_GRACE_MS)));
  }

  #spawn(place: Place): void {
    const { clock, log } = this.#parts;
    const execArgv = [...NODE_FLAGS, ...process.execArgv];
    const child = fork(SCRIPT, [], { serialization: 'advanced', execArgv });
    Object.assign(place, { child, startedAt: clock.now(), silentTicks: 0, flaw: undefined });
    child.on('message', (words: FromWorker) => this.#hear(place, words));
    // Told by `exit` too, but where it never started.
    child.on('error', (cause) => {
      place.flaw = new BarrageError('internal', cause.message, { cause });
      if (child.pid === undefined) this.#ended(place, 'it was not started');
    });
    child.once('exit', (code, signal) => this.#ended(place, String(signal ?? code)));
    place.timer = clock.after(START_MS, () => {
      log.error('a worker was not ready in time', { worker: place.worker, startMs: START_MS });
      child.kill('SIGKILL');
    });
    const { port, library } = this.#options;
    send(place, { type: 'start', worker: place.worker, config: this.#config, port, library });
  }

  #hear(place: Place, words: FromWorker): void {
    if (words.type === 'ready') {
      place.timer?.cancel();
      place.isReady = true;
      place.waiting?.resolve();
      place.waiting = undefined;
    } else if (words.type === 'failed') {
      place.flaw = new BarrageError(words.code, words.message);
    } else if (words.type === 'taken') {
      // The worker's own descriptor keeps the connection.
      place.given.shift()?.destroy();
    } else this.#count(place, words);
  }

  #count(place: Place, words: Extract<FromWorker, { type: 'counted' }>): void {
    const { metrics, reasons, cpuSeconds, residentBytes } = words;
    if (!this.#parts.merged.take(place.worker, metrics)) this.#parts.meters.refused.add();
    place.counts = { reasons, cpuSeconds, residentBytes };
    place.silentTicks = 0;
    place.answered = Math.max(place.answered, words.round);
    this.#look();
  }

  #haveAnswered(round: number): boolean {
    return this.#places.every(({ isReady, answered }) => !isReady || answered >= round);
  }

  #look(): void {
    for (const look of [...this.#looks]) look();
  }

  #ask(): number {
    const round = ++this.#round;
    for (const place of this.#places) if (place.isReady) send(place, { type: 'count', round });
    return round;
  }

  #judge(round: number): void {
    for (const place of this.#places) place.isSilent = place.answered < round;
  }

  /** Kills those that have been silent for too long. */
  #watch(): void {
    for (const place of this.#places) {
      if (!place.isReady || ++place.silentTicks <= SILENT_TICKS_MAX) continue;
      this.#parts.log.error('a worker does not answer, it is killed', { worker: place.worker });
      place.child?.kill('SIGKILL');
    }
  }

  #ended(place: Place, how: string): void {
    const { clock, log, merged, meters } = this.#parts;
    const { worker, flaw, waiting } = place;
    const aliveMs = clock.now() - place.startedAt;
    place.timer?.cancel();
    for (const socket of place.given.splice(0)) socket.destroy();
    Object.assign(place, { child: undefined, isReady: false, counts: undefined, isSilent: false });
    merged.ended(worker);
    this.#look();
    if (this.#isEnding) return;
    if (waiting !== undefined) {
      place.waiting = undefined;
      return waiting.reject(flaw ?? ended(worker, how));
    }
    const restart = place.policy.ended(aliveMs);
    const why = flaw?.message;
    if (restart === 'give up') return this.#fail(gaveUp(worker, how, flaw));
    meters.restarts.add();
    log.error('a worker ended, another is started', { worker, how, why, ...restart });
    place.timer = clock.after(restart.afterMs, () => this.#spawn(place));
  }

  #end(place: Place, withinMs: number): Promise<void> {
    const { child } = place;
    place.timer?.cancel();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const late = this.#parts.clock.after(withinMs, () => {
        this.#parts.log.error('a worker does not end, it is killed', { worker: place.worker });
        child.kill('SIGKILL');
      });
      child.once('exit', () => {
        late.cancel();
        resolve();
      });
      child.kill('SIGTERM');
    });
  }
}

function reasonOf({ worker, isReady, counts }: Place): string | undefined {
  if (!isReady) return `worker ${worker}: not started`;
  const [reason] = counts?.reasons ?? [];
  return reason === undefined ? undefined : `worker ${worker}: ${reason}`;
}

/** A worker that is gone is told by its exit. */
function send({ child }: Place, words: ToWorker, handle?: Socket): void {
  if (child?.connected !== true) return void handle?.destroy();
  child.send(words, handle, { keepOpen: true }, () => undefined);
}

function ended(worker: number, how: string): BarrageError {
  return new BarrageError('internal', `worker ${worker} ended before it was ready (${how})`);
}

function gaveUp(worker: number, how: string, flaw: BarrageError | undefined): BarrageError {
  const why = flaw === undefined ? '' : `: ${flaw.message}`;
  const message = `worker ${worker} ended again and again at once after its start (${how})${why}`;
  return new BarrageError(flaw?.code ?? 'internal', message);
}
