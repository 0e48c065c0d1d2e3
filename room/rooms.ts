/**
 * Owns which rooms are in memory: loads them on first use, once however many ask at a time, parks
 * those nobody uses, and lets go of all of a shard that was lost. The number of rooms is bounded.
 */
import { BarrageError } from '../src/errors.js';
import type { RoomId } from '../src/ids.js';
import type { Fence } from '../src/ports/store.js';
import type { RoomSettings } from '../src/room-settings.js';
import { shardOf } from '../src/shards.js';
import { closedError } from './ends.js';
import type { RoomSpec, RoomView } from './calls/calls.js';
import { openBook } from './log-book.js';
import { LabelIndex } from './studio/label-index.js';
import { finishRoom } from './last-words.js';
import { patchSettings } from './limits.js';
import { loadRoom, type LoadedRoom } from './loader.js';
import { META_RECORD, SETTINGS_RECORD, decodeRecords, type Meta, viewOf } from './records.js';
import { Room } from './room.js';
import type { RoomTools } from './room-parts.js';

export interface RoomsOptions {
  readonly parkAfterMs: number;
  /** Rooms in memory at most. */
  readonly roomsMax?: number;
}

export interface RoomsTools extends RoomTools {
  readonly fenceOf: (shard: number) => Fence | undefined;
  /** Viewers of a room as the edges report. */
  readonly onlineOf: (room: RoomId) => number;
}

const ROOMS_MAX = 50_000;
/** A room that did not exist is not looked for again in this time. */
const MISSING_MS = 1000;
const MISSING_MAX = 10_000;
const SWEEP_EVERY_MS = 10_000;
/** A sweep goes in steps of so many rooms, with a pause between: danmaku do not wait for all of it. */
const SWEEP_ROOMS = 50;
const SWEEP_PAUSE_MS = 1;

export class Rooms {
  readonly labels = new LabelIndex();
  readonly #options: RoomsOptions;
  readonly #tools: RoomsTools;
  readonly #rooms = new Map<RoomId, Room>();
  readonly #loading = new Map<RoomId, Promise<Room>>();
  readonly #making = new Map<RoomId, Promise<Room>>();
  readonly #missing = new Map<RoomId, number>();
  /** Shards whose rooms are being ended for the next owner. */
  readonly #closing = new Set<number>();
  #defaults: RoomSettings;
  #stopped = false;
  #sweptAt = 0;
  #sweeping: Promise<void> | undefined;

  constructor(defaults: RoomSettings, options: RoomsOptions, tools: RoomsTools) {
    this.#defaults = defaults;
    this.#options = options;
    this.#tools = tools;
  }

  get size(): number {
    return this.#rooms.size;
  }

  /** Work of all rooms waiting for the store. */
  get commitsWaiting(): number {
    let sum = 0;
    for (const room of this.#rooms.values()) sum += room.log.load;
    return sum;
  }

  /** Users of all rooms in memory. */
  get users(): number {
    let sum = 0;
    for (const room of this.#rooms.values()) sum += room.powers.all.presence.users;
    return sum;
  }

  /** How often `sweep` is worth calling. */
  get sweepEveryMs(): number {
    return Math.max(50, Math.min(SWEEP_EVERY_MS, this.#options.parkAfterMs / 4));
  }

  /** The epoch under which the shard is owned here; undefined when it is not. */
  epochOf(shard: number): number | undefined {
    return this.#tools.fenceOf(shard)?.epoch;
  }

  /** Viewers of a room owned here; undefined for another's. */
  onlineOf(id: RoomId): number | undefined {
    return this.epochOf(shardOf(id)) === undefined ? undefined : this.#tools.onlineOf(id);
  }

  /** The room if it is in memory. */
  peek(room: RoomId): Room | undefined {
    return this.#rooms.get(room);
  }

  /**
   * The room, loaded when needed. Rejects with BarrageError `not_found`, `unavailable` (another
   * owner's, or too many rooms) or the store's.
   */
  async get(id: RoomId): Promise<Room> {
    if (this.#stopped) throw unavailable('the service is stopping');
    if (this.#closing.has(shardOf(id))) throw changingHands();
    for (;;) {
      const room = this.#rooms.get(id);
      if (room !== undefined) {
        room.usedAt = this.#tools.clock.now();
        return room;
      }
      const making = this.#making.get(id);
      if (making === undefined) break;
      await making.catch(() => undefined);
    }
    if ((this.#missing.get(id) ?? 0) > this.#tools.clock.now()) throw notFound(id);
    return this.#loading.get(id) ?? enter(this.#loading, id, this.#load(id));
  }

  /** As `get`, and rejects with `closed` for a room that has ended. */
  async getOpen(id: RoomId): Promise<Room> {
    const room = await this.get(id);
    if (room.status === 'closed') throw closedError();
    return room;
  }

  /** Makes a room. Rejects with BarrageError `conflict` when it exists, `invalid` for its limits. */
  async create(spec: RoomSpec): Promise<Room> {
    const id = spec.room;
    for (;;) {
      if (this.#rooms.has(id)) throw exists(id);
      const busy = this.#making.get(id) ?? this.#loading.get(id);
      if (busy === undefined) return enter(this.#making, id, this.#make(spec));
      await busy.catch(() => undefined);
    }
  }

  /** What lists show of a room, in memory or not and whoever owns it; undefined when it is gone. */
  async view(id: RoomId): Promise<RoomView | undefined> {
    const room = this.#rooms.get(id);
    if (room !== undefined) return room.view();
    const stored = await this.#tools.store.load(id);
    if (stored === undefined) return undefined;
    const { meta } = decodeRecords(id, stored.records, this.#tools.clock.now());
    return viewOf(id, meta, this.#tools.onlineOf(id));
  }

  /** What does not come from a studio changed: it holds in every room from now on. */
  setDefaults(defaults: RoomSettings): void {
    this.#defaults = defaults;
    for (const room of this.#rooms.values()) room.adoptSettings(defaults, room.own);
  }

  /** Another owner has the shard: its rooms are none of ours. */
  dropShard(shard: number): void {
    for (const [id, room] of this.#rooms) {
      if (room.fence.shard !== shard) continue;
      this.#rooms.delete(id);
      room.drop();
    }
  }

  /** Ends the shard's rooms in good order and lets nobody into them: another owner is to have it. */
  async handOver(shard: number): Promise<void> {
    this.#closing.add(shard);
    try {
      const entering = [...this.#loading, ...this.#making].filter(([id]) => shardOf(id) === shard);
      await Promise.allSettled(entering.map(([, entered]) => entered));
      const rooms = [...this.#rooms.values()].filter((room) => room.fence.shard === shard);
      await Promise.all(rooms.map((room) => this.#finish(room)));
    } finally {
      this.#closing.delete(shard);
    }
  }

  /**
   * Forgets what is past its time and parks rooms that nobody has used for a while; one at a time.
   */
  sweep(now: number): Promise<void> {
    const { parkAfterMs } = this.#options;
    this.#sweeping ??= this.#sweep(now, parkAfterMs).finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  async #sweep(now: number, parkAfterMs: number): Promise<void> {
    this.#sweptAt = now;
    for (const [id, until] of this.#missing) if (until <= now) this.#missing.delete(id);
    const parking: Promise<void>[] = [];
    let left = SWEEP_ROOMS;
    for (const room of this.#rooms.values()) {
      if (left-- === 0) {
        await new Promise<void>((resolve) => this.#tools.clock.after(SWEEP_PAUSE_MS, resolve));
        left = SWEEP_ROOMS - 1;
        if (this.#rooms.get(room.id) !== room) continue;
      }
      room.sweep(now);
      if (room.isIdle && now - room.usedAt >= parkAfterMs) parking.push(this.#park(room));
    }
    await Promise.all(parking);
  }

  /** Ends all rooms: what waits is sent and answered, counters are stored. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([...this.#loading.values(), ...this.#making.values()]);
    await Promise.all([...this.#rooms.values()].map((room) => this.#finish(room)));
  }

  async #finish(room: Room): Promise<void> {
    await finishRoom(room, this.#tools.log);
    if (this.#rooms.get(room.id) === room) this.#rooms.delete(room.id);
  }

  async #load(id: RoomId): Promise<Room> {
    const fence = await this.#admission(id);
    const { store, log, clock } = this.#tools;
    const loaded = await loadRoom(id, { store, log, now: clock.now() });
    if (loaded === undefined) {
      if (this.#missing.size < MISSING_MAX) this.#missing.set(id, clock.now() + MISSING_MS);
      throw notFound(id);
    }
    const room = this.#add(id, fence, loaded, false);
    room.note({ note: 'owner' });
    return room;
  }

  async #make(spec: RoomSpec): Promise<Room> {
    const { store, log, clock } = this.#tools;
    const fence = await this.#admission(spec.room);
    const own = patchSettings(this.#defaults, {}, spec.limits ?? {});
    const now = clock.now();
    if ((await loadRoom(spec.room, { store, log, now })) !== undefined) throw exists(spec.room);
    const meta: Meta = {
      title: spec.title ?? '',
      labels: spec.labels ?? [],
      status: 'open',
      createdAt: Math.floor(now),
      epochs: [],
    };
    const records = new Map([
      [META_RECORD, JSON.stringify(meta)],
      [SETTINGS_RECORD, JSON.stringify(own)],
    ]);
    try {
      await store.commit(spec.room, fence, { records });
    } catch (error) {
      throw this.#creationError(error, fence);
    }
    this.#missing.delete(spec.room);
    return this.#add(spec.room, fence, newRoom(meta, own), true);
  }

  #creationError(error: unknown, fence: Fence): unknown {
    if (!(error instanceof BarrageError) || error.code !== 'fenced') return error;
    this.#tools.fenced(fence);
    return changingHands();
  }

  /** The right to have the room here. */
  async #admission(id: RoomId): Promise<Fence> {
    const fence = this.#stopped ? undefined : this.#tools.fenceOf(shardOf(id));
    if (fence === undefined) throw unavailable('the room is not served here now');
    const max = this.#options.roomsMax ?? ROOMS_MAX;
    if (this.#rooms.size + this.#loading.size >= max) {
      const now = this.#tools.clock.now();
      if (now - this.#sweptAt >= MISSING_MS) await this.#sweep(now, 0);
      if (this.#rooms.size >= max) throw unavailable(`more than ${max} rooms are in use`);
    }
    return fence;
  }

  #add(id: RoomId, fence: Fence, loaded: LoadedRoom, isNew: boolean): Room {
    // The shard may have gone, and even come back, while the store was asked.
    if (this.#stopped || this.#tools.fenceOf(fence.shard)?.epoch !== fence.epoch) {
      throw changingHands();
    }
    const start = { room: id, fence, loaded, defaults: this.#defaults, isNew };
    const room = new Room(start, this.#tools);
    this.#rooms.set(id, room);
    this.labels.set(id, loaded.meta.labels);
    this.#tools.meters.roomsLoaded.add();
    const online = this.#tools.onlineOf(id);
    if (online > 0) room.setOnline(online);
    room.wake();
    return room;
  }

  async #park(room: Room): Promise<void> {
    const usedAt = room.usedAt;
    try {
      await room.saveCounters();
    } catch (error) {
      this.#tools.log.warn('room not parked: counters not stored', { room: room.id, error });
      return;
    }
    if (!room.isIdle || room.usedAt !== usedAt || this.#rooms.get(room.id) !== room) return;
    this.#rooms.delete(room.id);
    room.drop();
    this.#tools.meters.roomsParked.add();
  }
}

function enter(map: Map<RoomId, Promise<Room>>, id: RoomId, making: Promise<Room>) {
  const entering = making.finally(() => map.delete(id));
  map.set(id, entering);
  return entering;
}

function newRoom(meta: Meta, own: LoadedRoom['own']): LoadedRoom {
  const sanctions = { mutes: new Map(), bans: new Map(), allowed: new Map() };
  const counters = { likes: 0, epoch: 0, tick: 0, seq: 0 };
  const records = { meta, own, counters, chunks: [], sanctions, others: new Map() };
  return { meta, own, records, book: openBook(1, []), recent: [] };
}

function notFound(room: RoomId): BarrageError {
  return new BarrageError('not_found', `no room ${room}`);
}

function exists(room: RoomId): BarrageError {
  return new BarrageError('conflict', `room ${room} exists already`);
}

/** A hand-over takes a fraction of a second. */
function changingHands(): BarrageError {
  const retryAfterMs = 200;
  return new BarrageError('unavailable', 'the room is changing hands, try again', { retryAfterMs });
}

function unavailable(text: string): BarrageError {
  return new BarrageError('unavailable', text, { retryAfterMs: 1000 });
}
