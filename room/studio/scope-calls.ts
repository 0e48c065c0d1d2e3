/**
 * Owns the studio's calls about whom publications are meant for, put together from the rooms, the
 * index of labels and the edges' ear.
 */
import { BarrageError } from '../../src/errors.js';
import type { Log } from '../../src/ports/log.js';
import { PAGE_MAX } from '../../src/limits.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import type { RoomId } from '../../src/ids.js';
import type { Store } from '../../src/ports/store.js';
import { Broadcasts } from './broadcasts.js';
import type { RoomCalls } from '../calls/calls.js';
import type { ScopeCalls } from '../calls/scopes.js';
import { Everyone } from './everyone.js';
import type { Room } from '../room.js';
import type { Rooms } from '../rooms.js';

export interface ScopeParts {
  readonly rooms: Rooms;
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Publishes in one room, here or at its owner. */
  readonly publish: RoomCalls['publish'];
}

export interface ScopeService extends ScopeCalls {
  stop(): void;
}

/** How often it is looked for shards taken since, and after a failure. */
const LOOK_MS = 250;
const REREAD_MS = 5000;

/** Begins to read the labels of all rooms in the background. */
export function scopeCalls(parts: ScopeParts): ScopeService {
  const { rooms, store, bus, clock, publish } = parts;
  const everyone = new Everyone(bus, clock);
  const broadcasts = new Broadcasts({
    labels: rooms.labels,
    epochOf: (shard) => rooms.epochOf(shard),
    everyone,
    publish,
    list: (after, limit) => store.listRooms(after, limit),
    isLoaded: (room) => rooms.peek(room) !== undefined,
  });
  const reading = followShards(parts);
  return {
    setTags: async (id, user, tags) => tagsOf(await rooms.getOpen(id)).set(user, tags),
    readTags: async (id, user) => tagsOf(await rooms.get(id)).of(user),
    listTags: async (id, after, limit) =>
      tagsOf(await rooms.get(id)).page(after, Math.max(1, Math.min(PAGE_MAX, limit))),
    broadcast: (broadcast) => broadcasts.send(broadcast),
    delivery: async (id, publication) => {
      const deliveries =
        id === undefined ? everyone.deliveries : (await rooms.get(id)).powers.all.scopes.deliveries;
      const view = deliveries.view(publication);
      if (view !== undefined) return view;
      throw new BarrageError('not_found', 'no such publication among the newest meant for some');
    },
    stop: () => {
      reading.cancel();
      rooms.labels.stop();
      everyone.stop();
    },
  };
}

/** Keeps the index to the shards owned; tries again for as long as the store fails. */
function followShards({ rooms, store, clock, log }: ScopeParts): Cancel {
  const { labels } = rooms;
  const epochOf = (shard: number) => rooms.epochOf(shard);
  const source = {
    epochOf,
    list: (after: string, limit: number) => store.listRooms(after, limit),
    labelsOf: async (room: RoomId) => (await rooms.view(room))?.labels,
  };
  let isReading = false;
  let notBefore = 0;
  const look = async (): Promise<void> => {
    if (isReading || clock.now() < notBefore) return;
    labels.forget(epochOf);
    if (labels.unread(epochOf).length === 0) return;
    isReading = true;
    try {
      await labels.read(source, clock);
    } catch (error) {
      notBefore = clock.now() + REREAD_MS;
      if (!labels.isStopped) {
        log.warn('the labels of rooms could not be read, trying again', { error });
      }
    }
    isReading = false;
  };
  void look();
  return clock.every(LOOK_MS, () => void look());
}

function tagsOf(room: Room) {
  return room.powers.all.scopes.tags;
}
