/** The parts list of the studio and operations API: guard, documents, routes, pages, one listener. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { prometheusExposition } from '../../src/adapters/prometheus.js';
import { BarrageError } from '../../src/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import type { Meter } from '../../src/telemetry/meter.js';
import type { Tokens } from '../../src/tokens.js';
import type { RoomCalls } from '../calls/calls.js';
import { callbackRoutes } from './callbacks.js';
import { installDocs } from './docs.js';
import { attributeRoutes } from './attributes.js';
import { pollRoutes } from './polls.js';
import { queueRoutes } from './queues.js';
import { createGuard } from './guard.js';
import type { ApiKey } from './keys.js';
import { apiMeters } from './meters.js';
import { operationRoutes } from './operations.js';
import { orderRoutes } from './orders.js';
import { installPages } from './pages.js';
import { presenceRoutes } from './presence.js';
import { publicationRoutes } from './publications.js';
import { installImport, recordRoutes } from './records.js';
import { roomRoutes } from './rooms.js';
import { installRoute, type Route } from './route.js';
import { sanctionRoutes } from './sanctions.js';
import { scopeRoutes } from './scopes.js';
import { createServer } from './server.js';
import { tokenRoutes } from './tokens.js';
import { reviewRoutes, wordRoutes } from './words.js';

export type { ApiKey } from './keys.js';

export interface ApiParts {
  readonly calls: RoomCalls;
  readonly tokens: () => Tokens;
  readonly keys: () => readonly ApiKey[];
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ready: () => { ready: boolean; reasons: readonly string[] };
}

export interface ApiOptions {
  readonly host: string;
  readonly port: number;
  readonly webFolder: string;
  readonly viewerPort: () => number;
  /** Life of a viewer token whose caller named none. */
  readonly tokenTtlMs: number;
  /** Calls with one key: on average and at once. */
  readonly requestsPerSecond?: number;
  readonly requestsBurst?: number;
  /** Calls being worked on at once; more are answered 503. */
  readonly inFlightMax?: number;
  /** A call that takes longer is answered `timeout`; whether it still takes effect is not known. */
  readonly callMs?: number;
  /** How long `stop` waits for calls in flight. */
  readonly stopMs?: number;
}

export interface RunningApi {
  readonly port: number;
  /** Takes no more calls, finishes those in flight within `stopMs`, then ends. */
  stop(): Promise<void>;
}

const REQUESTS_PER_SECOND = 2000;
const REQUESTS_BURST = 4000;
const IN_FLIGHT_MAX = 4096;
const IN_FLIGHT_BYTES_MAX = 64 << 20;
/** Rooms answer or fail within 5 s; this is for what should not happen. */
const CALL_MS = 15_000;
const STOP_MS = 5000;

/** Rejects with BarrageError `port_in_use` or `config` when it cannot listen. */
export async function startApi(options: ApiOptions, parts: ApiParts): Promise<RunningApi> {
  const app = await buildApi(options, parts);
  const { host, port } = options;
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, `${host}:${port}`);
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    stop: () => stop(app, parts.clock, options.stopMs ?? STOP_MS),
  };
}

/** The server before it listens; `seen` is told of every route as it is added. */
export async function buildApi(
  options: ApiOptions,
  parts: ApiParts,
  seen?: (route: RouteOptions) => void,
): Promise<FastifyInstance> {
  const { calls, clock, log, meter, keys } = parts;
  const guard = createGuard(
    {
      requestsPerSecond: options.requestsPerSecond ?? REQUESTS_PER_SECOND,
      requestsBurst: options.requestsBurst ?? REQUESTS_BURST,
      inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
      inFlightBytesMax: IN_FLIGHT_BYTES_MAX,
    },
    keys,
    clock,
  );
  const meters = apiMeters(meter, () => guard.inFlight.calls);
  const app = createServer({ clock, log, meters, callMs: options.callMs ?? CALL_MS });
  if (seen !== undefined) app.addHook('onRoute', seen);
  await installDocs(app);
  const routes: Route[] = [
    ...roomRoutes(calls),
    ...publicationRoutes({ calls, log, countError: (code) => meters.errors.add(code) }),
    ...sanctionRoutes(calls, clock),
    ...attributeRoutes(calls.attributes),
    ...queueRoutes(calls.queues),
    ...pollRoutes(calls.polls),
    ...scopeRoutes(calls.scopes),
    ...presenceRoutes(calls.presence),
    ...callbackRoutes(calls.callbacks),
    ...wordRoutes(calls.words),
    ...reviewRoutes(calls.reviews),
    ...orderRoutes(calls.orders, clock),
    ...recordRoutes({ calls, clock }),
    ...tokenRoutes({ tokens: parts.tokens, clock, ttlMs: options.tokenTtlMs }),
    ...operationRoutes({
      ready: parts.ready,
      exposition: prometheusExposition(meter),
      viewerPort: options.viewerPort,
      describe: () => app.swagger() as { openapi?: string },
    }),
  ];
  for (const route of routes) installRoute(app, route, guard.check);
  await installImport(app, { calls, clock }, guard.check);
  await installPages(app, options.webFolder);
  await app.ready();
  return app;
}

/** Idle connections end at once, busy ones with their answer, all when the time is over. */
async function stop(app: FastifyInstance, clock: Clock, stopMs: number): Promise<void> {
  const timer = clock.after(stopMs, () => app.server.closeAllConnections());
  try {
    await app.close();
  } finally {
    timer.cancel();
  }
}

function listenError(error: unknown, address: string): unknown {
  const field = 'studio.port';
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new BarrageError('port_in_use', `${address} is in use by another process`, {
        field,
        cause: error,
      });
    case 'EACCES':
      return new BarrageError('config', `${address} may not be listened on by this user`, {
        field,
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new BarrageError('config', `${address} is no address of this machine`, {
        field: 'studio.host',
        cause: error,
      });
    default:
      return error;
  }
}
