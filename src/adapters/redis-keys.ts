/**
 * Owns the names of the store's keys in Redis. All of a shard carry its number as their hash tag, so
 * that they lie in one slot and one script can change them. Knows no commands.
 */
import type { RoomId } from '../ids.js';
import type { MemberGroup } from '../ports/store.js';
import { SHARD_COUNT, shardOfLog } from '../shards.js';

/** What a store was written with; another one is refused at opening. */
export const LAYOUT = JSON.stringify({ layout: 1, shards: SHARD_COUNT });

export interface RoomKeys {
  /** Hash: `first`, `next` and `bytes` of the log; there is a room when this key is. */
  readonly room: string;
  /** Hash: name to JSON text. */
  readonly records: string;
  /** Hash: offset to JSON text. */
  readonly log: string;
  /** Hash: idempotency key to JSON text. */
  readonly replies: string;
  /** Sorted set: idempotency keys by the time of their end. */
  readonly ends: string;
}

export class RedisKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get layout(): string {
    return `${this.#prefix}:layout`;
  }

  /** Leases from 64 on are the pushers'; they lie with the rooms of their shard. */
  lease(number: number): string {
    const name = number < SHARD_COUNT ? 'lease' : `lease-${number}`;
    return this.#of(number % SHARD_COUNT, name);
  }

  /** Sorted set of the shard's rooms, all with score 0: in order of their bytes. */
  rooms(shard: number): string {
    return this.#of(shard, 'rooms');
  }

  members(group: MemberGroup): string {
    return `${this.#prefix}:{members}:${group}`;
  }

  ofRoom(room: RoomId): RoomKeys {
    const shard = shardOfLog(room);
    const name = (kind: string): string => this.#of(shard, `${kind}:${room}`);
    return {
      room: name('room'),
      records: name('records'),
      log: name('log'),
      replies: name('replies'),
      ends: name('ends'),
    };
  }

  #of(shard: number, name: string): string {
    return `${this.#prefix}:{${shard}}:${name}`;
  }
}
