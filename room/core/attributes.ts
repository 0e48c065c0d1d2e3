/**
 * Owns a room's attributes: what may be set, versions that rise by one with each change, who owns
 * what, what has lapsed. Every function gives a new state; knows no store and no publication.
 */
import type { UserId } from '../../src/ids.js';

export const ATTRIBUTE_KEY_PATTERN = '^[A-Za-z0-9_.:-]{1,64}$';
/** A value as JSON text. */
export const ATTRIBUTE_VALUE_BYTES_MAX = 4096;
export const ATTRIBUTES_MAX = 200;
/** Keys and values of one room together. */
export const ATTRIBUTES_BYTES_MAX = 64 << 10;
/** Deletions remembered for incremental reads; who last read before them reads all. */
export const GONE_MAX = 500;

export interface Attribute {
  /** The value's JSON text. */
  readonly json: string;
  /** The change that set it. */
  readonly version: number;
  readonly owner?: UserId;
  /** Goes when the owner leaves. */
  readonly expireOnLeave?: boolean;
  /** Unix milliseconds of its end; absent: until deleted. */
  readonly until?: number;
}

export interface Attributes {
  /** Number of the newest change; 0 before the first. */
  readonly version: number;
  readonly entries: ReadonlyMap<string, Attribute>;
  readonly bytes: number;
  /** Keys deleted and not set again, by the change that deleted them, oldest first. */
  readonly gone: ReadonlyMap<string, number>;
  /** Deletions up to this change are forgotten. */
  readonly forgotten: number;
}

/** One change: deletes first, then sets. What it says of owner and end holds for all it sets. */
export interface AttributeChange {
  readonly set?: ReadonlyMap<string, string>;
  readonly delete?: readonly string[];
  /** Deletes all that is not set by this change. */
  readonly clear?: boolean;
  /** Of the room as a whole; the change is refused when another came between. */
  readonly ifVersion?: number;
  /** Of single keys; 0: the key must not be there. */
  readonly ifVersions?: ReadonlyMap<string, number>;
  readonly owner?: UserId;
  readonly expireOnLeave?: boolean;
  readonly ttlMs?: number;
}

export interface AttributeFlaw {
  readonly why: 'invalid' | 'conflict';
  readonly field: string;
  readonly rule: string;
}

export interface AttributeRead {
  readonly version: number;
  /** False: only what changed after the version asked for. */
  readonly full: boolean;
  readonly set: readonly (readonly [key: string, attribute: Attribute])[];
  readonly deleted: readonly string[];
}

export const NO_ATTRIBUTES: Attributes = {
  version: 0,
  entries: new Map(),
  bytes: 0,
  gone: new Map(),
  forgotten: 0,
};

const keyPattern = new RegExp(ATTRIBUTE_KEY_PATTERN);

/** The state after a change, or the first rule it breaks; a change of nothing is one all the same. */
export function changeAttributes(
  state: Attributes,
  change: AttributeChange,
  now: number,
): Attributes | AttributeFlaw {
  const flaw = versionFlaw(state, change) ?? entriesFlaw(change);
  if (flaw !== undefined) return flaw;
  const version = state.version + 1;
  const entries = new Map(state.entries);
  const doomed = change.clear === true ? [...entries.keys()] : (change.delete ?? []);
  for (const key of doomed) entries.delete(key);
  for (const [key, json] of change.set ?? []) {
    entries.delete(key);
    entries.set(key, { json, version, ...termsOf(change, now) });
  }
  const next = { ...state, version, entries, bytes: bytesOf(entries) };
  return boundsFlaw(next) ?? withGone(state, next);
}

/** Without what belongs to a user who left; the same state when there is nothing. */
export function ownerLeft(state: Attributes, user: UserId): Attributes {
  return without(state, ({ owner, expireOnLeave }) => owner === user && expireOnLeave === true);
}

/** Without what is past its end; the same state when there is nothing. */
export function expireAttributes(state: Attributes, now: number): Attributes {
  return without(state, ({ until }) => until !== undefined && until <= now);
}

/** When the next one ends (unix milliseconds); Infinity when none does. */
export function nextEnd(state: Attributes): number {
  let next = Infinity;
  for (const { until } of state.entries.values()) next = Math.min(next, until ?? Infinity);
  return next;
}

/** All, or what changed after `since` when all of that is still known. */
export function readAttributes(state: Attributes, since: number | undefined): AttributeRead {
  const { version, entries, gone } = state;
  const isKnown = since !== undefined && since >= state.forgotten && since <= version;
  if (!isKnown) return { version, full: true, set: [...entries], deleted: [] };
  return {
    version,
    full: false,
    set: [...entries].filter(([, entry]) => entry.version > since),
    deleted: [...gone].filter(([, at]) => at > since).map(([key]) => key),
  };
}

export function isAttributeFlaw(result: Attributes | AttributeFlaw): result is AttributeFlaw {
  return 'why' in result;
}

function without(state: Attributes, isDoomed: (entry: Attribute) => boolean): Attributes {
  const entries = new Map([...state.entries].filter(([, entry]) => !isDoomed(entry)));
  if (entries.size === state.entries.size) return state;
  const version = state.version + 1;
  return withGone(state, { ...state, version, entries, bytes: bytesOf(entries) });
}

/** Remembers what `next` no longer has, up to a bound. */
function withGone(before: Attributes, next: Attributes): Attributes {
  const gone = new Map([...before.gone].filter(([key]) => !next.entries.has(key)));
  for (const key of before.entries.keys()) if (!next.entries.has(key)) gone.set(key, next.version);
  let { forgotten } = before;
  for (const [key, version] of gone) {
    if (gone.size <= GONE_MAX) break;
    gone.delete(key);
    forgotten = version;
  }
  return { ...next, gone, forgotten };
}

function termsOf(change: AttributeChange, now: number): Partial<Attribute> {
  const { owner, expireOnLeave, ttlMs } = change;
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(expireOnLeave === true ? { expireOnLeave } : {}),
    ...(ttlMs === undefined ? {} : { until: Math.ceil(now + ttlMs) }),
  };
}

function versionFlaw(state: Attributes, change: AttributeChange): AttributeFlaw | undefined {
  const { ifVersion, ifVersions } = change;
  if (ifVersion !== undefined && ifVersion !== state.version) {
    return { why: 'conflict', field: 'ifVersion', rule: `version ${state.version}` };
  }
  for (const [key, wanted] of ifVersions ?? []) {
    const version = state.entries.get(key)?.version ?? 0;
    if (version !== wanted) return { why: 'conflict', field: key, rule: `version ${version}` };
  }
  return undefined;
}

function entriesFlaw(change: AttributeChange): AttributeFlaw | undefined {
  const { set, owner, expireOnLeave } = change;
  if (expireOnLeave === true && owner === undefined) {
    return { why: 'invalid', field: 'owner', rule: 'given together with expireOnLeave' };
  }
  for (const [key, json] of set ?? []) {
    const field = key.slice(0, 64);
    if (!keyPattern.test(key)) {
      return { why: 'invalid', field, rule: `pattern ${ATTRIBUTE_KEY_PATTERN}` };
    }
    if (Buffer.byteLength(json) > ATTRIBUTE_VALUE_BYTES_MAX) {
      return { why: 'invalid', field, rule: `maxBytes ${ATTRIBUTE_VALUE_BYTES_MAX}` };
    }
  }
  return undefined;
}

function boundsFlaw(state: Attributes): AttributeFlaw | undefined {
  if (state.entries.size > ATTRIBUTES_MAX) {
    return { why: 'invalid', field: 'set', rule: `maxProperties ${ATTRIBUTES_MAX} in the room` };
  }
  if (state.bytes > ATTRIBUTES_BYTES_MAX) {
    return { why: 'invalid', field: 'set', rule: `maxBytes ${ATTRIBUTES_BYTES_MAX} in the room` };
  }
  return undefined;
}

function bytesOf(entries: ReadonlyMap<string, Attribute>): number {
  let bytes = 0;
  for (const [key, { json }] of entries) bytes += key.length + Buffer.byteLength(json);
  return bytes;
}
