/**
 * Owns what a studio can ask of a room's attributes, as data in and data out.
 */
import type { RoomId, UserId } from '../../src/ids.js';

export interface AttributeTerms {
  readonly owner?: UserId;
  /** Goes when the owner leaves the room. */
  readonly expireOnLeave?: boolean;
  /** Goes after this time, milliseconds. */
  readonly ttlMs?: number;
}

/** Deletes, then sets, as one change with one version. */
export interface AttributesPatch extends AttributeTerms {
  readonly set?: Readonly<Record<string, unknown>>;
  readonly delete?: readonly string[];
  /** The room's version the caller last saw; refused `conflict` when it is another. */
  readonly ifVersion?: number;
}

export interface AttributePut extends AttributeTerms {
  readonly value: unknown;
  /** The key's version; 0: only when the key is not there. */
  readonly ifVersion?: number;
}

export interface AttributeView {
  readonly key: string;
  readonly value: unknown;
  readonly version: number;
  readonly owner?: UserId;
  readonly expireOnLeave?: boolean;
  /** Unix milliseconds of its end. */
  readonly until?: number;
}

export interface AttributesPage {
  readonly room: RoomId;
  readonly version: number;
  /** False: `attributes` and `deleted` are what changed after the version asked for. */
  readonly full: boolean;
  readonly attributes: readonly AttributeView[];
  readonly deleted: readonly string[];
}

/**
 * Each rejects with BarrageError: `invalid` naming the key and rule, `conflict` naming the version
 * that holds, `closed`, `unavailable`, or the store's.
 */
export interface AttributeCalls {
  read(room: RoomId, since?: number): Promise<AttributesPage>;
  /** `not_found` for a key that is not there. */
  readOne(room: RoomId, key: string): Promise<AttributeView>;
  patch(room: RoomId, patch: AttributesPatch): Promise<{ version: number }>;
  put(room: RoomId, key: string, put: AttributePut): Promise<AttributeView>;
  /** Whether it was there. */
  remove(room: RoomId, key: string, ifVersion?: number): Promise<boolean>;
  clear(room: RoomId, ifVersion?: number): Promise<{ version: number }>;
}
