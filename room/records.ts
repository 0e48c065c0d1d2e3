/**
 * Owns the names and JSON texts of a room's records in the store, both ways. Knows no store and no
 * core; a record that cannot be read is named in the error.
 */
import { BarrageError } from '../src/errors.js';
import { parseUserId, type RoomId, type UserId } from '../src/ids.js';
import type { SettingsPatch } from '../src/room-settings.js';
import type { EpochStart, RoomStatus } from '../src/words.js';
import type { RoomView, Sanction, SanctionKind } from './calls/calls.js';
import type { StoredCombo } from './core/combos.js';
import type { Chunk } from './log-book.js';

export const META_RECORD = 'meta';
export const SETTINGS_RECORD = 'settings';
export const COUNTERS_RECORD = 'counters';
export const LOG_RECORD = 'log';

/** Epochs of which a viewer's position is still understood; older ones resync. */
export const EPOCHS_MAX = 64;

export const SANCTION_PREFIX: Readonly<Record<SanctionKind, string>> = {
  mutes: 'mute:',
  bans: 'ban:',
  allowed: 'allow:',
};
export const SANCTION_KINDS: readonly SanctionKind[] = ['mutes', 'bans', 'allowed'];

export interface Meta {
  readonly title: string;
  readonly labels: readonly string[];
  readonly status: RoomStatus;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly streamStart?: number;
  /** First offset written under each epoch, rising, the newest `EPOCHS_MAX`. */
  readonly epochs: readonly EpochStart[];
}

export interface Counters {
  readonly likes: number;
  /** Newest tick and publication numbers under `epoch`: a room loaded again counts on. */
  readonly epoch: number;
  readonly tick: number;
  readonly seq: number;
  /** Runs of gifts, counted up to `offset` of the log; absent means none. */
  readonly combos?: readonly StoredCombo[];
  readonly offset?: number;
}

export interface RoomRecords {
  readonly meta: Meta;
  readonly own: SettingsPatch;
  readonly counters: Counters;
  readonly chunks: readonly Chunk[];
  readonly sanctions: Readonly<Record<SanctionKind, Map<UserId, Sanction>>>;
  /** Records of the powers, unread, by name. */
  readonly others: ReadonlyMap<string, string>;
}

/** What studios see of a room. */
export function viewOf(room: RoomId, meta: Meta, online: number): RoomView {
  const { title, labels, status, createdAt, streamStart } = meta;
  const start = streamStart === undefined ? {} : { streamStart };
  return { room, title, labels, status, createdAt, ...start, online };
}

/** The epochs with one more at the end; the oldest go when there are too many. */
export function withEpoch(epochs: readonly EpochStart[], epoch: number, first: number) {
  if (epochs.at(-1)?.[0] === epoch) return epochs;
  const all: EpochStart[] = [...epochs, [epoch, first]];
  return all.slice(-EPOCHS_MAX);
}

export function sanctionRecord(kind: SanctionKind, user: UserId): string {
  return SANCTION_PREFIX[kind] + user;
}

export function encodeSanction(sanction: Sanction): string {
  return JSON.stringify({ until: sanction.until, reason: sanction.reason });
}

/**
 * A room from its records; sanctions past their end are left out.
 * Throws BarrageError `store_failed` when a record is missing or unreadable.
 */
export function decodeRecords(
  room: RoomId,
  records: ReadonlyMap<string, string>,
  now: number,
): RoomRecords {
  const meta = read<Meta>(room, META_RECORD, records.get(META_RECORD));
  if (meta === undefined) throw unreadable(room, META_RECORD);
  const counters = read<Counters>(room, COUNTERS_RECORD, records.get(COUNTERS_RECORD));
  return {
    meta,
    own: read<SettingsPatch>(room, SETTINGS_RECORD, records.get(SETTINGS_RECORD)) ?? {},
    counters: counters ?? { likes: 0, epoch: 0, tick: 0, seq: 0 },
    chunks: read<Chunk[]>(room, LOG_RECORD, records.get(LOG_RECORD)) ?? [],
    sanctions: decodeSanctions(room, records, now),
    others: new Map([...records].filter(([name]) => !isCoreRecord(name))),
  };
}

const CORE_RECORDS = [META_RECORD, SETTINGS_RECORD, COUNTERS_RECORD, LOG_RECORD];

function isCoreRecord(name: string): boolean {
  return (
    CORE_RECORDS.includes(name) ||
    SANCTION_KINDS.some((kind) => name.startsWith(SANCTION_PREFIX[kind]))
  );
}

function decodeSanctions(room: RoomId, records: ReadonlyMap<string, string>, now: number) {
  const out: Record<SanctionKind, Map<UserId, Sanction>> = {
    mutes: new Map(),
    bans: new Map(),
    allowed: new Map(),
  };
  for (const [name, json] of records) {
    const kind = SANCTION_KINDS.find((each) => name.startsWith(SANCTION_PREFIX[each]));
    if (kind === undefined) continue;
    const user = parseUserId(name.slice(SANCTION_PREFIX[kind].length));
    const body = read<{ until: number; reason?: string }>(room, name, json);
    if (user === undefined || body === undefined) throw unreadable(room, name);
    if (body.until === 0 || body.until > now) out[kind].set(user, { user, ...body });
  }
  return out;
}

/** A power's own record. Throws BarrageError `store_failed` when it is unreadable. */
export function readRecord<T>(room: RoomId, name: string, json: string): T {
  return read<T>(room, name, json) as T;
}

function read<T>(room: RoomId, name: string, json: string | undefined): T | undefined {
  if (json === undefined) return undefined;
  try {
    const value = JSON.parse(json) as T | null;
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Told below, with the record's name.
  }
  throw unreadable(room, name);
}

function unreadable(room: RoomId, name: string): BarrageError {
  return new BarrageError('store_failed', `room ${room}: the record "${name}" is unreadable`);
}
