/**
 * The edge's parts list: reads top to bottom which parts there are and who is given whom.
 * Holds no rule.
 */
import { SOCKET_MESSAGE_BYTES_MAX, COMMAND_BYTES_MAX } from '../src/limits.js';
import { processCpuMs, reachableHost } from '../src/adapters/host.js';
import { afterEvents } from '../src/adapters/loop-turns.js';
import type { Bus } from '../src/ports/bus.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Random } from '../src/random.js';
import type { Meter } from '../src/telemetry/meter.js';
import type { Tokens } from '../src/tokens.js';
import { Acks, type Receiver } from './acks.js';
import { Answers } from './answers.js';
import { Audience } from './audience.js';
import { CdnReports } from './cdn-reports.js';
import { Aims } from './core/aim.js';
import { DeliveryReports } from './delivery-report.js';
import { Door } from './door.js';
import { Elsewhere } from './elsewhere.js';
import { Entry } from './entry.js';
import { hearEveryone } from './everyone.js';
import { Fanout } from './fanout.js';
import { faultReporter } from './faults.js';
import { ViewerHttp } from './http.js';
import { Hub } from './hub.js';
import { JoinTurns } from './join-turns.js';
import { AddressCounts } from './limits-by-address.js';
import { LoadReports } from './load-report.js';
import { edgeGauges, edgeMeters } from './meters.js';
import type { EdgeOptions, EdgeTuning } from './options.js';
import { Newcomers } from './newcomers.js';
import { Owners } from './owners.js';
import type { ViewerParts } from './parts.js';
import { Presence } from './presence.js';
import { listenBy } from './listen.js';
import { Speaking } from './speech.js';
import { Thinning } from './thinning.js';
import { Uplink } from './uplink.js';
import { UserConnections } from './users.js';
import type { ListenViewers } from './viewer-server.js';
import { Watchers, type Watcher } from './watchers.js';

export interface EdgeParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly tokens: () => Tokens;
  /** The socket library; the one of `options.sockets` unless told otherwise. */
  readonly listen?: ListenViewers;
  /** CPU time used so far; the process's own unless told otherwise. */
  readonly cpuMs?: () => number;
}

export interface RunningEdge {
  readonly port: number;
  /** Takes new tuning at once. */
  tune(change: Partial<EdgeTuning>): void;
  /** Whether it takes viewers: the bus is up and it does not drain. */
  isReady(): boolean;
  /** Refuses newcomers and ends everyone within the window, with advice when to come back. */
  drain(windowMs: number): Promise<void>;
  /** Ends everyone at once and frees the port. */
  stop(): Promise<void>;
}

/** A trickling request body is cut after this time. */
const REQUEST_MS = 10_000;
/** How long goodbyes may take to leave the process. */
const STOP_MS = 50;

/** Starts an edge; rejects with BarrageError `port_in_use` or `platform`. */
export async function startEdge(options: EdgeOptions, parts: EdgeParts): Promise<RunningEdge> {
  const { bus, clock } = parts;
  const stage: Stage = { tuned: options, isDraining: false };
  const { hub, watchers, fanout, ...made } = makeParts(options, parts, stage);
  const stopParts = () => {
    stage.isDraining = true;
    made.joinTurns.stop();
    made.everyone.cancel();
    made.acks.stop();
    made.audience.stop();
    made.uplink.stop();
    made.viewers.answers.stop();
    made.viewers.cdnReports.stop();
    hub.closePolls();
    watchers.stop();
    fanout.stop();
    made.thinning.stop();
    hub.stop();
    made.presence.stop();
    made.elsewhere.stop();
  };
  const server = await listen(options, parts, made.viewers).catch((error: unknown) => {
    stopParts();
    throw error;
  });
  const load = reportLoad({ options, parts, stage, made, port: server.port });
  const busWatch = bus.onChange((isUp) => {
    if (!isUp) return;
    hub.refreshAll();
    load.tell();
  });

  return {
    port: server.port,
    tune: (change) => {
      stage.tuned = { ...stage.tuned, ...change };
      fanout.retune();
      watchers.retune();
    },
    isReady: () => !stage.isDraining && bus.isUp(),
    drain: async (windowMs) => {
      stage.isDraining = true;
      load.tell();
      hub.closePolls();
      const began = clock.now();
      const reportsMs = stage.tuned.reportMs * 2;
      await made.elsewhere.listen(Math.min(reportsMs, windowMs / 4));
      await watchers.drain(Math.max(0, windowMs - (clock.now() - began)));
    },
    stop: async () => {
      server.pause();
      busWatch.cancel();
      load.stop();
      stopParts();
      await new Promise<void>((resolve) => clock.after(STOP_MS, resolve));
      server.close();
    },
  };
}

/** What changes while the edge runs. */
interface Stage {
  tuned: EdgeTuning;
  isDraining: boolean;
}

interface LoadOf {
  readonly options: EdgeOptions;
  readonly parts: EdgeParts;
  readonly stage: Stage;
  readonly made: Pick<ReturnType<typeof makeParts>, 'viewers' | 'audience'>;
  readonly port: number;
}

function reportLoad({ options, parts, stage, made, port }: LoadOf): LoadReports {
  const { meters, addresses } = made.viewers;
  return new LoadReports({
    ...{ edge: options.id, bus: parts.bus, clock: parts.clock, tuning: () => stage.tuned },
    url: `http://${reachableHost(options.host)}:${port}`,
    sources: {
      connections: () => addresses.total,
      sentBytes: () => meters.sentBytes.value,
      cpuMs: parts.cpuMs ?? processCpuMs,
      isDraining: () => stage.isDraining,
      rooms: () => made.audience.takeBiggest(),
    },
  });
}

function makeParts(options: EdgeOptions, parts: EdgeParts, stage: Stage) {
  const { bus, clock, random, tokens } = parts;
  const edge = options.id;
  const log = parts.log.with({ edge });
  const meters = edgeMeters(parts.meter);
  const fault = faultReporter(log, meters);
  const tuning = () => stage.tuned;
  const cpuMs = parts.cpuMs ?? processCpuMs;
  const fanout = new Fanout({ clock, tuning, meters, fault, cpuMs });
  const thinning = new Thinning({ clock, tuning, meters });
  const joinTurns = new JoinTurns({ clock, later: afterEvents, fault });
  const newcomers = new Newcomers({
    ...{ clock, random, tuning, level: () => thinning.level, fullMs: () => joinTurns.fullMs },
  });
  const presence = new Presence({ edge, bus, clock, meters });
  const acks = new Acks({ clock, meters, reports: new DeliveryReports(edge, bus) });
  const hub = new Hub({
    ...{ acks, bus, clock, random, meters, fanout, thinning, presence, tuning, fault },
    aims: new Aims(),
    owners: new Owners(bus, meters),
    ring: { count: options.ringCount, bytes: options.ringBytes },
  });
  const audience = new Audience(edge, hub, { bus, clock });
  const uplink = new Uplink({ edge, bus, clock, meters });
  const ownUrl = `http://${reachableHost(options.host)}:${options.port}`;
  const own = () => ({ url: tuning().advertise || ownUrl, region: tuning().region });
  const elsewhere = new Elsewhere({ edge, bus, clock, random, own });
  const watchers = new Watchers({ clock, random, tuning, elsewhere });
  const addresses = new AddressCounts();
  const users = new UserConnections<Watcher & Receiver>();
  const everyone = hearEveryone({ bus, users, acks, meters });
  const region = () => tuning().region;
  const viewers: ViewerParts = {
    cdnReports: new CdnReports({ edge, bus, clock, meters, region }),
    ...{ edge, clock, random, log, meters, tuning, hub, watchers, users, acks, addresses, fault },
    ...{ newcomers, joinTurns },
    answers: new Answers(clock),
    entry: new Entry({ hub, tokens, clock, meters, newcomers }),
    speaking: new Speaking(uplink, clock, meters),
    isDraining: () => stage.isDraining,
  };
  edgeGauges(parts.meter, { hub, uplink, addresses, acks, thinning });
  return {
    ...{ hub, watchers, fanout, thinning, audience, uplink, viewers, presence, acks, everyone },
    ...{ elsewhere, joinTurns },
  };
}

function listen(options: EdgeOptions, parts: EdgeParts, viewers: ViewerParts) {
  const door = new Door(viewers);
  const http = new ViewerHttp(viewers);
  return (parts.listen ?? listenBy(options.sockets, parts.log))(serverOptions(options), {
    upgrade: (request) => door.upgrade(request),
    request: (request, exchange) => http.serve(request, exchange),
    fault: viewers.fault,
  });
}

function serverOptions(options: EdgeOptions) {
  return {
    host: options.host,
    port: options.port,
    isShared: options.isShared,
    socketPath: '/v1/ws',
    messageBytesMax: SOCKET_MESSAGE_BYTES_MAX,
    bodyBytesMax: COMMAND_BYTES_MAX,
    requestMs: REQUEST_MS,
    // Above the hard mark, which may be tuned up: only the last resort.
    bufferedBytesMax: options.hardMarkBytes * 4,
  };
}
