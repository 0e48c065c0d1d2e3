/**
 * Owns which rooms this edge listens to: the first viewer starts a room, joins at the same time share
 * the start, the last viewer leaves it to linger. Rule: SPEC E-OUT-5.
 */
import type { RoomId } from '../src/ids.js';
import type { Cancel } from '../src/ports/clock.js';
import { LiveRoom, type LiveRoomParts } from './live-room.js';
import { LINGERING_ROOMS_MAX, UNKNOWN_KEEP_MS, UNKNOWN_ROOMS_MAX } from './options.js';
import type { OwnerFailure } from './owners.js';

/** Rooms being started at once; more joins of further rooms are asked to come again. */
const STARTING_MAX = 2000;

export type HubParts = Omit<LiveRoomParts, 'lost'>;

export class Hub {
  readonly #parts: LiveRoomParts;
  readonly #rooms = new Map<RoomId, LiveRoom>();
  readonly #starting = new Map<RoomId, Promise<LiveRoom | OwnerFailure>>();
  readonly #lingering = new Map<LiveRoom, Cancel>();
  /** Rooms the owner does not know, with the time until which that is believed. */
  readonly #unknown = new Map<RoomId, number>();
  #isStopped = false;

  constructor(parts: HubParts) {
    this.#parts = {
      ...parts,
      lost: (room) => {
        if (this.#rooms.get(room.room) === room) this.#rooms.delete(room.room);
        this.#unlinger(room);
      },
    };
  }

  get rooms(): IterableIterator<LiveRoom> {
    return this.#rooms.values();
  }

  get size(): number {
    return this.#rooms.size;
  }

  /** The room if it is listened to already. */
  find(room: RoomId): LiveRoom | undefined {
    return this.#rooms.get(room);
  }

  /** Uses the room, started if need be; it stays at least until `use` is done. */
  async visit<T>(room: RoomId, use: (live: LiveRoom) => Promise<T> | T): Promise<T | OwnerFailure> {
    const live = this.#rooms.get(room) ?? (await this.#start(room));
    if (typeof live === 'string') return live;
    live.holds++;
    this.#unlinger(live);
    try {
      return await use(live);
    } finally {
      live.holds--;
      this.settle(live);
    }
  }

  /** Lets the room linger when nobody is in it any more. */
  settle(live: LiveRoom): void {
    if (live.isOver || live.holds > 0 || live.viewers > 0 || this.#lingering.has(live)) return;
    const { clock, tuning } = this.#parts;
    this.#lingering.set(
      live,
      clock.after(tuning().lingerMs, () => this.#letGo(live)),
    );
    if (this.#lingering.size <= LINGERING_ROOMS_MAX) return;
    const oldest = this.#lingering.keys().next().value;
    if (oldest !== undefined) this.#letGo(oldest);
  }

  /** Answers every poll that waits. */
  closePolls(): void {
    for (const room of this.#rooms.values()) room.closePolls();
  }

  refreshAll(): void {
    for (const room of this.#rooms.values()) room.refresh();
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#lingering.values()) cancel.cancel();
    for (const room of this.#rooms.values()) room.stop();
    this.#rooms.clear();
  }

  async #start(room: RoomId): Promise<LiveRoom | OwnerFailure> {
    const now = this.#parts.clock.now();
    const until = this.#unknown.get(room);
    if (until !== undefined && until > now) return 'unknown_room';
    const starting = this.#starting.get(room);
    if (starting !== undefined) return starting;
    if (this.#starting.size >= STARTING_MAX) return 'unavailable';
    const started = this.#started(room).finally(() => this.#starting.delete(room));
    this.#starting.set(room, started);
    return started;
  }

  async #started(room: RoomId): Promise<LiveRoom | OwnerFailure> {
    const live = new LiveRoom(room, this.#parts);
    const failure = await live.start();
    if (failure === undefined && !this.#isStopped && !live.isOver) {
      this.#rooms.set(room, live);
      this.#unknown.delete(room);
      return live;
    }
    if (failure === 'unknown_room') this.#remember(room);
    if (failure === undefined) live.stop();
    return failure ?? 'unavailable';
  }

  #remember(room: RoomId): void {
    this.#unknown.delete(room);
    this.#unknown.set(room, this.#parts.clock.now() + UNKNOWN_KEEP_MS);
    if (this.#unknown.size <= UNKNOWN_ROOMS_MAX) return;
    const oldest = this.#unknown.keys().next().value;
    if (oldest !== undefined) this.#unknown.delete(oldest);
  }

  #letGo(live: LiveRoom): void {
    this.#unlinger(live);
    if (live.holds > 0 || live.viewers > 0) return;
    if (this.#rooms.get(live.room) === live) this.#rooms.delete(live.room);
    live.stop();
  }

  #unlinger(live: LiveRoom): void {
    this.#lingering.get(live)?.cancel();
    this.#lingering.delete(live);
  }
}
