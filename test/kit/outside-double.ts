/** An outside for rooms in tests: a back end in memory and word lists given as text. */
import { NO_CALLBACKS, type CallbackConfig } from '../../src/callbacks/settings.js';
import type { Outside } from '../../room/powers/outside.js';
import { parseWordList } from '../../src/words-filter/word-list.js';
import { DEFAULT_WORDS, type WordsConfig } from '../../src/words-filter/settings.js';
import { CallbacksDouble } from './callbacks-double.js';

export interface OutsideDouble extends Outside {
  readonly callbacks: CallbacksDouble;
  callbackSettings: CallbackConfig;
  words: WordsConfig;
}

/** Calls go to `http://back-end/`, unless said otherwise. */
export function outsideDouble(
  callbackSettings: Partial<CallbackConfig> = {},
  list?: string,
  words: Partial<WordsConfig> = {},
): OutsideDouble {
  const filter = list === undefined ? undefined : parseWordList(Buffer.from(list));
  const double: OutsideDouble = {
    callbacks: new CallbacksDouble(),
    callbackSettings: {
      ...NO_CALLBACKS,
      url: 'http://back-end/',
      secret: 'kit-callback-secret',
      ...callbackSettings,
    },
    words: { ...DEFAULT_WORDS, ...words },
    callbackConfig: () => double.callbackSettings,
    wordsConfig: () => double.words,
    wordFilter: () => filter,
  };
  return double;
}
