/** The powers of a room that look at danmaku before the core does: a parts list. */
import { CALLBACK_PREFIX, CallbackPower } from './callback-power.js';
import type { PowerHost, RawRecords } from './power.js';
import { REVIEW_PREFIX, ReviewPower } from './review-power.js';
import { WORDS_PREFIX, WordsPower } from './words-power.js';

/** In the order of judging: what the words refuse, the back end is not asked about. */
export function screenPowers(host: PowerHost, recordsOf: (prefix: string) => RawRecords) {
  const reviews = new ReviewPower(host, recordsOf(REVIEW_PREFIX));
  return {
    reviews,
    words: new WordsPower(host, recordsOf(WORDS_PREFIX), reviews),
    callbacks: new CallbackPower(host, recordsOf(CALLBACK_PREFIX), reviews),
  };
}
