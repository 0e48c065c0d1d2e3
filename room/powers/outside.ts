/**
 * Owns what rooms know of the world beside their bus and store: the studio's back end and the word
 * lists, with the settings that hold for rooms without their own. Types, and an outside that is empty.
 */
import type { CallbackConfig } from '../../src/callbacks/settings.js';
import { NO_CALLBACKS } from '../../src/callbacks/settings.js';
import type { Callbacks } from '../../src/ports/callbacks.js';
import type { CounterSet, Meter } from '../../src/telemetry/meter.js';
import { DEFAULT_WORDS, type WordsConfig } from '../../src/words-filter/settings.js';
import type { WordAction, WordFilter } from '../../src/words-filter/word-filter.js';

/** Read at each use: what is behind may be replaced while rooms run. */
export interface Outside {
  readonly callbacks: Callbacks;
  callbackConfig(): CallbackConfig;
  wordsConfig(): WordsConfig;
  /** The filter of the word lists; undefined when there are none. */
  wordFilter(): WordFilter | undefined;
}

export interface OutsideMeters {
  /** Danmaku without a judgement, by what became of them. */
  readonly unjudged: CounterSet<'let_in' | 'refused'>;
  readonly words: CounterSet<WordAction>;
  readonly reviews: CounterSet<'approved' | 'rejected' | 'expired' | 'full'>;
}

/** As rooms are given it. */
export interface MeteredOutside extends Outside {
  readonly meters: OutsideMeters;
}

export const NO_OUTSIDE: Outside = {
  callbacks: {
    ask: async () => ({ failure: 'failed' }),
    tell: () => undefined,
    stop: async () => undefined,
  },
  callbackConfig: () => NO_CALLBACKS,
  wordsConfig: () => DEFAULT_WORDS,
  wordFilter: () => undefined,
};

export function metered(outside: Outside, meter: Meter): MeteredOutside {
  return {
    callbacks: outside.callbacks,
    callbackConfig: () => outside.callbackConfig(),
    wordsConfig: () => outside.wordsConfig(),
    wordFilter: () => outside.wordFilter(),
    meters: {
      unjudged: meter.counters(
        'barrage_room_unjudged_total',
        'danmaku the back end gave no judgement on',
        'end',
        ['let_in', 'refused'],
      ),
      words: meter.counters('barrage_room_words_total', 'danmaku with listed words', 'action', [
        'block',
        'review',
        'mask',
      ]),
      reviews: meter.counters('barrage_room_reviews_total', 'ends of held danmaku', 'end', [
        'approved',
        'rejected',
        'expired',
        'full',
      ]),
    },
  };
}
