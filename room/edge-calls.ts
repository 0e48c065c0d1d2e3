/**
 * Owns what edges may ask of rooms: the snapshot a mirror starts from, and keepable publications
 * from the log. Answers what is in memory; only replays read the store.
 */
import { asBarrageError } from '../src/errors.js';
import { parseRoomId } from '../src/ids.js';
import { SETTINGS, edgeRules } from '../src/room-settings.js';
import {
  decodeJson,
  encodeJson,
  type EdgeAnswer,
  type EdgeCall,
  type RoomReplay,
  type RoomSnapshot,
} from '../src/wire/internal.js';
import type { RoomMeters } from './meters.js';
import type { Room } from './room.js';
import type { Rooms } from './rooms.js';

/** JSON texts in one replay answer; with escapes it stays under the 1 MiB a broker carries. */
const REPLAY_BYTES_MAX = 384 << 10;

export class EdgeCalls {
  readonly #rooms: Rooms;
  readonly #meters: RoomMeters;

  constructor(rooms: Rooms, meters: RoomMeters) {
    this.#rooms = rooms;
    this.#meters = meters;
  }

  /** The answer's bytes. Never rejects: a failure is an answer too. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const call = readCall(bytes);
    if (call === undefined) {
      this.#meters.edgeCalls.add('unreadable');
      return encodeJson(refusal('unavailable', 'not a call'));
    }
    this.#meters.edgeCalls.add(call.call);
    try {
      const room = await this.#rooms.get(call.room);
      const answer = call.call === 'snapshot' ? snapshotOf(room) : await replayOf(room, call);
      return encodeJson({ ok: true, ...answer });
    } catch (error) {
      const { code, message } = asBarrageError(error);
      return encodeJson(refusal(code === 'not_found' ? 'unknown_room' : 'unavailable', message));
    }
  }
}

/** The room as an edge's mirror starts; frames sent from now on continue it. */
export function snapshotOf(room: Room): RoomSnapshot {
  return {
    room: room.id,
    status: room.status,
    epoch: room.fence.epoch,
    offset: room.log.nextOffset - 1,
    epochs: room.log.epochs(),
    tick: room.tick,
    online: room.state.online,
    rules: room.powers.rules(edgeRules(room.settings)),
    banned: room.sanctions.held('bans'),
    allowed: room.sanctions.held('allowed'),
    recent: room.log.recent.entries,
    facts: room.powers.facts(),
    tags: room.powers.all.scopes.tags.all,
  };
}

/** Contiguous from the offset asked for, or nothing when that is no longer kept. */
async function replayOf(
  room: Room,
  { from, limit }: EdgeCall & { call: 'replay' },
): Promise<RoomReplay> {
  const entries = await room.log.read(from, limit, REPLAY_BYTES_MAX);
  if (entries[0]?.offset !== from) return { entries: [] };
  return { entries: entries.map(({ offset, json }) => [offset, json] as const) };
}

function readCall(bytes: Uint8Array): EdgeCall | undefined {
  let value: { call?: unknown; room?: unknown; from?: unknown; limit?: unknown } | null;
  try {
    value = decodeJson(bytes);
  } catch {
    return undefined;
  }
  const room = parseRoomId(value?.room);
  if (value === null || room === undefined) return undefined;
  if (value.call === 'snapshot') return { call: 'snapshot', room };
  const { from, limit } = value;
  if (value.call !== 'replay' || !isCount(from) || !isCount(limit)) return undefined;
  return { call: 'replay', room, from, limit: Math.min(limit, SETTINGS.replay.max) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function refusal(code: 'unknown_room' | 'unavailable', message: string): EdgeAnswer<object> {
  return { ok: false, code, message };
}
