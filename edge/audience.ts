/**
 * Owns telling the owners of shards how many viewers each of their rooms has here: several times in
 * two seconds while there are any, at once to a new owner, once more when the last has gone, and that
 * there are none when the edge ends. The biggest rooms are kept for whoever hands out edges.
 */
import type { EdgeId, RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { shardOf } from '../src/shards.js';
import { decodeOwnerNote } from '../src/ownership/owner-note.js';
import { audienceSubject, ownersSubject } from '../src/subjects.js';
import {
  REPORT_ROOM_VIEWERS_MIN,
  REPORT_ROOMS_MAX,
  type RoomCount,
} from '../src/wire/edge-report.js';
import { AUDIENCE_EVERY_MS, encodeJson, type AudienceReport } from '../src/wire/internal.js';
import type { Hub } from './hub.js';

export class Audience {
  readonly #timer: Cancel;
  readonly #owners: Cancel;
  readonly #tell: (reports: Map<number, [RoomId, number][]>) => void;
  /** Rooms last reported with viewers. */
  #told = new Set<RoomId>();
  #biggest: readonly RoomCount[] | undefined;

  constructor(
    edge: EdgeId,
    hub: Hub,
    { bus, clock }: { readonly bus: Bus; readonly clock: Clock },
  ) {
    this.#tell = (reports) => {
      for (const [shard, rooms] of reports) {
        const report: AudienceReport = { edge, rooms };
        bus.publish(audienceSubject(shard), encodeJson(report));
      }
    };
    this.#timer = clock.every(AUDIENCE_EVERY_MS, () => this.#tell(this.#count(hub, clock.now())));
    this.#owners = bus.subscribe(ownersSubject('rooms'), (bytes) => {
      const note = decodeOwnerNote(bytes);
      // It knows of no viewers yet, and takes in the rooms it hears of.
      if (note?.note === 'taken') this.#tell(viewersIn(note.lease, hub));
    });
  }

  /** Rooms with the most viewers here, when counted anew since this was asked last. */
  takeBiggest(): readonly RoomCount[] | undefined {
    const biggest = this.#biggest;
    this.#biggest = undefined;
    return biggest;
  }

  /** Nobody is here any more; the owners need not wait to find out. */
  stop(): void {
    this.#timer.cancel();
    this.#owners.cancel();
    this.#tell(new Map([...this.#told].map((room) => [shardOf(room), []])));
    this.#told.clear();
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
    const big: RoomCount[] = [];
    for (const live of hub.rooms) {
      live.desk.sweep(now);
      if (live.viewers > 0) {
        told.add(live.room);
        add(live.room, live.viewers);
        if (live.viewers >= REPORT_ROOM_VIEWERS_MIN) big.push([live.room, live.viewers]);
      } else {
        hub.settle(live);
      }
    }
    for (const room of this.#told) if (!told.has(room)) add(room, 0);
    this.#told = told;
    this.#biggest = big.sort((a, b) => b[1] - a[1]).slice(0, REPORT_ROOMS_MAX);
    return reports;
  }
}

/** What this edge has of one shard's rooms; empty when it has no viewer in any. */
function viewersIn(shard: number, hub: Hub): Map<number, [RoomId, number][]> {
  const rooms: [RoomId, number][] = [];
  for (const { room, viewers } of hub.rooms) {
    if (viewers > 0 && shardOf(room) === shard) rooms.push([room, viewers]);
  }
  return new Map(rooms.length === 0 ? [] : [[shard, rooms]]);
}
