/**
 * Owns telling the owners of shards how many viewers each of their rooms has here: once a second
 * while there are any, and once more when the last has gone.
 */
import type { EdgeId, RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { shardOf } from '../src/shards.js';
import { audienceSubject } from '../src/subjects.js';
import { AUDIENCE_EVERY_MS, encodeJson, type AudienceReport } from '../src/wire/internal.js';
import type { Hub } from './hub.js';

export class Audience {
  readonly #timer: Cancel;
  /** Rooms last reported with viewers. */
  #told = new Set<RoomId>();

  constructor(
    edge: EdgeId,
    hub: Hub,
    { bus, clock }: { readonly bus: Bus; readonly clock: Clock },
  ) {
    this.#timer = clock.every(AUDIENCE_EVERY_MS, () => {
      const reports = this.#count(hub, clock.now());
      for (const [shard, rooms] of reports) {
        const report: AudienceReport = { edge, rooms };
        bus.publish(audienceSubject(shard), encodeJson(report));
      }
    });
  }

  stop(): void {
    this.#timer.cancel();
  }

  #count(hub: Hub, now: number): Map<number, [RoomId, number][]> {
    const reports = new Map<number, [RoomId, number][]>();
    const add = (room: RoomId, viewers: number) => {
      const shard = shardOf(room);
      const rooms = reports.get(shard) ?? [];
      reports.set(shard, rooms);
      rooms.push([room, viewers]);
    };
    const told = new Set<RoomId>();
    for (const live of hub.rooms) {
      live.desk.sweep(now);
      if (live.viewers > 0) {
        told.add(live.room);
        add(live.room, live.viewers);
      } else {
        hub.settle(live);
      }
    }
    for (const room of this.#told) if (!told.has(room)) add(room, 0);
    this.#told = told;
    return reports;
  }
}
