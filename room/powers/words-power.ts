/**
 * Owns the word filter of one room: the lists of the configuration and the room's own words, and what
 * becomes of a danmaku with such words. The looking is done by src/words-filter.
 */
import { BarrageError } from '../../src/errors.js';
import { filterOf } from '../../src/words-filter/word-list.js';
import type { WordFilter, WordJudgement } from '../../src/words-filter/word-filter.js';
import type { Draft } from '../calls/calls.js';
import type { OwnWords, WordsView } from '../calls/words.js';
import type { Arrival } from '../core/types.js';
import type { Judgement, Power, PowerHost, RawRecords } from './power.js';
import { readRecord } from '../records.js';
import type { ReviewPower } from './review-power.js';

export const WORDS_PREFIX = 'words:';
const RECORD = `${WORDS_PREFIX}own`;
export const OWN_WORDS_MAX = 10_000;
const NO_WORDS: OwnWords = { words: [] };
const PASS: WordJudgement = { action: 'pass' };

export class WordsPower implements Power {
  readonly #host: PowerHost;
  readonly #reviews: ReviewPower;
  #own: OwnWords;
  /** Made when first needed: a room that is only listed costs no building. */
  #ownFilter: WordFilter | undefined;

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords, reviews: ReviewPower) {
    this.#host = host;
    this.#reviews = reviews;
    const json = records.get(RECORD);
    this.#own = json === undefined ? NO_WORDS : readRecord<OwnWords>(host.room, RECORD, json);
  }

  isJudging(): boolean {
    if (!this.#isEnabled()) return false;
    return this.#own.words.length > 0 || this.#host.outside.wordFilter() !== undefined;
  }

  judge(arrival: Arrival): Judgement | Promise<Judgement> {
    if (arrival.text === undefined) return undefined;
    const judged = this.#judged(arrival.text);
    if (judged.action === 'pass') return undefined;
    this.#host.outside.meters.words.add(judged.action);
    if (judged.action === 'mask') return { altered: { ...arrival, text: judged.text } };
    if (judged.action === 'block') return { settled: { verdict: 'blocked' } };
    return this.#reviews
      .hold(arrival, 'words', judged.word)
      .then((settled): Judgement => ({ settled }));
  }

  /**
   * A studio's own draft, masked where that is so configured; undefined when it is blocked. There is
   * nobody to review a studio: `review` blocks it too.
   */
  checkDraft<T extends Draft>(draft: T): T | undefined {
    if (draft.text === undefined || !this.#host.outside.wordsConfig().studio) return draft;
    if (this.#reviews.isApproved(draft)) return draft;
    const judged = this.#judged(draft.text);
    if (judged.action === 'pass') return draft;
    this.#host.outside.meters.words.add(judged.action);
    return judged.action === 'mask' ? { ...draft, text: judged.text } : undefined;
  }

  view(): WordsView {
    const listed = this.#host.outside.wordFilter()?.words ?? 0;
    return { enabled: this.#isEnabled(), listed, own: this.#own };
  }

  /** Stores and takes up the room's own words. Throws `invalid` naming a word by its place. */
  async set(own: OwnWords): Promise<WordsView> {
    if (own.words.length > OWN_WORDS_MAX) {
      const rule = `at most ${OWN_WORDS_MAX}`;
      throw new BarrageError('invalid', `"words" must be: ${rule}`, { field: 'words', rule });
    }
    const filter = own.words.length === 0 ? undefined : filterOf(own.words);
    const isNone = own.words.length === 0 && own.enabled === undefined;
    await this.#host.change(
      (work) => work.records.set(RECORD, isNone ? null : JSON.stringify(own)),
      () => {
        this.#own = own;
        this.#ownFilter = filter;
      },
    );
    return this.view();
  }

  #judged(text: string): WordJudgement {
    if (!this.#isEnabled()) return PASS;
    const listed = this.#host.outside.wordFilter()?.judge(text) ?? PASS;
    if (listed.action === 'block' || this.#own.words.length === 0) return listed;
    this.#ownFilter ??= filterOf(this.#own.words);
    const own = this.#ownFilter.judge(listed.action === 'mask' ? listed.text : text);
    if (own.action === 'block' || listed.action !== 'review') {
      return own.action === 'pass' ? listed : own;
    }
    return listed;
  }

  #isEnabled(): boolean {
    return this.#own.enabled ?? this.#host.outside.wordsConfig().enabled;
  }
}
