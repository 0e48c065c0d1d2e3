/**
 * Rooms, studio API with dispatch, and edges with real sockets on one bus, each edge behind a wire of
 * its own that can be cut.
 */
import { EDGE_DEFAULTS, type EdgeOptions } from '../../edge/options.js';
import { startEdge, type RunningEdge } from '../../edge/main.js';
import { startDispatch, type RunningDispatch } from '../../room/dispatch/main.js';
import type { CdnFacts, Cdns } from '../../room/dispatch/desk.js';
import { startRooms, type RunningRooms } from '../../room/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { DISPATCH_DEFAULTS, type DispatchConfig } from '../../src/dispatch-settings.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { silentLog } from '../../src/ports/log.js';
import { systemRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import { startApiKit, type ApiKit } from './api.js';
import { TOKENS } from './edge.js';

export interface WiredEdge {
  readonly edge: RunningEdge;
  readonly meter: Meter;
  /** Nothing of it reaches anyone any more, as when its machine is lost. */
  cut(): void;
}

export interface TwoEdges {
  readonly bus: MemoryBus;
  readonly rooms: RunningRooms;
  readonly dispatch: RunningDispatch;
  readonly api: ApiKit;
  readonly edges: readonly WiredEdge[];
  readonly meter: Meter;
  stop(): Promise<void>;
}

export interface TwoEdgesOptions {
  readonly edges?: readonly Partial<EdgeOptions>[];
  readonly dispatch?: Partial<DispatchConfig>;
  readonly cdns?: Cdns;
  readonly cdnFact?: CdnFacts;
}

export async function startTwoEdges(options: TwoEdgesOptions = {}): Promise<TwoEdges> {
  const bus = new MemoryBus();
  const clock = new SystemClock();
  const meter = new Meter();
  const shared = { bus, clock, random: systemRandom(), log: silentLog };
  const rooms = await startRooms(
    {
      ...{ member: 'kit', defaults: DEFAULT_SETTINGS, leaseMs: 3000, parkAfterMs: 60_000 },
      ensure: [{ room: 'lobby' as RoomId }],
    },
    { ...shared, store: new MemoryStore(clock), meter: new Meter() },
  );
  const dispatch = startDispatch(
    { ...DISPATCH_DEFAULTS, ...options.dispatch },
    {
      ...{ ...shared, meter },
      ...(options.cdns && { cdns: options.cdns }),
      ...(options.cdnFact && { cdnFact: options.cdnFact }),
    },
  );
  const api = await startApiKit({}, { calls: rooms.calls, dispatch });
  const edges: WiredEdge[] = [];
  for (const [i, own] of (options.edges ?? [{}, {}]).entries()) {
    const wire = wireOf(bus);
    const edgeMeter = new Meter();
    const place = { id: `edge-${i}` as EdgeId, host: '127.0.0.1', port: 0, reportMs: 50 };
    const edge = await startEdge(
      { ...EDGE_DEFAULTS, ...place, ...own },
      { ...shared, bus: wire.bus, tokens: () => TOKENS, meter: edgeMeter, cpuMs: () => 0 },
    );
    edges.push({ edge, meter: edgeMeter, cut: wire.cut });
  }
  return {
    ...{ bus, rooms, dispatch, api, edges, meter },
    stop: async () => {
      for (const { edge } of edges) await edge.stop();
      await api.end();
      await dispatch.stop();
      await rooms.stop();
    },
  };
}

function wireOf(bus: MemoryBus): { readonly bus: Bus; readonly cut: () => void } {
  let isCut = false;
  return {
    bus: {
      publish: (subject: string, bytes: Uint8Array) =>
        isCut ? ('sent' as const) : bus.publish(subject, bytes),
      subscribe: (subject: string, deliver: (bytes: Uint8Array) => void) =>
        bus.subscribe(subject, (bytes) => (isCut ? undefined : deliver(bytes))),
      request: (subject: string, bytes: Uint8Array, ms: number) => bus.request(subject, bytes, ms),
      serve: (subject: string, answer: (bytes: Uint8Array) => Promise<Uint8Array>) =>
        bus.serve(subject, answer),
      isUp: () => bus.isUp(),
      onChange: (changed: (isUp: boolean) => void) => bus.onChange(changed),
      drain: () => bus.drain(),
    },
    cut: () => void (isCut = true),
  };
}
