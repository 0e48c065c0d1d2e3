/**
 * Owns what rooms have announced of their mode (src/wire/cdn.ts), shard by shard: the newest owner's
 * word counts, and a room unheard of for a while is out. Knows no feed and no viewer.
 */
import type { RoomId } from './ids.js';
import { CDN_FORGET_MS, type CdnNote } from './wire/cdn.js';

/** Rooms remembered of one shard; more are not followed. */
const ROOMS_MAX = 20_000;

interface Heard {
  mode: 'on' | 'off';
  at: number;
}

export class Announced {
  readonly #epochs = new Map<number, number>();
  readonly #rooms = new Map<number, Map<RoomId, Heard>>();

  /** False for the word of an owner that has been replaced. */
  hear(shard: number, note: CdnNote, now: number): boolean {
    if (note.epoch < (this.#epochs.get(shard) ?? 0)) return false;
    this.#epochs.set(shard, note.epoch);
    const rooms = this.#rooms.get(shard) ?? new Map<RoomId, Heard>();
    this.#rooms.set(shard, rooms);
    for (const [room, mode] of note.rooms) {
      const heard = rooms.get(room);
      if (heard !== undefined) Object.assign(heard, { mode, at: now });
      else if (mode === 'on' && rooms.size < ROOMS_MAX) rooms.set(room, { mode, at: now });
    }
    return true;
  }

  /** Whether the room was said to be on lately. */
  isOn(shard: number, room: RoomId, now: number): boolean {
    const heard = this.#rooms.get(shard)?.get(room);
    return heard?.mode === 'on' && now - heard.at < CDN_FORGET_MS;
  }

  /** The clock was stepped: no room is older for it. */
  shift(movedMs: number, now: number): void {
    for (const rooms of this.#rooms.values()) {
      for (const heard of rooms.values()) heard.at = Math.min(heard.at + movedMs, now);
    }
  }

  /** Rooms of a shard and their modes; those unheard of count as `off` once, then are forgotten. */
  modes(shard: number, now: number): readonly (readonly [RoomId, 'on' | 'off'])[] {
    const rooms = this.#rooms.get(shard);
    if (rooms === undefined) return [];
    const modes: (readonly [RoomId, 'on' | 'off'])[] = [];
    for (const [room, { mode, at }] of rooms) {
      const isOn = mode === 'on' && now - at < CDN_FORGET_MS;
      if (!isOn) rooms.delete(room);
      modes.push([room, isOn ? 'on' : 'off']);
    }
    return modes;
  }
}
