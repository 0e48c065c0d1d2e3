/**
 * Owns the mapping of rooms to shards: a slice of rooms owned together. The count is part of the
 * stored data's layout: changing it for an existing store needs a migration.
 */
import { shelfOf, type RoomId } from './ids.js';

export const SHARD_COUNT = 64;

/** FNV-1a, 32 bits (Fowler, Noll, Vo): short ids, no dependency, stable across machines. */
export function shardOf(room: RoomId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < room.length; i++) {
    hash = Math.imul(hash ^ room.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % SHARD_COUNT;
}

/** Leases of the CDN pushers lie after those of the rooms: a shard's rooms have one of each. */
export function pusherLease(shard: number): number {
  return SHARD_COUNT + shard;
}

/** Where a shard itself, and no room of it, keeps which rooms are to be woken. */
export function wakeListOf(shard: number): RoomId {
  return shelfOf(`shard-${shard}` as RoomId, 'wake');
}

/** The shard a stored log belongs to: of its room, of the room it lies beside, or its own. */
export function shardOfLog(log: RoomId): number {
  const own = /^shard-(\d{1,3})~wake$/.exec(log);
  if (own !== null) return Number(own[1]) % SHARD_COUNT;
  const shelf = log.indexOf('~');
  return shardOf(shelf === -1 ? log : (log.slice(0, shelf) as RoomId));
}
