/**
 * Owns the mapping of rooms to shards: a slice of rooms owned together. The count is part of the
 * stored data's layout: changing it for an existing store needs a migration.
 */
import type { RoomId } from './ids.js';

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
