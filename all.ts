/**
 * The parts list of the whole service in one process: adapters, rooms, API, edge, and their end.
 */
import { fileURLToPath } from 'node:url';
import { startEdge, type RunningEdge } from './edge/main.js';
import { EDGE_DEFAULTS } from './edge/options.js';
import { startApi, type RunningApi } from './room/api/main.js';
import { startRooms, type RunningRooms } from './room/main.js';
import { openOutside, type RunningOutside } from './room/powers/open-outside.js';
import { openEmbeddedStore } from './src/adapters/lmdb-store.js';
import { MemoryBus } from './src/adapters/memory-bus.js';
import { MemoryStore } from './src/adapters/memory-store.js';
import { createPinoLog, type PinoLog } from './src/adapters/pino-log.js';
import { SystemClock } from './src/adapters/system-clock.js';
import { allBanner } from './src/cli/all-banner.js';
import { readVersion } from './src/cli/version.js';
import type { Config } from './src/config/config.js';
import { logReloads, type ConfigManager } from './src/config/manager.js';
import { ensureSecrets, secretsFile, type Secrets } from './src/config/secrets.js';
import type { EdgeId } from './src/ids.js';
import type { Clock } from './src/ports/clock.js';
import type { Log } from './src/ports/log.js';
import type { Store } from './src/ports/store.js';
import { randomId, systemRandom } from './src/random.js';
import { Meter } from './src/telemetry/meter.js';
import { Tokens } from './src/tokens.js';

const WEB_FOLDER = fileURLToPath(new URL('../web', import.meta.url));

/** What a change of configuration may replace while the process runs. */
interface Live {
  secrets: Secrets;
  tokens: Tokens;
}

interface Running {
  readonly store: Store;
  readonly bus: MemoryBus;
  readonly outside: RunningOutside;
  readonly rooms: RunningRooms;
  readonly api: RunningApi;
  readonly edge: RunningEdge;
}

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start. */
export async function runAll(config: Config, manager: ConfigManager): Promise<void> {
  const log = createPinoLog(config.log.level);
  // Heard from the start on: a signal during the start ends the service once it is whole.
  const stopping = stopSignal();
  const clock = new SystemClock();
  // First of all: it locks the data folder, in which the first start also makes the keys.
  const store = await openStore(config, clock);
  const live = await orClose(store, () => liveOf(config));
  const state = { draining: false };
  const running = await start(config, { clock, store, log, live, state });
  const reloads = logReloads(manager, log);
  manager.onChange((next) => {
    log.setLevel(next.log.level);
    Object.assign(live, liveOf(next));
    running.outside.tune(next);
    running.rooms.setDefaults(next.room);
    running.edge.tune(next.edge);
  });
  tellReady(config, { log, live, running });
  const signal = await stopping;
  state.draining = true;
  log.info('stopping', { signal, windowMs: manager.current.drain.windowMs });
  await stop(running, manager.current.drain.windowMs);
  reloads.cancel();
  log.info('stopped');
}

function liveOf(config: Config): Live {
  const secrets = ensureSecrets(config);
  return { secrets, tokens: new Tokens(secrets.tokens, config.tokens.audience) };
}

function openStore(config: Config, clock: Clock): Promise<Store> {
  if (config.store === 'memory') return Promise.resolve(new MemoryStore(clock));
  return openEmbeddedStore({ folder: config.data.folder, clock });
}

async function orClose<T>(store: Store, run: () => T): Promise<T> {
  try {
    return run();
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface StartParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: PinoLog;
  readonly live: Live;
  readonly state: { readonly draining: boolean };
}

async function start(config: Config, parts: StartParts): Promise<Running> {
  const { clock, store, log, live, state } = parts;
  const meter = new Meter();
  const bus = new MemoryBus(undefined, (error) => log.error('a subscriber failed', { error }));
  const shared = { bus, clock, log, meter, random: systemRandom() };
  const started: { stop(): Promise<void> }[] = [{ stop: () => store.close() }];
  try {
    const outside = await openOutside(config, shared);
    started.unshift(outside);
    const rooms = await startRooms(
      {
        owner: 'all',
        defaults: config.room,
        ensure: config.rooms.create,
        leaseMs: config.rooms.leaseMs,
        parkAfterMs: config.rooms.parkAfterMs,
      },
      { ...shared, store, outside },
    );
    started.unshift(rooms);
    const id = `edge-${randomId(6)}` as EdgeId;
    const tokens = () => live.tokens;
    const edge = await startEdge({ ...EDGE_DEFAULTS, ...config.edge, id }, { ...shared, tokens });
    started.unshift(edge);
    const api = await startApi(
      {
        ...{ host: config.studio.host, port: config.studio.port, webFolder: WEB_FOLDER },
        viewerPort: () => edge.port,
        tokenTtlMs: config.tokens.ttlMs,
        requestsPerSecond: config.studio.requestsPerSecond,
      },
      {
        ...{ calls: rooms.calls, tokens, keys: () => live.secrets.studio, clock, log, meter },
        ready: () => readiness({ rooms, edge, draining: state.draining }),
      },
    );
    return { store, bus, outside, rooms, api, edge };
  } catch (error) {
    for (const part of started) await part.stop();
    throw error;
  }
}

function readiness(of: { rooms: RunningRooms; edge: RunningEdge; draining: boolean }): {
  ready: boolean;
  reasons: readonly string[];
} {
  const reasons: string[] = [];
  if (of.draining) reasons.push('draining');
  if (!of.rooms.isReady()) reasons.push('rooms have no shard');
  if (!of.edge.isReady()) reasons.push('edge is not listening');
  return { ready: reasons.length === 0, reasons };
}

interface Ready {
  readonly log: Log;
  readonly live: Live;
  readonly running: Running;
}

function tellReady(config: Config, { log, live, running }: Ready): void {
  const viewerPort = running.edge.port;
  const studioPort = running.api.port;
  log.info('ready', { viewerPort, studioPort });
  const room = config.rooms.create[0]?.room;
  // Where keys are configured and nobody watches, the output is a log and no place for tokens.
  const isWatched = process.stdout.isTTY || config.tokens.keys.length === 0;
  if (room === undefined || !isWatched) return;
  const request = { user: 'you', name: 'You', rooms: ['*'], ttlMs: config.tokens.ttlMs };
  process.stdout.write(
    allBanner({
      ...{ version: readVersion(), viewerPort, studioPort, room },
      viewerToken: live.tokens.issue(request, new SystemClock().now()),
      apiKey: process.stdout.isTTY ? live.secrets.studio[0]?.secret : undefined,
      secretsFile: secretsFile(config.data.folder),
    }),
  );
}

/** Viewers are told where to go while the rooms still answer; the log is closed last. */
async function stop(
  { store, bus, outside, rooms, api, edge }: Running,
  windowMs: number,
): Promise<void> {
  await Promise.all([edge.drain(windowMs), api.stop()]);
  await rooms.stop();
  await outside.stop();
  await edge.stop();
  await bus.drain();
  await store.close();
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
}
