/** Owns what can be set of the word filter for all rooms. */

export interface WordsConfig {
  /** Paths of word list files; none filters nothing but a room's own words. */
  readonly lists: readonly string[];
  /** Whether rooms that say nothing of their own are filtered. */
  readonly enabled: boolean;
  /** Whether a studio's own publications are filtered too. */
  readonly studio: boolean;
  /** Danmaku of one room held for review at once, and how long each is kept. */
  readonly reviews: number;
  readonly reviewForMs: number;
}

export const DEFAULT_WORDS: WordsConfig = {
  lists: [],
  enabled: true,
  studio: false,
  reviews: 1000,
  reviewForMs: 60 * 60_000,
};
