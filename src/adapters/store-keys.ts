/**
 * Owns the layout of the embedded store: which key holds what. All keys are text, ordered by their
 * UTF-8 bytes; `!` sorts before every character of a room id, so a room's keys lie together.
 *
 *   v                        layout version and shard count, as JSON
 *   s!<shard>                newest epoch of the shard
 *   r!<room>                 log bounds `[first,next,bytes]`; the room exists while this does
 *   d!<room>!<name>          a record's JSON text
 *   l!<room>!<offset>        a publication's JSON text; 14 hex digits, big end first
 *   k!<room>!<key>           a remembered Idempotency-Key: fingerprint, reply, end
 *   x!<end>!<room>!<key>     its place in order of expiry; 14 hex digits of unix milliseconds
 */
import type { RoomId } from '../ids.js';
import { SHARD_COUNT } from '../shards.js';

export const LAYOUT_KEY = 'v';
export const LAYOUT = JSON.stringify({ layout: 1, shards: SHARD_COUNT });

export interface KeyRange {
  readonly from: string;
  /** Not included. */
  readonly to: string;
}

/** 14 hex digits hold every safe integer, and their order as text is their order as numbers. */
function ordered(value: number): string {
  return Math.floor(value).toString(16).padStart(14, '0');
}

/** Everything that begins with `prefix` and `!`. */
function under(prefix: string): KeyRange {
  return { from: `${prefix}!`, to: `${prefix}"` };
}

export const shardKeys = under('s');

export function shardKey(shard: number): string {
  return `s!${shard}`;
}

export function roomKey(room: RoomId): string {
  return `r!${room}`;
}

/** Rooms whose id comes after `after`. */
export function roomKeysAfter(after: string): KeyRange {
  return { from: `r!${after}\0`, to: under('r').to };
}

export function recordKey(room: RoomId, name: string): string {
  return `d!${room}!${name}`;
}

export function recordKeys(room: RoomId): KeyRange {
  return under(`d!${room}`);
}

export function logKey(room: RoomId, offset: number): string {
  return `l!${room}!${ordered(offset)}`;
}

export function logKeys(room: RoomId, from: number): KeyRange {
  return { from: logKey(room, from), to: under(`l!${room}`).to };
}

export function replyKey(room: RoomId, key: string): string {
  return `k!${room}!${key}`;
}

export function replyKeys(room: RoomId): KeyRange {
  return under(`k!${room}`);
}

export function expiryKey(room: RoomId, key: string, expiresAt: number): string {
  return `x!${ordered(expiresAt)}!${room}!${key}`;
}

/** Keys that ended at or before `now`. */
export function expiredKeys(now: number): KeyRange {
  return { from: under('x').from, to: `x!${ordered(now + 1)}!` };
}

/** What follows the first `count` parts of a key. */
export function afterParts(key: string, count: number): string {
  let at = 0;
  for (let i = 0; i < count; i++) at = key.indexOf('!', at) + 1;
  return key.slice(at);
}
