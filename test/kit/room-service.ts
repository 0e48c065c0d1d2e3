/**
 * A room service over the in-process bus and store with a clock that is moved by hand, an edge's ear
 * on the bus, and a store that refuses on command.
 */
import { expect } from 'vitest';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import type { BarrageError } from '../../src/errors.js';
import type { RoomId, UserId } from '../../src/ids.js';
import type { Bus, BusAnswer } from '../../src/ports/bus.js';
import { silentLog } from '../../src/ports/log.js';
import type { Fence, RoomChanges, Store } from '../../src/ports/store.js';
import { seededRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { shardOf } from '../../src/shards.js';
import {
  audienceSubject,
  callSubject,
  roomSubject,
  uplinkSubject,
  verdictSubject,
} from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { decodeEnvelope } from '../../src/wire/envelope.js';
import {
  decodeJson,
  encodeJson,
  encodeUplink,
  type EdgeAnswer,
  type EdgeCall,
  type RoomNote,
  type RoomReplay,
  type RoomSnapshot,
  type UplinkItem,
  type VerdictBatch,
  type VerdictItem,
} from '../../src/wire/internal.js';
import type { EdgeId } from '../../src/ids.js';
import type { FrameClass, Publication } from '../../src/words.js';
import { startRooms, type RoomOptions, type RunningRooms } from '../../room/main.js';
import type { Outside } from '../../room/powers/outside.js';
import { ManualClock } from './manual-clock.js';

export const ROOM = 'lobby' as RoomId;
export const EDGE = 'edge-1' as EdgeId;

export function user(id: string): UserId {
  return id as UserId;
}

/** A store whose commits can be refused, held back and counted. */
export class TestStore {
  readonly inner: MemoryStore;
  readonly store: Store;
  readonly commits: RoomChanges[] = [];
  /** Refuses every commit while set. */
  error: BarrageError | undefined;
  /** Applies the next commit, yet reports this error. */
  lateError: BarrageError | undefined;
  #held: (() => void)[] | undefined;

  constructor(clock: ManualClock) {
    this.inner = new MemoryStore(clock);
    const { inner } = this;
    this.store = {
      acquire: (shard, owner, ttlMs) => inner.acquire(shard, owner, ttlMs),
      renew: (fence, ttlMs) => inner.renew(fence, ttlMs),
      release: (fence) => inner.release(fence),
      enlist: (group, member, ttlMs) => inner.enlist(group, member, ttlMs),
      delist: (group, member) => inner.delist(group, member),
      load: (room) => inner.load(room),
      commit: (room, fence, changes) => this.#commit(room, fence, changes),
      readLog: (room, from, limit, bytes) => inner.readLog(room, from, limit, bytes),
      listRooms: (after, limit) => inner.listRooms(after, limit),
      findKey: (room, key, now) => inner.findKey(room, key, now),
      close: () => inner.close(),
    };
  }

  /** Commits wait from now on until the returned function is called. */
  hold(): () => void {
    this.#held = [];
    return () => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const go of held) go();
    };
  }

  async #commit(room: RoomId, fence: Fence, changes: RoomChanges): Promise<void> {
    this.commits.push(changes);
    if (this.#held !== undefined) await new Promise<void>((go) => this.#held?.push(go));
    if (this.error !== undefined) throw this.error;
    await this.inner.commit(room, fence, changes);
    const late = this.lateError;
    this.lateError = undefined;
    if (late !== undefined) throw late;
  }
}

/** A frame as an edge sees it, with its publications read. */
export interface SeenFrame {
  readonly class: FrameClass;
  readonly epoch: number;
  readonly tick: number;
  readonly offset: number;
  readonly online: number;
  readonly shed: number;
  readonly admission: number;
  readonly bytes: number;
  readonly publications: readonly Publication[];
}

/** What an edge hears of one room, in order. */
export class Ear {
  readonly frames: SeenFrame[] = [];
  readonly notes: RoomNote[] = [];
  /** Kinds of publications and names of notes, in the order heard. */
  readonly order: string[] = [];

  constructor(bus: Bus, room: RoomId) {
    bus.subscribe(roomSubject(room), (bytes) => this.#hear(bytes));
  }

  /** Every publication of a class, in the order heard. */
  publications(frameClass?: FrameClass): Publication[] {
    return this.frames
      .filter((frame) => frameClass === undefined || frame.class === frameClass)
      .flatMap((frame) => frame.publications);
  }

  #hear(bytes: Uint8Array): void {
    const envelope = decodeEnvelope(bytes);
    if (envelope.kind === 'note') {
      const note = JSON.parse(envelope.json.toString()) as RoomNote;
      this.notes.push(note);
      this.order.push(`note:${note.note}`);
      return;
    }
    const publications: Publication[] = [];
    for (let i = 0; i < envelope.count; i++) {
      publications.push(JSON.parse(envelope.publication(i).toString()) as Publication);
    }
    this.order.push(...publications.map((each) => each.kind));
    const { epoch, tick, offset, online, shed, admission } = envelope;
    this.frames.push({
      class: envelope.class,
      ...{ epoch, tick, offset, online, shed, admission, publications },
      bytes: bytes.byteLength,
    });
  }
}

export type RoomService = Awaited<ReturnType<typeof startService>>;

export interface ServiceSetup {
  readonly clock?: ManualClock;
  readonly store?: TestStore;
  readonly bus?: MemoryBus;
  /** Bus answers in the place of the real one's for a subject. */
  readonly busAnswer?: (subject: string) => BusAnswer | undefined;
  readonly options?: Partial<RoomOptions>;
  /** The studio's back end and word lists, when there are any. */
  readonly outside?: Outside;
}

/** A service with one room, `ROOM`, and an ear and an edge on its bus. */
export async function startService(setup: ServiceSetup = {}) {
  const clock = setup.clock ?? new ManualClock();
  const store = setup.store ?? new TestStore(clock);
  const bus = setup.bus ?? new MemoryBus();
  const ear = new Ear(bus, ROOM);
  const verdicts: VerdictItem[] = [];
  bus.subscribe(verdictSubject(EDGE), (bytes) => {
    verdicts.push(...decodeJson<VerdictBatch>(bytes).items);
  });
  const meter = new Meter();
  const publish = bus.publish.bind(bus);
  const outside = setup.outside === undefined ? {} : { outside: setup.outside };
  const shared = { random: seededRandom(7), ...outside };
  const roomBus = setup.busAnswer === undefined ? bus : answering(bus, setup.busAnswer);
  const rooms = await startRooms(
    {
      member: 'one',
      defaults: DEFAULT_SETTINGS,
      ensure: [{ room: ROOM }],
      leaseMs: 3_600_000,
      parkAfterMs: 60_000,
      ...setup.options,
    },
    { ...shared, bus: roomBus, store: store.store, clock, log: silentLog, meter },
  );
  let seq = 0;
  return {
    clock,
    store,
    bus,
    ear,
    verdicts,
    meter,
    rooms,
    calls: rooms.calls,
    /** Sends danmaku up as an edge does. */
    say(...items: (Partial<UplinkItem> & { ref: number })[]): void {
      const shard = shardOf((items[0]?.room ?? ROOM) as RoomId);
      publish(
        uplinkSubject(shard),
        encodeUplink({ edge: EDGE, seq: ++seq, at: clock.now(), items: items.map(itemOf) }),
      );
    },
    /** Says what an edge's batch number is next. */
    skipBatches(count: number): void {
      seq += count;
    },
    report(viewers: number, edge: string = EDGE, room: RoomId = ROOM): void {
      const rows = viewers === 0 ? [] : [[room, viewers]];
      publish(audienceSubject(shardOf(room)), encodeJson({ edge, rooms: rows }));
    },
    async snapshot(room: RoomId = ROOM) {
      return ask<RoomSnapshot>(bus, { call: 'snapshot', room });
    },
    async replay(from: number, limit: number, room: RoomId = ROOM) {
      return ask<RoomReplay>(bus, { call: 'replay', room, from, limit });
    },
    verdict(ref: number): VerdictItem | undefined {
      return verdicts.find((item) => item.ref === ref);
    },
    run: <T>(promise: Promise<T>) => run(clock, promise),
    until: (condition: () => boolean) => until(clock, condition),
    /** The value of a metric, summed over its labels that match. */
    metric: (name: string, labels: Readonly<Record<string, string>> = {}) =>
      metricOf(meter, name, labels),
  };
}

/** A stopped service's successor on the same store. */
export async function restart(
  service: RoomService,
  options: Partial<RoomOptions> = {},
  setup: ServiceSetup = {},
): Promise<RoomService> {
  await run(service.clock, service.rooms.stop());
  const { clock, store } = service;
  return startService({ clock, store, ...setup, options: { ensure: [], ...options } });
}

/** A successor that took over without the first having a word: as after `kill -9`. */
export function takeOver(service: RoomService, setup: ServiceSetup = {}): Promise<RoomService> {
  const { clock, store } = service;
  return startService({ clock, store, ...setup, options: { ensure: [], ...setup.options } });
}

export async function stopAll(...running: readonly { rooms: RunningRooms; clock: ManualClock }[]) {
  for (const { rooms, clock } of running) await run(clock, rooms.stop());
}

async function ask<T>(bus: Bus, call: EdgeCall): Promise<EdgeAnswer<T>> {
  return decodeJson(await bus.request(callSubject(shardOf(call.room)), encodeJson(call), 1000));
}

function itemOf(item: Partial<UplinkItem> & { ref: number }): UplinkItem {
  return {
    room: ROOM,
    user: { id: `user-${item.ref}` },
    role: 'member',
    kind: 'danmaku',
    text: `text ${item.ref}`,
    ...item,
  };
}

function answering(bus: MemoryBus, answer: (subject: string) => BusAnswer | undefined): Bus {
  return {
    publish: (subject, bytes) => answer(subject) ?? bus.publish(subject, bytes),
    subscribe: (subject, deliver) => bus.subscribe(subject, deliver),
    request: (subject, bytes, timeoutMs) => bus.request(subject, bytes, timeoutMs),
    serve: (subject, serve) => bus.serve(subject, serve),
    isUp: () => bus.isUp(),
    onChange: (changed) => bus.onChange(changed),
    drain: () => bus.drain(),
  };
}

/** Turns of the process, a millisecond each, until the condition holds. */
async function until(clock: ManualClock, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5000 && !condition(); i++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1);
  }
  expect(condition()).toBe(true);
}

async function run<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let done = false;
  promise.then(
    () => (done = true),
    () => (done = true),
  );
  await until(clock, () => done);
  return promise;
}

function metricOf(meter: Meter, name: string, labels: Readonly<Record<string, string>>): number {
  const metric = [...meter.metrics].find((each) => each.name === name);
  if (metric === undefined) throw new Error(`no metric ${name}`);
  let sum = 0;
  for (const sample of metric.read()) {
    const fits = Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
    if (fits) sum += sample.value;
  }
  return sum;
}
