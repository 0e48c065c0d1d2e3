/**
 * The parts list of the whole service in one process: adapters, rooms, API, edge, and their end.
 */
import { startEdge, type RunningEdge } from '../edge/main.js';
import { startApi, type RunningApi } from '../room/api/main.js';
import type { RunningPusher } from '../cdn-pusher/main.js';
import type { CdnFacts, Cdns } from '../room/dispatch/desk.js';
import { startDispatch, type RunningDispatch } from '../room/dispatch/main.js';
import { startRooms, type RunningRooms } from '../room/main.js';
import { openOutside, type RunningOutside } from '../room/powers/open-outside.js';
import { allBanner } from '../src/cli/all-banner.js';
import { readVersion } from '../src/cli/version.js';
import type { Config } from '../src/config/config.js';
import type { ConfigManager } from '../src/config/manager.js';
import { ensureSecrets, secretsFile } from '../src/config/secrets.js';
import type { Bus } from '../src/ports/bus.js';
import type { Store } from '../src/ports/store.js';
import { openBus, openStore } from './adapters.js';
import { openPusher } from './cdn-pusher.js';
import { apiOptions, cdnOptions, edgeOptions, roomOptions } from './options.js';
import { liveOf, runProcess, type Live, type ProcessParts, type Role } from './process.js';

interface Running {
  readonly store: Store;
  readonly bus: Bus;
  readonly outside: RunningOutside;
  readonly rooms: RunningRooms;
  readonly api: RunningApi;
  readonly dispatch: RunningDispatch;
  readonly edge: RunningEdge;
  /** Where the process writes the files of its rooms itself. */
  readonly pusher: RunningPusher | undefined;
}

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start. */
export function runAll(config: Config, manager: ConfigManager): Promise<void> {
  return runProcess(config, manager, startAll);
}

async function startAll(config: Config, parts: ProcessParts): Promise<Role> {
  const { clock, opened } = parts;
  // First of all: it locks the data folder, in which the first start also makes the keys.
  const store = await opened.add(openStore(config, parts), (each) => each.close());
  const live = liveOf(config, ensureSecrets(config));
  const running = await startParts(config, { parts, store, live });
  const { edge, api, outside, rooms, dispatch } = running;
  return {
    told: { viewerPort: edge.port, studioPort: api.port },
    greet: () => greet(config, live, { edge, api, now: clock.now() }),
    tune: (next) => {
      Object.assign(live, liveOf(next, ensureSecrets(next)));
      outside.tune(next);
      rooms.setDefaults(next.room);
      rooms.cdn.tune(cdnOptions(next));
      edge.tune(next.edge);
      dispatch.tune(next.dispatch);
    },
    stop: (windowMs) => stop(running, windowMs),
  };
}

async function startParts(
  config: Config,
  given: { readonly parts: ProcessParts; readonly store: Store; readonly live: Live },
): Promise<Running> {
  const { store, live, parts } = given;
  const { clock, log, meter, random, opened, stage } = parts;
  const bus = await opened.add(openBus(config, parts), (each) => each.drain());
  const shared = { bus, clock, log, meter, random };
  const stopIt = (each: { stop(): Promise<void> }): Promise<void> => each.stop();
  const outside = await opened.add(openOutside(config, shared), stopIt);
  const rooms = await opened.add(
    startRooms(roomOptions(config, 'all'), { ...shared, store, outside }),
    stopIt,
  );
  const tokens = () => live.tokens;
  const pusher = config.cdn.pusher
    ? await opened.add(openPusher(config, 'all', { ...parts, bus, store }), stopIt)
    : undefined;
  const cdns: Cdns = (_room, region) => rooms.cdn.inRegion(region);
  const cdnFact: CdnFacts = (room, region) => rooms.cdn.factIn(room, region);
  const dispatch = startDispatch(config.dispatch, { ...shared, cdns, cdnFact });
  await opened.add(Promise.resolve(dispatch), stopIt);
  const edge = await opened.add(startEdge(edgeOptions(config), { ...shared, tokens }), stopIt);
  const api = await opened.add(
    startApi(
      apiOptions(config, () => edge.port),
      {
        ...{ calls: rooms.calls, tokens, keys: () => live.secrets.studio, clock, log, meter },
        dispatch,
        ready: () => readiness({ rooms, edge, draining: stage.draining }),
      },
    ),
    stopIt,
  );
  return { store, bus, outside, rooms, api, dispatch, edge, pusher };
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

function greet(
  config: Config,
  live: Live,
  at: { readonly edge: RunningEdge; readonly api: RunningApi; readonly now: number },
): void {
  const room = config.rooms.create[0]?.room;
  // Where keys are configured and nobody watches, the output is a log and no place for tokens.
  const isWatched = process.stdout.isTTY || config.tokens.keys.length === 0;
  if (room === undefined || !isWatched) return;
  const request = { user: 'you', name: 'You', rooms: ['*'], ttlMs: config.tokens.ttlMs };
  process.stdout.write(
    allBanner({
      ...{ version: readVersion(), viewerPort: at.edge.port, studioPort: at.api.port, room },
      viewerToken: live.tokens.issue(request, at.now),
      apiKey: process.stdout.isTTY ? live.secrets.studio[0]?.secret : undefined,
      secretsFile: secretsFile(config.data.folder),
    }),
  );
}

/** Viewers are told where to go while the rooms still answer; the log is closed last. */
async function stop(
  { store, bus, outside, rooms, api, dispatch, edge, pusher }: Running,
  windowMs: number,
): Promise<void> {
  await Promise.all([edge.drain(windowMs), api.stop()]);
  await rooms.stop();
  await pusher?.stop();
  await outside.stop();
  await edge.stop();
  await dispatch.stop();
  await bus.drain();
  await store.close();
}
