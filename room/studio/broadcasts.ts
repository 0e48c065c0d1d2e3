/**
 * Owns broadcasts: one draft into every room of a zone, or of all. Each room is asked like any studio
 * asks it, a bounded number at a time, and each room's end is told. Rules: SPEC R-SCOPE-5 to R-SCOPE-7.
 */
import { createHash } from 'node:crypto';
import { BarrageError, asBarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import { PAGE_MAX } from '../../src/limits.js';
import type { Verdict } from '../../src/verdict.js';
import { classOf } from '../../src/words.js';
import type { Draft, RepeatKey, RoomCalls } from '../calls/calls.js';
import {
  FAILURES_MAX,
  ROOM_FATES_MAX,
  type Broadcast,
  type BroadcastAnswer,
  type RoomFate,
} from '../calls/scopes.js';
import { checkDraft } from './drafts.js';
import type { Everyone } from './everyone.js';
import { shardOf } from '../../src/shards.js';
import type { EpochOf, LabelIndex } from './label-index.js';

/** Rooms asked at once by one broadcast. */
const ROOMS_AT_ONCE = 32;
/** Broadcasts at once; more are asked to come again. */
const BROADCASTS_MAX = 4;
const RETRY_MS = 1000;

export interface BroadcastParts {
  readonly labels: LabelIndex;
  readonly epochOf: EpochOf;
  readonly everyone: Everyone;
  readonly publish: RoomCalls['publish'];
  readonly list: (after: string, limit: number) => Promise<readonly RoomId[]>;
  /** Whether a room is in memory: one that is not has no viewers. */
  readonly isLoaded: (room: RoomId) => boolean;
}

type Tally = { -readonly [K in keyof BroadcastAnswer]: BroadcastAnswer[K] } & {
  verdicts: Partial<Record<Verdict, number>>;
  fates: RoomFate[];
  failures: { readonly room: RoomId; readonly code: string }[];
};

/** Undefined: all. */
type Shards = ReadonlySet<number> | undefined;

export class Broadcasts {
  readonly #parts: BroadcastParts;
  #running = 0;

  constructor(parts: BroadcastParts) {
    this.#parts = parts;
  }

  /**
   * Throws BarrageError `invalid` for the draft, `rate_limited` while others run, `unavailable`
   * while the labels are read. What becomes of single rooms is in the answer.
   */
  async send(broadcast: Broadcast): Promise<BroadcastAnswer> {
    const { scope, draft, key } = broadcast;
    if ('users' in scope) {
      if (draft.to !== undefined) throw refuse('to', 'users alone, or zone or all with to.tags');
      const id = this.#parts.everyone.publish(scope.users, draft, key);
      return { ...newTally(), id };
    }
    checkDraft(draft);
    if (this.#running >= BROADCASTS_MAX) {
      throw new BarrageError('rate_limited', `${BROADCASTS_MAX} broadcasts are under way`, {
        retryAfterMs: RETRY_MS,
      });
    }
    this.#running++;
    try {
      const shards = broadcast.shards && new Set(broadcast.shards);
      const rooms = 'zone' in scope ? this.#zone(scope.zone, shards) : this.#all(shards);
      return await this.#toRooms(rooms, {
        draft,
        ...(key === undefined ? {} : { key: roomKey(key) }),
      });
    } finally {
      this.#running--;
    }
  }

  async *#zone(zone: string, shards: Shards): AsyncIterable<RoomId> {
    const { labels, epochOf } = this.#parts;
    if (labels.unread(epochOf).some((shard) => shards?.has(shard) !== false)) {
      throw new BarrageError('unavailable', 'the labels of rooms are still being read', {
        retryAfterMs: RETRY_MS,
      });
    }
    if (!labels.isWhole) {
      throw new BarrageError('too_large', 'more rooms have labels than zones can be served for');
    }
    yield* labels.of(zone).filter((room) => isAmong(room, shards));
  }

  async *#all(shards: Shards): AsyncIterable<RoomId> {
    for (let after = ''; ;) {
      const rooms = await this.#parts.list(after, PAGE_MAX);
      yield* rooms.filter((room) => isAmong(room, shards));
      const last = rooms.at(-1);
      if (last === undefined || rooms.length < PAGE_MAX) return;
      after = last;
    }
  }

  /** As many workers as may run take the next room each until there is none. */
  async #toRooms(
    rooms: AsyncIterable<RoomId>,
    what: { readonly draft: Draft; readonly key?: RepeatKey },
  ): Promise<BroadcastAnswer> {
    const tally = newTally();
    const next = rooms[Symbol.asyncIterator]();
    const work = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await next.next();
        if (done === true) return;
        await this.#toRoom(value, what, tally);
      }
    };
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, work));
    tally.fates.sort((a, b) => (a.room < b.room ? -1 : 1));
    return tally;
  }

  async #toRoom(
    room: RoomId,
    { draft, key }: { readonly draft: Draft; readonly key?: RepeatKey },
    tally: Tally,
  ): Promise<void> {
    tally.rooms++;
    const isDroppable = draft.lane !== undefined && classOf(draft.lane) === 'drop';
    if (isDroppable && !this.#parts.isLoaded(room)) {
      tally.empty++;
      return;
    }
    try {
      const fated = await this.#parts.publish(room, draft, key);
      const { verdict, id, offset } = fated;
      tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1;
      if (offset !== undefined && tally.fates.length < ROOM_FATES_MAX) {
        tally.fates.push({ room, verdict, id, offset });
      }
    } catch (error) {
      this.#failed(room, asBarrageError(error).code, tally);
    }
  }

  #failed(room: RoomId, code: string, tally: Tally): void {
    if (code === 'closed') tally.closed++;
    // Gone since it was listed.
    else if (code === 'not_found') tally.rooms--;
    else {
      tally.failed++;
      if (tally.failures.length < FAILURES_MAX) tally.failures.push({ room, code });
    }
  }
}

function isAmong(room: RoomId, shards: Shards): boolean {
  return shards?.has(shardOf(room)) !== false;
}

function newTally(): Tally {
  return { rooms: 0, verdicts: {}, empty: 0, closed: 0, failed: 0, fates: [], failures: [] };
}

/** A broadcast's key is none of the keys a studio uses in a room itself. */
function roomKey({ key, fingerprint }: RepeatKey): RepeatKey {
  const digest = createHash('sha256').update(key).digest('base64url');
  return { key: `broadcast.${digest}`, fingerprint };
}

function refuse(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
