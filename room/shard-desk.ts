/**
 * Owns what is served for each shard owned: the subjects of its uplink, its audience reports and its
 * calls, from the moment it is taken until it is lost.
 */
import type { RoomId } from '../src/ids.js';
import { shardOf } from '../src/shards.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import {
  audienceSubject,
  callSubject,
  deliverySubject,
  presenceSubject,
  uplinkSubject,
} from '../src/subjects.js';
import { AUDIENCE_EVERY_MS, AUDIENCE_FORGET_MS, decodeJson } from '../src/wire/internal.js';
import { Audience, parseReport } from './audience.js';
import type { EdgeCalls } from './edge-calls.js';
import type { RoomMeters } from './meters.js';
import { PresenceDesk } from './powers/presence-desk.js';
import type { Rooms } from './rooms.js';
import { takeDeliveries } from './powers/scopes.js';
import type { Uplink } from './uplink.js';

export interface DeskParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: RoomMeters;
  readonly rooms: Rooms;
  readonly uplink: Uplink;
  readonly calls: EdgeCalls;
}

interface Desk {
  readonly audience: Audience;
  readonly presence: PresenceDesk;
  readonly cancels: readonly Cancel[];
}

export class ShardDesks {
  readonly #desks = new Map<number, Desk>();
  #parts: DeskParts | undefined;
  #timer: Cancel | undefined;

  /** Must be called once, before any shard is opened. */
  start(parts: DeskParts): void {
    this.#parts = parts;
    this.#timer = parts.clock.every(AUDIENCE_EVERY_MS, () => {
      const before = parts.clock.now() - AUDIENCE_FORGET_MS;
      for (const { audience, presence } of this.#desks.values()) {
        this.#tell(audience, audience.forget(before));
        presence.forget(parts.clock.now());
      }
    });
  }

  /** Viewers of all rooms owned here. */
  get online(): number {
    let sum = 0;
    for (const { audience } of this.#desks.values()) sum += audience.total;
    return sum;
  }

  onlineOf(room: RoomId): number {
    return this.#desks.get(shardOf(room))?.audience.of(room) ?? 0;
  }

  /** Serves the shard. Throws what the bus throws; then nothing of it is served. */
  open({ shard }: Fence): void {
    const { bus, clock, uplink, calls, rooms, meters } = this.#parts!;
    const audience = new Audience();
    const presence = new PresenceDesk({
      ...{ shard, bus, meters: meters.presence },
      find: (room) => rooms.peek(room)?.powers.all.presence,
      load: (room) => rooms.get(room),
    });
    const serving = bus.serve(callSubject(shard), (bytes) => calls.answer(bytes));
    const cancels = [
      serving,
      bus.subscribe(uplinkSubject(shard), (bytes) => uplink.take(shard, bytes)),
      bus.subscribe(audienceSubject(shard), (bytes) => this.#report(audience, presence, bytes)),
      bus.subscribe(presenceSubject(shard), (bytes) => presence.take(bytes, clock.now())),
      bus.subscribe(deliverySubject(shard), (bytes) => takeDeliveries(bytes, { rooms, meters })),
    ];
    this.#desks.set(shard, { audience, presence, cancels });
  }

  close(shard: number): void {
    const desk = this.#desks.get(shard);
    if (desk === undefined) return;
    this.#desks.delete(shard);
    for (const cancel of desk.cancels) cancel.cancel();
    this.#parts!.uplink.forget(shard);
  }

  stop(): void {
    this.#timer?.cancel();
    for (const shard of [...this.#desks.keys()]) this.close(shard);
  }

  #report(audience: Audience, presence: PresenceDesk, bytes: Uint8Array): void {
    const { clock, meters } = this.#parts!;
    let value: unknown;
    try {
      value = decodeJson(bytes);
    } catch {
      value = undefined;
    }
    const report = parseReport(value);
    if (report === undefined) meters.uplinkFlaws.add('unreadable');
    else {
      const now = clock.now();
      this.#tell(audience, audience.report(report, now));
      presence.alive(report.edge, now);
    }
  }

  /** Loaded rooms hear their number; a room with viewers that is not loaded is taken in. */
  #tell(audience: Audience, changed: ReadonlySet<RoomId>): void {
    const { rooms } = this.#parts!;
    for (const id of changed) {
      const online = audience.of(id);
      const room = rooms.peek(id);
      if (room !== undefined) room.setOnline(online);
      // A room that cannot be had is asked for again with the next danmaku or call.
      else if (online > 0) rooms.get(id).catch(() => undefined);
    }
  }
}
