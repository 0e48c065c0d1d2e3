/** The parts list of the studio and operations API: guard, documents, routes, pages, one listener. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { prometheusExposition } from '../../src/adapters/prometheus.js';
import { BarrageError } from '../../src/errors.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import type { Meter } from '../../src/telemetry/meter.js';
import type { Tokens } from '../../src/tokens.js';
import type { RoomCalls } from '../calls/calls.js';
import type { RunningDispatch } from '../dispatch/main.js';
import { callbackRoutes } from './callbacks.js';
import { installDocs } from './docs.js';
import { attributeRoutes } from './attributes.js';
import { pollRoutes } from './polls.js';
import { queueRoutes } from './queues.js';
import { serveDispatchFirst } from './dispatch-first.js';
import { dispatchRoutes } from './dispatch.js';
import type { ClusterParts, ForwardTuning } from './forward/cluster.js';
import { createForwarding, type Forwarding } from './forward/install.js';
import { cdnRoutes } from './cdn.js';
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

export type { ClusterParts } from './forward/cluster.js';
export type { ApiKey } from './keys.js';

export interface ApiParts {
  readonly calls: RoomCalls;
  readonly tokens: () => Tokens;
  readonly keys: () => readonly ApiKey[];
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly ready: () => { ready: boolean; reasons: readonly string[] };
  /** Other room services, which calls for their rooms are carried to; absent: there are none. */
  readonly cluster?: ClusterParts;
  /** Absent: edges are not handed out here. */
  readonly dispatch?: RunningDispatch;
}

export interface ApiOptions {
  readonly host: string;
  readonly port: number;
  readonly webFolder: string;
  /** The built SDK, served to the pages under `/client/`; absent: it is not. */
  readonly clientFolder?: string;
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
  /** Of calls between room services. */
  readonly forward?: Partial<ForwardTuning>;
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
  const { clock, cluster } = parts;
  const forwarding = cluster && createForwarding({ ...parts, cluster, tuning: options.forward });
  const app = await buildApi(options, parts, undefined, forwarding);
  const { host, port } = options;
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, `${host}:${port}`);
  }
  const desk = forwarding?.serve(app);
  const stopMs = options.stopMs ?? STOP_MS;
  return {
    port: (app.server.address() as AddressInfo).port,
    stop: async () => {
      await desk?.stop(stopMs);
      await stop(app, clock, stopMs);
    },
  };
}

/** The server before it listens; `seen` is told of every route as it is added. */
export async function buildApi(
  options: ApiOptions,
  parts: ApiParts,
  seen?: (route: RouteOptions) => void,
  forwarding?: Forwarding,
): Promise<FastifyInstance> {
  const { clock, log, meter, keys } = parts;
  const isInside = (request: FastifyRequest) => forwarding?.inside.of(request) !== undefined;
  const guard = createGuard(
    {
      requestsPerSecond: options.requestsPerSecond ?? REQUESTS_PER_SECOND,
      requestsBurst: options.requestsBurst ?? REQUESTS_BURST,
      inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
      inFlightBytesMax: IN_FLIGHT_BYTES_MAX,
    },
    keys,
    { clock, isInside },
  );
  const meters = apiMeters(meter, () => guard.inFlight.calls);
  const forwarder = forwarding?.forwarder;
  const app = createServer({
    ...{ clock, log, meters, isInside, callMs: options.callMs ?? CALL_MS },
    ...(forwarder && { keepBody: (request, bytes) => forwarder.keepBody(request, bytes) }),
  });
  if (seen !== undefined) app.addHook('onRoute', seen);
  await installDocs(app);
  const calls = forwarding?.calls ?? parts.calls;
  const door = { guard: guard.check, ...(forwarder && { carry: forwarder.carry }) };
  const countError = (code: string) => meters.errors.add(code);
  const spread = forwarding && { spread: forwarding.batch };
  const routes: Route[] = [
    ...roomRoutes(calls),
    ...publicationRoutes({ calls, log, countError, ...spread }),
    ...sanctionRoutes(calls, clock),
    ...attributeRoutes(calls.attributes),
    ...queueRoutes(calls.queues),
    ...pollRoutes(calls.polls),
    ...cdnRoutes(calls.cdn),
    ...scopeRoutes(calls.scopes),
    ...presenceRoutes(calls.presence),
    ...callbackRoutes(calls.callbacks),
    ...wordRoutes(calls.words),
    ...reviewRoutes(calls.reviews),
    ...orderRoutes(calls.orders, clock),
    ...recordRoutes({ calls, clock }),
    ...tokenRoutes({ tokens: parts.tokens, clock, ttlMs: options.tokenTtlMs }),
    ...dispatchRoutes({ ...parts, guard: guard.check, ttlMs: options.tokenTtlMs }),
    ...operationRoutes({
      ready: parts.ready,
      exposition: prometheusExposition(meter),
      viewerPort: options.viewerPort,
      describe: () => app.swagger() as { openapi?: string },
    }),
  ];
  for (const route of routes) installRoute(app, route, door);
  await installImport(app, { calls, clock }, door);
  await installPages(app, options.webFolder, options.clientFolder);
  await app.ready();
  if (parts.dispatch !== undefined) serveDispatchFirst(app, parts.dispatch, { clock, meters });
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
