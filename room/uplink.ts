/**
 * Owns the way of danmaku from the bus to rooms: reads batches, counts what was lost before, finds
 * the rooms. Danmaku of a room still being loaded wait in order, up to a bound.
 */
import type { RoomId } from '../src/ids.js';
import { BarrageError } from '../src/errors.js';
import type { Clock } from '../src/ports/clock.js';
import type { Verdict } from '../src/verdict.js';
import { BatchBook } from './batch-book.js';
import { InboxWaits } from './inbox-wait.js';
import type { RoomMeters } from './meters.js';
import type { Room } from './room.js';
import type { Rooms } from './rooms.js';
import { readBatch, readItem, refOf, type ReadBatch, type ReadItem } from './uplink-items.js';
import type { Verdicts } from './verdicts.js';

type Danmaku = ReadItem['arrival'];

/** Danmaku waiting for one room to be loaded, and for all. */
const WAITING_ROOM_MAX = 1000;
const WAITING_MAX = 50_000;
const RETRY_MS = 1000;

export class Uplink {
  readonly #rooms: Rooms;
  readonly #verdicts: Verdicts;
  readonly #meters: RoomMeters;
  readonly #waiting = new Map<RoomId, Danmaku[]>();
  #waitingCount = 0;
  readonly #waits = new InboxWaits();
  readonly #clock: Clock;
  /** What edges sent so far, per shard. */
  readonly #books = new Map<number, BatchBook>();

  constructor(rooms: Rooms, verdicts: Verdicts, meters: RoomMeters, clock: Clock) {
    this.#rooms = rooms;
    this.#verdicts = verdicts;
    this.#meters = meters;
    this.#clock = clock;
  }

  /** Takes one batch off the bus. Never throws: what cannot be read is counted. */
  take(shard: number, bytes: Uint8Array): void {
    this.#meters.uplinkBatches.add();
    const batch = readBatch(bytes);
    if (batch === undefined) {
      this.#meters.uplinkFlaws.add('unreadable');
      return;
    }
    if (this.#isRepeated(shard, batch)) {
      this.#meters.uplinkFlaws.add('repeated');
      return;
    }
    this.#meters.uplinkItems.add(batch.items.length);
    for (const [room, arrivals] of this.#byRoom(batch)) this.#hand(room, arrivals);
  }

  /** The shard went to another owner, who counts for itself. */
  forget(shard: number): void {
    this.#books.delete(shard);
  }

  /** Ends all of a batch that no room will see. */
  refuse(bytes: Uint8Array): void {
    const batch = readBatch(bytes);
    for (const raw of batch?.items ?? []) {
      const ref = refOf(raw);
      if (ref !== undefined) this.#refuse({ by: 'edge', edge: batch!.edge, ref }, 'unavailable');
    }
  }

  #isRepeated(shard: number, batch: ReadBatch): boolean {
    let book = this.#books.get(shard);
    if (book === undefined) this.#books.set(shard, (book = new BatchBook()));
    const { isRepeated, holes } = book.hear(batch);
    this.#meters.uplinkHoles.add(holes);
    return isRepeated;
  }

  #byRoom({ edge, at, items }: ReadBatch): Map<RoomId, Danmaku[]> {
    const waitedMs = this.#waits.observe(edge, at, this.#clock.now());
    const rooms = new Map<RoomId, Danmaku[]>();
    for (const raw of items) {
      const item = readItem(raw, edge, waitedMs);
      if (item === undefined) {
        this.#meters.uplinkFlaws.add('bad_item');
        const ref = refOf(raw);
        if (ref !== undefined) this.#refuse({ by: 'edge', edge, ref }, 'invalid');
        continue;
      }
      const arrivals = rooms.get(item.room);
      if (arrivals === undefined) rooms.set(item.room, [item.arrival]);
      else arrivals.push(item.arrival);
    }
    return rooms;
  }

  #hand(id: RoomId, arrivals: Danmaku[]): void {
    const room = this.#rooms.peek(id);
    const waiting = this.#waiting.get(id);
    if (room !== undefined && waiting === undefined) {
      room.admit(arrivals);
      return;
    }
    this.#wait(id, waiting, arrivals);
  }

  #wait(id: RoomId, waiting: Danmaku[] | undefined, arrivals: readonly Danmaku[]): void {
    const queue = waiting ?? [];
    for (const arrival of arrivals) {
      if (queue.length >= WAITING_ROOM_MAX || this.#waitingCount >= WAITING_MAX) {
        this.#meters.uplinkFlaws.add('load_full');
        this.#refuse(arrival.ref, 'unavailable');
        continue;
      }
      queue.push(arrival);
      this.#waitingCount++;
    }
    if (waiting !== undefined || queue.length === 0) return;
    this.#waiting.set(id, queue);
    this.#rooms.get(id).then(
      (room) => this.#loaded(id, room),
      (error: unknown) => this.#refuseAll(id, verdictOf(error)),
    );
  }

  #loaded(id: RoomId, room: Room): void {
    room.admit(this.#release(id));
  }

  #refuseAll(id: RoomId, verdict: Verdict): void {
    for (const { ref } of this.#release(id)) this.#refuse(ref, verdict);
  }

  #release(id: RoomId): readonly Danmaku[] {
    const queue = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    this.#waitingCount -= queue.length;
    return queue;
  }

  #refuse({ edge, ref }: Danmaku['ref'], verdict: Verdict): void {
    this.#meters.verdicts.add(verdict);
    const item = { ref, verdict };
    this.#verdicts.add(
      edge,
      verdict === 'unavailable' ? { ...item, retryAfterMs: RETRY_MS } : item,
    );
  }
}

function verdictOf(error: unknown): Verdict {
  const isMissing = error instanceof BarrageError && error.code === 'not_found';
  return isMissing ? 'unknown_room' : 'unavailable';
}
