/**
 * Owns the turning of room changes into writes of keys, for several commits that share one
 * transaction: each sees what the ones before it will have written. Knows no disk and no waiting.
 */
import type { RoomId } from '../ids.js';
import type { LogEntry, RoomChanges } from '../ports/store.js';
import { checkChanges, EMPTY_LOG, trimBound, type LogBounds } from './log-bounds.js';
import type { Write } from './lmdb-env.js';
import * as keys from './store-keys.js';

/** What a group reads: the state before it. */
export interface KeyReader {
  get(key: string): string | undefined;
  range(range: keys.KeyRange): Iterable<readonly [key: string, value: string]>;
}

export interface KeptReply {
  readonly fingerprint: string;
  readonly reply: string;
  readonly expiresAt: number;
}

/** The room's log bounds, or undefined when the room does not exist. */
export function readBounds(reader: Pick<KeyReader, 'get'>, room: RoomId): LogBounds | undefined {
  const text = reader.get(keys.roomKey(room));
  if (text === undefined) return undefined;
  const [first, next, bytes] = JSON.parse(text) as [number, number, number];
  return { first, next, bytes };
}

export class CommitGroup {
  readonly #before: KeyReader;
  readonly #writes = new Map<string, string | undefined>();

  constructor(before: KeyReader) {
    this.#before = before;
  }

  get writes(): Iterable<Write> {
    return this.#writes;
  }

  get size(): number {
    return this.#writes.size;
  }

  get(key: string): string | undefined {
    return this.#writes.has(key) ? this.#writes.get(key) : this.#before.get(key);
  }

  set(key: string, value: string | undefined): void {
    this.#writes.set(key, value);
  }

  /** Adds all of the changes or, throwing `conflict` or `invalid`, none. */
  apply(room: RoomId, changes: RoomChanges): void {
    const bounds = readBounds(this, room) ?? EMPTY_LOG;
    checkChanges(changes, bounds);
    if (changes.remove === true) {
      this.#remove(room);
      return;
    }
    const { first, next, bytes } = this.#applyLog(room, bounds, changes);
    this.set(keys.roomKey(room), JSON.stringify([first, next, bytes]));
    for (const [name, value] of changes.records ?? []) {
      this.set(keys.recordKey(room, name), value ?? undefined);
    }
    for (const { key, fingerprint, reply, expiresAt } of changes.keys ?? []) {
      const kept: KeptReply = { fingerprint, reply, expiresAt };
      this.set(keys.replyKey(room, key), JSON.stringify(kept));
      this.set(keys.expiryKey(room, key, expiresAt), '');
    }
  }

  /** Forgets up to `limit` keys that ended; a key set anew since then stays. */
  sweep(now: number, limit: number): void {
    let looked = 0;
    for (const [key] of this.#before.range(keys.expiredKeys(now))) {
      if (looked++ >= limit) return;
      this.set(key, undefined);
      const place = `k!${keys.afterParts(key, 2)}`;
      const text = this.get(place);
      if (text !== undefined && (JSON.parse(text) as KeptReply).expiresAt <= now) {
        this.set(place, undefined);
      }
    }
  }

  #applyLog(room: RoomId, bounds: LogBounds, changes: RoomChanges): LogBounds {
    let { first, next, bytes } = bounds;
    for (const json of changes.append?.json ?? []) {
      this.set(keys.logKey(room, next++), json);
      bytes += Buffer.byteLength(json);
    }
    for (const entry of changes.rewrite ?? []) bytes += this.#rewrite(room, entry);
    for (
      const bound = trimBound({ first, next, bytes }, changes.trimBelow);
      first < bound;
      first++
    ) {
      const key = keys.logKey(room, first);
      bytes -= Buffer.byteLength(this.get(key) ?? '');
      this.set(key, undefined);
    }
    return { first, next, bytes };
  }

  /** The bytes by which the log grew. */
  #rewrite(room: RoomId, { offset, json }: LogEntry): number {
    const key = keys.logKey(room, offset);
    const before = this.get(key);
    if (before === undefined) return 0;
    this.set(key, json);
    return Buffer.byteLength(json) - Buffer.byteLength(before);
  }

  #remove(room: RoomId): void {
    const ranges = [keys.recordKeys(room), keys.logKeys(room, 0)];
    for (const range of ranges) this.#removeRange(range);
    for (const [key, value] of this.#before.range(keys.replyKeys(room))) {
      const { expiresAt } = JSON.parse(value) as KeptReply;
      this.set(key, undefined);
      this.set(keys.expiryKey(room, keys.afterParts(key, 2), expiresAt), undefined);
    }
    this.set(keys.roomKey(room), undefined);
  }

  #removeRange(range: keys.KeyRange): void {
    for (const [key] of this.#before.range(range)) this.set(key, undefined);
  }
}
