/** Owns what a studio can ask of its room's word filter, as data in and data out. */
import type { RoomId } from '../../src/ids.js';
import type { WordAction } from '../../src/words-filter/word-filter.js';

export interface RoomWord {
  readonly word: string;
  readonly action: WordAction;
}

/** What a room has of its own. */
export interface OwnWords {
  /** Absent: as the configuration says. */
  readonly enabled?: boolean;
  readonly words: readonly RoomWord[];
}

export interface WordsView {
  /** Whether the room is filtered now. */
  readonly enabled: boolean;
  /** Words of the lists of the configuration. */
  readonly listed: number;
  readonly own: OwnWords;
}

/** Each rejects with BarrageError; a word that cannot be looked for is `invalid`, named by place. */
export interface WordCalls {
  read(room: RoomId): Promise<WordsView>;
  set(room: RoomId, own: OwnWords): Promise<WordsView>;
  /** The room is filtered as the configuration says again. */
  clear(room: RoomId): Promise<WordsView>;
}
