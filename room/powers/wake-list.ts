/**
 * Owns the lists, one a shard, of rooms that have something to do at a time although nobody uses
 * them: whoever takes a shard brings them into memory. A room too many on a list does no harm.
 */
import type { RoomId } from '../../src/ids.js';
import type { Log } from '../../src/ports/log.js';
import type { Fence, Store } from '../../src/ports/store.js';
import { wakeListOf } from '../../src/shards.js';
import type { Rooms } from '../rooms.js';

const LISTED = 'true';

export interface WakeTools {
  readonly store: Store;
  readonly rooms: () => Rooms;
  readonly log: Log;
}

/** Puts a room on its shard's list or takes it off. Rejects with the store's error. */
export function listForWaking(
  store: Store,
  fence: Fence,
  room: RoomId,
  isListed = true,
): Promise<void> {
  const records = new Map([[room, isListed ? LISTED : null]]);
  return store.commit(wakeListOf(fence.shard), fence, { records });
}

/**
 * Loads the rooms on the list; those with nothing to do any more are taken off. False when the list
 * could not be read. Never rejects.
 */
export async function wakeShard(fence: Fence, { store, rooms, log }: WakeTools): Promise<boolean> {
  try {
    const list = await store.load(wakeListOf(fence.shard));
    for (const id of (list?.records.keys() ?? []) as Iterable<RoomId>) {
      await wakeRoom(id, fence, { store, rooms, log });
    }
    return true;
  } catch (error) {
    log.warn('the rooms to be woken could not be read', { shard: fence.shard, error });
    return false;
  }
}

async function wakeRoom(id: RoomId, fence: Fence, { store, rooms, log }: WakeTools): Promise<void> {
  try {
    const room = await rooms().get(id);
    if (room.powers.all.announcer.idle()) await listForWaking(store, fence, id, false);
    else room.wake();
  } catch (error) {
    log.warn('a room could not be woken', { room: id, error });
  }
}
