/**
 * The program of one of several edge processes: told by its supervisor over a pipe what to be, it
 * ends when it is told to or the supervisor is gone. Reads no configuration itself, so that all
 * workers hold the same.
 */
import type { Socket } from 'node:net';
import { listenUws } from '../edge/socket-uws.js';
import { listenWsFed } from '../edge/socket-ws.js';
import type { ListenViewers } from '../edge/viewer-server.js';
import { processCpuMs } from '../src/adapters/host.js';
import type { Config } from '../src/config/config.js';
import { asBarrageError } from '../src/errors.js';
import { counted } from '../src/telemetry/merged-meter.js';
import { startEdgeParts, type EdgeRun } from './edge-parts.js';
import { runProcess, type ProcessParts, type Reloading, type Role } from './process.js';
import type { FromWorker, ToWorker, WorkerCounts } from './worker-words.js';

type Start = Extract<ToWorker, { type: 'start' }>;
type Changed = Parameters<Reloading['onChange']>[0];

/** The configuration as the supervisor has it. */
class ToldConfig implements Reloading {
  current: Config;
  readonly #changed = new Set<Changed>();

  constructor(config: Config) {
    this.current = config;
  }

  /** Which keys changed is told once, by the supervisor. */
  take(next: Config): void {
    this.current = next;
    for (const changed of this.#changed) changed(next, []);
  }

  onChange(changed: Changed) {
    this.#changed.add(changed);
    return { cancel: () => void this.#changed.delete(changed) };
  }

  onRefused() {
    return { cancel: () => undefined };
  }
}

class Worker {
  readonly #start: Start;
  readonly #config: ToldConfig;
  #take: ((socket: Socket) => void) | undefined;
  #counts: (() => WorkerCounts) | undefined;

  constructor(start: Start) {
    this.#start = start;
    this.#config = new ToldConfig(start.config);
  }

  hear(told: ToWorker, handle: unknown): void {
    if (told.type === 'config') this.#config.take(told.config);
    else if (told.type === 'count') this.#count(told.round);
    else if (told.type === 'viewer') this.#viewer(handle as Socket | undefined);
  }

  async run(): Promise<void> {
    await runProcess(this.#start.config, this.#config, (config, parts) =>
      this.#open(config, parts),
    );
  }

  async #open(config: Config, parts: ProcessParts): Promise<Role> {
    const { worker, port } = this.#start;
    const log = Object.assign(parts.log.with({ worker }), { setLevel: parts.log.setLevel });
    const run = await startEdgeParts(config, { ...parts, log }, { port, listen: this.#listen() });
    this.#counts = () => countsOf(parts, run);
    return {
      says: 'worker ready',
      told: { role: 'edge', worker, viewerPort: run.edge.port },
      greet: () => void tell({ type: 'ready', edge: `worker-${worker}` }),
      tune: run.tune,
      stop: async (windowMs) => {
        await run.stop(windowMs);
        // What was counted up to the end; the supervisor adds it to the rest.
        await tell({ type: 'counted', round: 0, ...countsOf(parts, run) });
      },
    };
  }

  #listen(): ListenViewers {
    if (this.#start.library === 'uws') return listenUws;
    return listenWsFed((take) => (this.#take = take));
  }

  #count(round: number): void {
    const counts = this.#counts?.();
    if (counts !== undefined) void tell({ type: 'counted', round, ...counts });
  }

  /** Undefined: it was gone before it came here. */
  #viewer(socket: Socket | undefined): void {
    if (this.#take === undefined) socket?.destroy();
    else if (socket !== undefined) this.#take(socket);
    void tell({ type: 'taken' });
  }
}

function countsOf({ meter }: ProcessParts, run: EdgeRun): WorkerCounts {
  return {
    metrics: counted(meter),
    reasons: run.reasons(),
    cpuSeconds: processCpuMs() / 1000,
    residentBytes: process.memoryUsage.rss(),
  };
}

/** Resolves when it was handed over, or cannot be. */
function tell(words: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(words, undefined, undefined, () => resolve());
  });
}

let worker: Worker | undefined;
process.on('message', (told: ToWorker, handle: unknown) => {
  if (worker !== undefined) return worker.hear(told, handle);
  if (told.type !== 'start') return;
  worker = new Worker(told);
  worker.run().then(
    // Everything was ended in order; a connection kept alive by its viewer must not keep us.
    () => process.exit(0),
    async (error: unknown) => {
      const { code, message } = asBarrageError(error);
      await tell({ type: 'failed', code, message });
      process.exit(1);
    },
  );
});
// Its supervisor reads the files again and tells what changed.
process.on('SIGHUP', () => undefined);
process.on('disconnect', () => {
  if (worker === undefined) process.exit(1);
  // To whoever still listens: one that is ending already goes on with that.
  process.emit('SIGTERM', 'SIGTERM');
});
