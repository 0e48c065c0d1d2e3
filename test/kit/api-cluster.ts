/**
 * Several room services in one process, each with its studio API on a port of its own, over one bus
 * and one store; each can be cut off from both as if its process were gone.
 */
import { startRooms, type RunningRooms } from '../../room/main.js';
import type { ForwardTuning } from '../../room/api/forward/cluster.js';
import type { ApiOptions } from '../../room/api/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { shareOf } from '../../src/ownership/rendezvous.js';
import type { Bus } from '../../src/ports/bus.js';
import { silentLog } from '../../src/ports/log.js';
import type { Store } from '../../src/ports/store.js';
import type { Cancel } from '../../src/ports/clock.js';
import { systemRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS, type RoomSettings } from '../../src/room-settings.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';
import { apiSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { startApiKit, type Answer, type ApiKit } from './api.js';

const SHARDS = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);
const LEASE_MS = 3000;

/** One service's way to bus and store. */
class Wire {
  readonly bus: Bus;
  readonly store: Store;
  /** Requests sent, by subject. */
  readonly asked = new Map<string, number>();
  /** Waited for before a call is worked on here. */
  beforeAnswer: (() => Promise<void>) | undefined;
  /** Called after one was worked on and before the asker hears of it. */
  afterAnswer: (() => void) | undefined;
  readonly #cancels = new Set<Cancel>();
  #isCut = false;

  constructor(bus: MemoryBus, store: MemoryStore) {
    const kept = <C extends Cancel>(cancel: C): C => {
      this.#cancels.add(cancel);
      return cancel;
    };
    this.bus = {
      publish: (subject, bytes) => (this.#isCut ? 'down' : bus.publish(subject, bytes)),
      subscribe: (subject, deliver) => kept(bus.subscribe(subject, deliver)),
      request: (subject, bytes, timeoutMs) => {
        this.asked.set(subject, (this.asked.get(subject) ?? 0) + 1);
        const down = new BarrageError('bus_down', 'cut off');
        return this.#isCut ? Promise.reject(down) : bus.request(subject, bytes, timeoutMs);
      },
      serve: (subject, answer) =>
        kept(bus.serve(subject, (bytes) => this.#serve(subject, () => answer(bytes)))),
      isUp: () => !this.#isCut,
      onChange: (changed) => bus.onChange(changed),
      drain: () => bus.drain(),
    };
    this.store = new Proxy(store as Store, {
      get: (target, name: keyof Store) =>
        this.#isCut && name !== 'close'
          ? () => Promise.reject(new BarrageError('store_failed', 'cut off'))
          : target[name].bind(target),
    });
  }

  get asks(): number {
    let sum = 0;
    for (const count of this.asked.values()) sum += count;
    return sum;
  }

  /** From now on nothing comes or goes. */
  cut(): void {
    this.#isCut = true;
    for (const cancel of this.#cancels) cancel.cancel();
  }

  async #serve(subject: string, answer: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const isCall = SHARDS.some((shard) => apiSubject(shard) === subject);
    if (isCall) await this.beforeAnswer?.();
    if (this.#isCut) return new Promise<never>(() => undefined);
    const bytes = await answer();
    if (isCall) this.afterAnswer?.();
    return this.#isCut ? new Promise<never>(() => undefined) : bytes;
  }
}

export interface Service {
  readonly name: string;
  readonly wire: Wire;
  readonly rooms: RunningRooms;
  readonly api: ApiKit;
  call(method: string, path: string, body?: unknown, headers?: object): Promise<Answer>;
  owns(room: string): boolean;
  /** The value of a metric, summed over labels that match. */
  metric(name: string, labels?: Readonly<Record<string, string>>): number;
}

export interface ApiCluster {
  readonly services: readonly Service[];
  readonly store: MemoryStore;
  readonly bus: MemoryBus;
  /** A room's owner, and one that is not. */
  ownerOf(room: string): Service;
  otherThan(service: Service): Service;
  /** A name, beginning so, of a room of the service's. */
  nameAt(service: Service, prefix: string): string;
  /** Until the living have shared all shards out. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterSetup {
  readonly services: number;
  readonly settings?: Partial<RoomSettings>;
  readonly api?: Partial<ApiOptions>;
  readonly forward?: Partial<ForwardTuning>;
}

export async function startApiCluster(setup: ClusterSetup): Promise<ApiCluster> {
  const bus = new MemoryBus();
  const store = new MemoryStore(new SystemClock());
  const services: Service[] = [];
  for (let i = 0; i < setup.services; i++) {
    services.push(await startService(`room-${i + 1}`, { bus, store, setup }));
  }
  const cluster: ApiCluster = {
    ...{ services, store, bus },
    ownerOf: (room) => services.find((one) => one.wire.bus.isUp() && one.owns(room))!,
    otherThan: (service) => services.find((one) => one !== service && one.wire.bus.isUp())!,
    nameAt: (service, prefix) => {
      for (let i = 0; ; i++) if (service.owns(`${prefix}-${i}`)) return `${prefix}-${i}`;
    },
    settled: () => waitFor(() => isSettled(services)),
    stop: async () => {
      for (const { api } of services) await api.end();
      await Promise.all(services.map(({ rooms }) => rooms.stop()));
    },
  };
  await cluster.settled();
  return cluster;
}

/** Polls: what is waited for happens in several processes' timers. */
export async function waitFor(holds: () => boolean | Promise<boolean>, ms = 8000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('what was waited for did not happen');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isSettled(services: readonly Service[]): boolean {
  const alive = services.filter(({ wire }) => wire.bus.isUp());
  const names = alive.map(({ name }) => name).sort();
  return alive.every(({ name, rooms }) => {
    const share = shareOf(name, SHARDS, names);
    const members = [...rooms.shards.members()].sort();
    if (members.join() !== names.join()) return false;
    return SHARDS.every((shard) => rooms.shards.isMine(shard) === share.has(shard));
  });
}

async function startService(
  name: string,
  with_: { readonly bus: MemoryBus; readonly store: MemoryStore; readonly setup: ClusterSetup },
): Promise<Service> {
  const { setup } = with_;
  const wire = new Wire(with_.bus, with_.store);
  const meter = new Meter();
  const rooms = await startRooms(
    {
      ...{ member: name, defaults: { ...DEFAULT_SETTINGS, ...setup.settings }, ensure: [] },
      ...{ leaseMs: LEASE_MS, parkAfterMs: 60_000 },
    },
    {
      ...{ bus: wire.bus, store: wire.store, clock: new SystemClock(), random: systemRandom() },
      ...{ log: silentLog, meter },
    },
  );
  const { shards } = rooms;
  const api = await startApiKit(
    { ...setup.api, ...(setup.forward && { forward: setup.forward }) },
    {
      ...{ calls: rooms.calls, meter },
      cluster: {
        ...{ member: name, bus: wire.bus },
        members: () => shards.members(),
        isMine: (shard) => shards.isMine(shard),
        onShards: (changed) => shards.onShards(changed),
      },
    },
  );
  return {
    ...{ name, wire, rooms, api, call: api.call },
    owns: (room) => shards.isMine(shardOf(room as RoomId)),
    metric: (metric, labels = {}) => {
      const samples = [...meter.metrics].find((one) => one.name === metric)?.read() ?? [];
      const all = samples as readonly { labels: Record<string, string>; value: number }[];
      return all
        .filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
        .reduce((sum, one) => sum + one.value, 0);
    },
  };
}
