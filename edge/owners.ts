/**
 * Owns the questions an edge asks the owners of rooms over the bus: snapshots and replays. Answers
 * are whole or a failure; nothing is thrown. What many ask at once is asked once.
 */
import { asBarrageError } from '../src/errors.js';
import type { RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import { shardOf } from '../src/shards.js';
import { callSubject } from '../src/subjects.js';
import {
  decodeJson,
  encodeJson,
  type EdgeAnswer,
  type EdgeCall,
  type RoomReplay,
  type RoomSnapshot,
} from '../src/wire/internal.js';
import type { EdgeMeters } from './meters.js';
import { OWNER_WAIT_MS } from './options.js';

export type OwnerFailure = 'unknown_room' | 'unavailable';
export type LogText = readonly [offset: number, json: string];

/** An owner may answer a replay in parts; more parts than this are not worth the wait. */
const REPLAY_PARTS_MAX = 8;
const ASK_AGAIN_MS = 500;

export class Owners {
  readonly #bus: Bus;
  readonly #meters: EdgeMeters;
  /** Replays under way, by room and offsets: viewers that lost their edge together ask together. */
  readonly #replays = new Map<string, Promise<LogText[] | OwnerFailure>>();

  constructor(bus: Bus, meters: EdgeMeters) {
    this.#bus = bus;
    this.#meters = meters;
  }

  async snapshot(room: RoomId): Promise<RoomSnapshot | OwnerFailure> {
    const answer = await this.#ask<RoomSnapshot>({ call: 'snapshot', room });
    this.#meters.snapshots.add(typeof answer === 'string' ? 'failed' : 'taken');
    return answer;
  }

  /** Publications `from`..`to`, all of them in order, or why not. */
  replay(room: RoomId, from: number, to: number): Promise<LogText[] | OwnerFailure> {
    const key = `${room} ${from} ${to}`;
    const asked = this.#replays.get(key);
    if (asked !== undefined) return asked;
    const replay = this.#replay(room, from, to).finally(() => this.#replays.delete(key));
    this.#replays.set(key, replay);
    return replay;
  }

  async #replay(room: RoomId, from: number, to: number): Promise<LogText[] | OwnerFailure> {
    const entries: LogText[] = [];
    let next = from;
    for (let part = 0; next <= to; part++) {
      if (part >= REPLAY_PARTS_MAX) return 'unavailable';
      const limit = to - next + 1;
      const answer = await this.#ask<RoomReplay>({ call: 'replay', room, from: next, limit });
      if (typeof answer === 'string') return answer;
      for (const entry of answer.entries) {
        if (entry[0] !== next || next > to) break;
        entries.push(entry);
        next++;
      }
      if (answer.entries.length === 0 || answer.entries[0]![0] >= next) return 'unavailable';
    }
    return entries;
  }

  async #ask<T>(call: EdgeCall): Promise<T | OwnerFailure> {
    try {
      const answer = decodeJson<EdgeAnswer<T>>(await this.#answerTo(call));
      return answer.ok ? answer : answer.code;
    } catch {
      return 'unavailable';
    }
  }

  /** It may have been put to an owner that is lost just now: after a while the next one is asked. */
  async #answerTo(call: EdgeCall): Promise<Uint8Array> {
    const subject = callSubject(shardOf(call.room));
    const question = encodeJson(call);
    try {
      return await this.#bus.request(subject, question, ASK_AGAIN_MS);
    } catch (error) {
      if (asBarrageError(error).code !== 'timeout') throw error;
      return this.#bus.request(subject, question, OWNER_WAIT_MS - ASK_AGAIN_MS);
    }
  }
}
