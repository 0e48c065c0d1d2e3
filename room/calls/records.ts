/**
 * Owns the list of what a studio can read of, and put into, a room's past: the newest window, the
 * log and the archive page by page. Data in and data out, so that an export can be made elsewhere.
 */
import type { RoomId } from '../../src/ids.js';
import type { Publication } from '../../src/words.js';

/** `log`: keepable publications; `archive`: droppable ones, while the room keeps them. */
export type RecordPart = 'log' | 'archive';

export interface RecordPage {
  /** JSON texts in order of offset, which is about that of time. */
  readonly entries: readonly (readonly [offset: number, json: string])[];
  /** Offset to ask from for the next page; absent at the end. */
  readonly next?: number;
}

export interface RecentView {
  readonly room: RoomId;
  readonly epoch: number;
  /** Offset of the newest keepable publication. */
  readonly offset: number;
  /** Of both classes, in the order they were sent. */
  readonly publications: readonly Publication[];
}

/** Each rejects with BarrageError as RoomCalls. */
export interface RecordCalls {
  recent(room: RoomId): Promise<RecentView>;
  page(room: RoomId, part: RecordPart, from: number, limit: number): Promise<RecordPage>;
  /**
   * Puts past publications into the archive, unseen by viewers; stored when it resolves. Rejects
   * `conflict` while the room keeps no archive.
   */
  put(room: RoomId, publications: readonly Publication[]): Promise<void>;
}

/** Publications in one `put`. */
export const PUT_MAX = 500;
