/**
 * Owns the start, change and end of what rooms know of the outside: callbacks over HTTP and the word
 * lists of the configuration. A parts list.
 */
import { HttpCallbacks } from '../../src/adapters/http-callbacks.js';
import { WordLists, type BuildWords } from '../../src/adapters/word-lists.js';
import type { CallbackConfig } from '../../src/callbacks/settings.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import type { Meter } from '../../src/telemetry/meter.js';
import type { WordsConfig } from '../../src/words-filter/settings.js';
import type { Outside } from './outside.js';

export interface OutsideConfig {
  readonly callbacks: CallbackConfig;
  readonly words: WordsConfig;
}

export interface OutsideParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly buildWords?: BuildWords;
}

export interface RunningOutside extends Outside {
  /** Holds at once; new word lists as soon as they are read. */
  tune(config: OutsideConfig): void;
  /** Call after the rooms' end: what they told last is delivered within `STOP_MS`. */
  stop(): Promise<void>;
}

const STOP_MS = 2000;

/** Rejects with BarrageError `config` when a word list is no good. */
export async function openOutside(
  config: OutsideConfig,
  { clock, log, meter, buildWords }: OutsideParts,
): Promise<RunningOutside> {
  const build = buildWords === undefined ? {} : { build: buildWords };
  const lists = new WordLists({ clock, log, meter, ...build });
  await lists.open(config.words.lists);
  const callbacks = new HttpCallbacks(config.callbacks, meter);
  let current = config;
  return {
    callbacks,
    callbackConfig: () => current.callbacks,
    wordsConfig: () => current.words,
    wordFilter: () => lists.filter,
    tune: (next) => {
      current = next;
      callbacks.tune(next.callbacks);
      lists.follow(next.words.lists);
    },
    stop: async () => {
      await Promise.all([callbacks.stop(STOP_MS), lists.close()]);
    },
  };
}
