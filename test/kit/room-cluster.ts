/**
 * Several room services over one in-process bus and store, and a real edge before them. Each service
 * sees store and bus through doors of its own, which can be shut and opened again.
 */
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { startEdge, type RunningEdge } from '../../edge/main.js';
import { startRooms, type RoomOptions, type RunningRooms } from '../../room/main.js';
import type { Draft, Fated } from '../../room/calls/calls.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { BarrageError } from '../../src/errors.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { silentLog } from '../../src/ports/log.js';
import type { Store } from '../../src/ports/store.js';
import { systemRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS, type RoomSettings } from '../../src/room-settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import { TOKENS, tokenFor, until } from './edge.js';
import { Viewer } from './viewer.js';

type Answer = (bytes: Uint8Array) => Promise<Uint8Array>;

/** What a broker does and the in-process bus refuses: several serve a subject while one goes. */
class Servers {
  readonly #bus: MemoryBus;
  readonly #answers = new Map<string, Answer[]>();

  constructor(bus: MemoryBus) {
    this.#bus = bus;
  }

  serve(subject: string, answer: Answer) {
    let answers = this.#answers.get(subject);
    if (answers === undefined) {
      const all: Answer[] = (answers = []);
      this.#answers.set(subject, all);
      this.#bus.serve(subject, (bytes) => all.at(-1)?.(bytes) ?? Promise.reject(gone()));
    }
    const own = answers;
    own.push(answer);
    return {
      cancel: () => {
        const at = own.indexOf(answer);
        if (at >= 0) own.splice(at, 1);
      },
    };
  }
}

/** One room service. */
export class ClusterMember {
  readonly name: string;
  readonly meter = new Meter();
  isStoreCut = false;
  isBusCut = false;
  /** Not there any more, in good order or not. */
  isGone = false;
  rooms!: RunningRooms;

  constructor(name: string) {
    this.name = name;
  }

  /** The value of a metric, summed over its labels. */
  metric(name: string): number {
    const metric = [...this.meter.metrics].find((each) => each.name === name);
    if (metric === undefined) throw new Error(`no metric ${name}`);
    return metric.read().reduce((sum, sample) => sum + sample.value, 0);
  }

  get shards(): number {
    return this.metric('barrage_room_shards');
  }

  /** As the loss of a process: nothing of it is heard any more. */
  kill(): void {
    this.isGone = true;
    this.isStoreCut = true;
    this.isBusCut = true;
  }
}

export interface ClusterOptions {
  readonly leaseMs?: number;
  readonly settings?: Partial<RoomSettings>;
  /** Rooms made at the start. */
  readonly rooms?: readonly string[];
  readonly store?: MemoryStore;
  readonly cdn?: RoomOptions['cdn'];
  /** Of the edge. */
  readonly region?: string;
}

export class RoomCluster {
  readonly bus = new MemoryBus();
  readonly clock = new SystemClock();
  readonly store: MemoryStore;
  readonly members: ClusterMember[] = [];
  readonly edgeMeter = new Meter();
  edge!: RunningEdge;
  readonly #servers = new Servers(this.bus);
  readonly #options: ClusterOptions;
  readonly #viewers: Viewer[] = [];
  #keys = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.store = options.store ?? new MemoryStore(this.clock);
  }

  static async start(names: readonly string[], options: ClusterOptions = {}): Promise<RoomCluster> {
    const cluster = new RoomCluster(options);
    for (const name of names) await cluster.join(name);
    await cluster.balanced();
    const { bus, clock, edgeMeter } = cluster;
    cluster.edge = await startEdge(
      {
        ...{ ...EDGE_DEFAULTS, id: 'edge-1' as EdgeId, host: '127.0.0.1', port: 0 },
        region: options.region ?? '',
      },
      {
        bus,
        clock,
        random: systemRandom(),
        log: silentLog,
        meter: edgeMeter,
        tokens: () => TOKENS,
      },
    );
    return cluster;
  }

  get living(): ClusterMember[] {
    return this.members.filter((member) => !member.isGone);
  }

  async join(name: string): Promise<ClusterMember> {
    const member = new ClusterMember(name);
    const { clock } = this;
    const defaults = { ...DEFAULT_SETTINGS, ...this.#options.settings };
    const ensure = (this.#options.rooms ?? []).map((room) => ({ room: room as RoomId }));
    member.rooms = await startRooms(
      {
        member: name,
        defaults,
        ensure,
        leaseMs: this.#options.leaseMs ?? 2000,
        parkAfterMs: 60_000,
        ...(this.#options.cdn && { cdn: this.#options.cdn }),
      },
      {
        ...{ bus: this.#busOf(member), store: this.#storeOf(member), clock },
        ...{ random: systemRandom(), log: silentLog, meter: member.meter },
      },
    );
    this.members.push(member);
    return member;
  }

  /** Resolves when the living share all shards evenly. */
  async balanced(): Promise<void> {
    await until(() => {
      const counts = this.living.map((member) => member.shards);
      const sum = counts.reduce((all, count) => all + count, 0);
      return sum === 64 && Math.max(...counts) - Math.min(...counts) <= 1;
    }, 'an even spread');
  }

  /** The living service that serves the room. */
  async ownerOf(room: string): Promise<ClusterMember> {
    for (;;) {
      for (const member of this.living) {
        const isOwner = await member.rooms.calls.stats(room as RoomId).then(
          () => true,
          () => false,
        );
        if (isOwner) return member;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Publishes as the API does from anywhere: at whoever owns the room, tried again under one key. */
  async publish(room: string, draft: Draft, forMs = 8000): Promise<Fated> {
    const key = { key: `k${++this.#keys}`, fingerprint: 'f' };
    const end = performance.now() + forMs;
    let last: unknown;
    while (performance.now() < end) {
      for (const { rooms } of this.living) {
        try {
          return await rooms.calls.publish(room as RoomId, draft, key);
        } catch (error) {
          last = error;
          const code = error instanceof BarrageError ? error.code : '';
          if (code !== 'unavailable' && code !== 'store_failed') throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw last;
  }

  /** A viewer past `joined`. */
  async viewer(room: string, user: string): Promise<Viewer> {
    const viewer = await Viewer.connect(this.edge.port, { room, token: tokenFor(user) });
    this.#viewers.push(viewer);
    await viewer.line('joined');
    return viewer;
  }

  async leave(member: ClusterMember): Promise<void> {
    member.isGone = true;
    await member.rooms.stop();
  }

  async stop(): Promise<void> {
    for (const viewer of this.#viewers) viewer.cut();
    await this.edge.stop();
    await Promise.all(this.members.filter((m) => !m.isGone).map((m) => m.rooms.stop()));
    for (const member of this.members.filter((each) => each.isBusCut)) await member.rooms.stop();
    await this.bus.drain();
  }

  #storeOf(member: ClusterMember): Store {
    const { store } = this;
    return new Proxy({} as Store, {
      get:
        (_, name: keyof Store) =>
        async (...args: unknown[]) => {
          if (member.isStoreCut) throw new BarrageError('store_failed', 'the store is cut off');
          return (store[name] as (...args: unknown[]) => Promise<unknown>)(...args);
        },
    });
  }

  #busOf(member: ClusterMember): Bus {
    const { bus } = this;
    return {
      publish: (subject, bytes) => (member.isBusCut ? 'down' : bus.publish(subject, bytes)),
      subscribe: (subject, deliver) =>
        bus.subscribe(subject, (bytes) => {
          if (!member.isBusCut) deliver(bytes);
        }),
      request: (subject, bytes, timeoutMs) => bus.request(subject, bytes, timeoutMs),
      serve: (subject, answer) =>
        this.#servers.serve(subject, (bytes) =>
          member.isBusCut ? Promise.reject(gone()) : answer(bytes),
        ),
      isUp: () => !member.isBusCut,
      onChange: (changed) => bus.onChange(changed),
      drain: () => Promise.resolve(),
    };
  }
}

function gone(): BarrageError {
  return new BarrageError('bus_down', 'nobody serves this');
}
