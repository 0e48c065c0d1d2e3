/**
 * Rooms, pushers, an origin and viewers under one clock that moves when told: pushers come, go and die,
 * their clocks differ, the origin has weather. Everything follows from the seed.
 */
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { RoomId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Clock } from '../../src/ports/clock.js';
import { silentLog } from '../../src/ports/log.js';
import type { Store } from '../../src/ports/store.js';
import { seededRandom, type Random } from '../../src/random.js';
import { shardOf } from '../../src/shards.js';
import { cdnSubject, roomSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { ADMIT_ALL, encodeFrame, encodeNote } from '../../src/wire/envelope.js';
import { encodeJson } from '../../src/wire/internal.js';
import { PUSHER_DEFAULTS, type PusherOptions } from '../../cdn-pusher/options.js';
import { startPusher, type RunningPusher } from '../../cdn-pusher/main.js';
import { ManualClock } from '../kit/manual-clock.js';
import { SimOrigin } from './cdn-origin.js';
import { SimViewer } from './cdn-viewer.js';

export const STEP_MS = 10;

/** One process: what it sees of the world ends with it. */
class Process {
  readonly member: string;
  isAlive = true;
  isStopping = false;
  running: RunningPusher | undefined;
  readonly meter = new Meter();
  readonly #world: CdnWorld;
  /** Its clock is off by this; a test may step it. */
  skewMs: number;

  constructor(member: string, skewMs: number, world: CdnWorld) {
    this.member = member;
    this.skewMs = skewMs;
    this.#world = world;
  }

  async start(options: Omit<PusherOptions, 'member'>): Promise<void> {
    const { random } = this.#world;
    this.running = await startPusher(
      { ...options, member: this.member },
      {
        ...{ bus: this.#bus(), store: this.#store(), clock: this.#clock(), log: silentLog },
        random: seededRandom(random.below(1 << 30)),
        meter: this.meter,
        origin: this.#world.origin.port(() => this.isAlive),
      },
    );
  }

  count(name: string): number {
    const metric = [...this.meter.metrics].find((one) => one.name === name);
    return (metric?.read() ?? []).reduce((sum, { value }) => sum + value, 0);
  }

  #guard<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      if (this.isAlive) run(...args);
    };
  }

  #clock(): Clock {
    const { clock } = this.#world;
    return {
      now: () => clock.now() + this.skewMs,
      after: (ms, run) => clock.after(ms, this.#guard(run)),
      every: (ms, run) => clock.every(ms, this.#guard(run)),
    };
  }

  #bus(): Bus {
    const { bus } = this.#world;
    return Object.assign(Object.create(bus) as Bus, {
      publish: (subject: string, bytes: Uint8Array) =>
        this.isAlive ? bus.publish(subject, bytes) : 'down',
      subscribe: (subject: string, deliver: (bytes: Uint8Array) => void) =>
        bus.subscribe(subject, this.#guard(deliver)),
      isUp: () => bus.isUp(),
    });
  }

  #store(): Store {
    const { store } = this.#world;
    const never = () => new Promise<never>(() => undefined);
    return new Proxy(store, {
      get: (target, name: keyof Store) =>
        this.isAlive ? (target[name] as () => unknown).bind(target) : never,
    });
  }
}

interface SimRoom {
  readonly room: RoomId;
  readonly viewer: SimViewer;
  epoch: number;
  tick: number;
  mode: 'on' | 'off';
  /** Id to the time it was sent. */
  readonly sent: Map<string, number>;
  readonly recalled: Set<string>;
}

export class CdnWorld {
  readonly clock = new ManualClock(1_763_670_000_000);
  readonly bus = new MemoryBus();
  readonly store = new MemoryStore(this.clock);
  readonly random: Random;
  readonly origin: SimOrigin;
  readonly rooms: SimRoom[];
  readonly processes: Process[] = [];
  readonly options: Omit<PusherOptions, 'member'>;
  /** Stops that have not ended. */
  stopping = 0;
  #names = 0;
  #steps = 0;

  constructor(seed: number, rooms: number, options: Partial<PusherOptions> = {}) {
    this.random = seededRandom(seed);
    this.origin = new SimOrigin(this.clock, seededRandom(seed + 1));
    this.options = { ...PUSHER_DEFAULTS, ...options };
    this.rooms = Array.from({ length: rooms }, (_, i) => {
      const room = `room-${i}` as RoomId;
      return {
        ...{ room, viewer: new SimViewer(room, this.origin), epoch: 1000, tick: 0, mode: 'on' },
        ...{ sent: new Map(), recalled: new Set() },
      };
    });
  }

  /** Those that are not about to end. */
  get alive(): Process[] {
    return this.processes.filter((one) => one.isAlive && !one.isStopping);
  }

  async add(skewMs = 0): Promise<Process> {
    const process = new Process(`pusher-${++this.#names}`, skewMs, this);
    this.processes.push(process);
    await process.start(this.options);
    return process;
  }

  crash(process: Process): void {
    process.isAlive = false;
  }

  /** Stops in good order, which takes some of the world's time. */
  stop(process: Process): void {
    process.isStopping = true;
    this.stopping++;
    void process.running!.stop().then(() => {
      process.isAlive = false;
      this.stopping--;
    });
  }

  /** A droppable frame of `count` publications. */
  say(room: SimRoom, count: number): void {
    const at = this.clock.now();
    room.tick++;
    const texts = Array.from({ length: count }, (_, i) => {
      const id = `${room.epoch}.${room.tick}.${i}`;
      room.sent.set(id, at);
      const lane = this.random.next() < 0.5 ? 'normal' : 'low';
      return JSON.stringify({ id, kind: 'danmaku', lane, at, text: `弹幕 ${id}` });
    });
    const { room: id, epoch, tick } = room;
    const head = { room: id, class: 'drop' as const, epoch, tick, offset: 0, online: 5, shed: 0 };
    this.bus.publish(roomSubject(id), encodeFrame({ ...head, admission: ADMIT_ALL }, texts));
  }

  recall(room: SimRoom, id: string): void {
    room.recalled.add(id);
    const note = JSON.stringify({ note: 'recall', id, offset: 0, json: '{}' });
    this.bus.publish(roomSubject(room.room), encodeNote(room.epoch, note));
  }

  /** A new owner: its ticks begin anew. */
  changeOwner(room: SimRoom): void {
    room.epoch++;
    room.tick = 0;
  }

  announce(): void {
    for (const { room, epoch, mode } of this.rooms) {
      const shard = shardOf(room);
      this.bus.publish(cdnSubject(shard), encodeJson({ epoch: epoch, rooms: [[room, mode]] }));
    }
  }

  /** Moves on; rooms announce and viewers poll as often as they do. */
  async pass(ms: number, each?: () => void): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      if (this.#steps % 100 === 0) this.announce();
      each?.();
      this.clock.advance(STEP_MS);
      if (this.#steps % 50 === 0) for (const { viewer } of this.rooms) viewer.poll();
      this.#steps++;
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Everything wrong so far. */
  flaws(): string[] {
    return [...this.origin.flaws, ...this.rooms.flatMap(({ viewer }) => viewer.flaws)];
  }

  /** What of a room's publications nobody got and nobody was told of. */
  untold(room: SimRoom): string[] {
    const { viewer } = room;
    const missing = [...room.sent].filter(([id]) => !viewer.read.has(id) && !room.recalled.has(id));
    const outside = missing.filter(
      ([, at]) => !viewer.gaps.some(({ from, to }) => at >= from - 1000 && at <= to + 1000),
    );
    return outside.slice(0, Math.max(0, outside.length - viewer.shed)).map(([id]) => id);
  }

  repeats(room: SimRoom): number {
    return [...room.viewer.read.values()].filter((times) => times > 1).length;
  }
}
