/** Owns the `callbacks:` and `words:` sections of the file and their form in the code. */
import {
  CALLBACK_EVENTS,
  CALLBACK_SECRET_PATTERN,
  CALLBACK_URL_RULE,
  NO_CALLBACKS,
  ON_FAILURES,
  type CallbackConfig,
  type CallbackEvent,
  type OnFailure,
} from '../callbacks/settings.js';
import { DEFAULT_WORDS, type WordsConfig } from '../words-filter/settings.js';
import * as leaf from './leaves.js';
import { formatDuration, formatSize } from './units.js';

const KIND = { pattern: /^[a-z][a-z0-9_.-]{0,31}$/, rule: 'a kind (a-z, then a-z 0-9 _ . -)' };
const EVENT = {
  pattern: new RegExp(`^(${CALLBACK_EVENTS.join('|')})$`),
  rule: `one of ${CALLBACK_EVENTS.join(', ')}`,
};
const URL_TEXT = { pattern: /^(https?:\/\/[^\s@#]{1,2000})?$/, rule: CALLBACK_URL_RULE };
const SECRET = {
  pattern: new RegExp(`${CALLBACK_SECRET_PATTERN}|^$`),
  rule: '16-512 characters without spaces',
};
const own = NO_CALLBACKS;
const ms = formatDuration;

export const CALLBACK_SECTION = {
  url: leaf.text(own.url, "the studio's back end; empty: nobody is called", URL_TEXT),
  secret: leaf.secret('signs every call; needed with a url', SECRET),
  events: leaf.texts(own.events, 'what the back end is asked and told', EVENT),
  kinds: leaf.texts(own.kinds, 'kinds of danmaku it is asked about before they are let in', KIND),
  beforeTimeout: leaf.duration(
    ms(own.beforeTimeoutMs),
    ['10ms', '5s'],
    'a judgement is waited for',
  ),
  onFailure: leaf.wordMap(
    own.onFailure,
    ON_FAILURES,
    KIND.pattern,
    'without a judgement a kind is let in (open) or refused (closed); a kind not named is let in',
  ),
  concurrency: leaf.whole(own.concurrency, [1, 1024], 'questions under way to one host'),
  pending: leaf.whole(own.pending, [1, 2000], 'danmaku of one room waiting for a judgement'),
  afterTimeout: leaf.duration(ms(own.afterTimeoutMs), ['100ms', '30s'], 'longest call that tells'),
  retries: leaf.whole(own.retries, [0, 10], 'repeats of a call that tells'),
  retryDelay: leaf.duration(ms(own.retryDelayMs), ['10ms', '10s'], 'before the first repeat'),
  breaker: {
    failures: leaf.whole(own.breakerFailures, [1, 1000], 'so many in a row, and it is left alone'),
    reset: leaf.duration(ms(own.breakerResetMs), ['100ms', '10m'], 'then it is tried again'),
  },
  queue: {
    count: leaf.whole(own.queueCount, [1, 100_000], 'events waiting for one target, oldest go'),
    bytes: leaf.size(formatSize(own.queueBytes), ['64KiB', '32MiB'], 'their bytes'),
  },
} as const;

interface CallbackValues {
  readonly url: string;
  readonly secret: string;
  readonly events: readonly string[];
  readonly kinds: readonly string[];
  readonly beforeTimeout: number;
  readonly onFailure: Readonly<Record<string, OnFailure>>;
  readonly concurrency: number;
  readonly pending: number;
  readonly afterTimeout: number;
  readonly retries: number;
  readonly retryDelay: number;
  readonly breaker: { readonly failures: number; readonly reset: number };
  readonly queue: { readonly count: number; readonly bytes: number };
}

export function toCallbackConfig(section: CallbackValues): CallbackConfig {
  const { url, secret, kinds, onFailure, concurrency, pending, retries } = section;
  return {
    ...{ url, secret, kinds, onFailure, concurrency, pending, retries },
    events: section.events as readonly CallbackEvent[],
    beforeTimeoutMs: section.beforeTimeout,
    afterTimeoutMs: section.afterTimeout,
    retryDelayMs: section.retryDelay,
    breakerFailures: section.breaker.failures,
    breakerResetMs: section.breaker.reset,
    queueCount: section.queue.count,
    queueBytes: section.queue.bytes,
  };
}

const PATH = { pattern: /^[^\p{Cc}]{1,1000}$/u, rule: 'a path' };

export const WORDS_SECTION = {
  lists: leaf.texts(
    DEFAULT_WORDS.lists,
    'word list files (a word, a tab, then block, mask or review); followed while running',
    PATH,
  ),
  enabled: leaf.flag(
    DEFAULT_WORDS.enabled,
    'rooms are filtered unless their studio says otherwise',
  ),
  studio: leaf.flag(DEFAULT_WORDS.studio, "a studio's own publications are filtered too"),
  reviews: leaf.whole(DEFAULT_WORDS.reviews, [0, 10_000], 'danmaku of one room held for review'),
  reviewFor: leaf.duration(
    ms(DEFAULT_WORDS.reviewForMs),
    ['1s', '7d'],
    'a danmaku nobody decided on is dropped after this',
  ),
} as const;

export function toWordsConfig(
  section: Omit<WordsConfig, 'reviewForMs'> & { readonly reviewFor: number },
): WordsConfig {
  const { reviewFor, ...plain } = section;
  return { ...plain, reviewForMs: reviewFor };
}
