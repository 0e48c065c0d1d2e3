/**
 * Owns how a room comes out of the store: its records, what its log holds, its newest publications.
 * Reads only; who asks holds the shard.
 */
import type { RoomId } from '../src/ids.js';
import type { Log } from '../src/ports/log.js';
import type { Store, StoredRoom } from '../src/ports/store.js';
import { SETTINGS, type SettingsPatch } from '../src/room-settings.js';
import { soundSettings } from './limits.js';
import { chunksFrom, evenChunks, openBook, type Chunk, type LogBook } from './log-book.js';
import { decodeRecords, type RoomRecords } from './records.js';
import type { RecentEntry } from './recent.js';
import type { LogStart } from './room-log.js';

export interface LoadedRoom extends LogStart {
  readonly records: RoomRecords;
  /** The studio's own settings that are still within their bounds. */
  readonly own: SettingsPatch;
}

export interface LoadTools {
  readonly store: Store;
  readonly log: Log;
  readonly now: number;
}

/** Publications read back at most for the recent window. */
const RECENT_MAX = SETTINGS.recent.max;
const RECENT_BYTES_MAX = 2 << 20;

/** The room, or undefined when it does not exist. Throws what the store throws. */
export async function loadRoom(room: RoomId, tools: LoadTools): Promise<LoadedRoom | undefined> {
  const stored = await tools.store.load(room);
  if (stored === undefined) return undefined;
  const records = decodeRecords(room, stored.records, tools.now);
  const { own, dropped } = soundSettings(records.own);
  if (dropped.length > 0) {
    tools.log.warn('stored settings are out of bounds and not used', { room, settings: dropped });
  }
  const recent = await readRecent(room, stored, tools.store);
  return { meta: records.meta, book: bookOf(stored, records.chunks), recent, records, own };
}

async function readRecent(room: RoomId, stored: StoredRoom, store: Store): Promise<RecentEntry[]> {
  const from = Math.max(stored.firstOffset, stored.nextOffset - RECENT_MAX);
  if (from >= stored.nextOffset) return [];
  const entries = await store.readLog(room, from, RECENT_MAX, RECENT_BYTES_MAX);
  return entries.map(({ offset, json }): RecentEntry => [offset, json]);
}

/** Closed chunks are on record; what follows them was never closed and is shared out evenly. */
function bookOf(stored: StoredRoom, recorded: readonly Chunk[]): LogBook {
  const { firstOffset, nextOffset, logBytes } = stored;
  const chunks = chunksFrom(recorded, firstOffset, nextOffset);
  const last = chunks.at(-1);
  const from = last === undefined ? firstOffset : last[0] + last[1];
  const known = chunks.reduce((sum, chunk) => sum + chunk[2], 0);
  const rest = evenChunks(from, nextOffset - from, Math.max(0, logBytes - known));
  return openBook(nextOffset, [...chunks, ...rest]);
}
