/**
 * Owns the judgement of a text by a compiled word list: the strongest action of the words in it, and
 * the masked text. Knows neither where the list comes from nor what a room does with the answer.
 */
import { Automaton, type AutomatonParts } from './aho-corasick.js';
import { Normalizer, type NormalizeSteps } from './normalize.js';

/** From the strongest to the weakest. */
export const WORD_ACTIONS = ['block', 'review', 'mask'] as const;
export type WordAction = (typeof WORD_ACTIONS)[number];

export interface WordEntry {
  /** As the list has it. */
  readonly word: string;
  readonly action: WordAction;
}

export type WordJudgement =
  | { readonly action: 'pass' }
  /** `words` counts the masked stretches; words that overlap make one. */
  | { readonly action: 'mask'; readonly text: string; readonly words: number }
  /** The first to end in the text, the longest of those that end there; as the list has it. */
  | { readonly action: 'block' | 'review'; readonly word: string };

const PASS: WordJudgement = { action: 'pass' };

/** All of a filter in a form that another thread can be given; the arrays can change hands. */
export interface WordFilterParts {
  /** The listed words one after the other; `ends` says where each ends. */
  readonly texts: string;
  readonly ends: Uint32Array;
  /** Places in WORD_ACTIONS. */
  readonly ranks: Uint8Array;
  readonly lengths: Uint32Array;
  readonly automaton: AutomatonParts;
  readonly steps: NormalizeSteps;
}

/** Not to be shared between threads: judging uses the filter's own memory. */
export class WordFilter {
  readonly #parts: WordFilterParts;
  readonly #automaton: Automaton;
  readonly #normalizer: Normalizer;

  /** `forms` are the entries' words after the same `steps`, in the same order. */
  constructor(
    entries: readonly WordEntry[],
    forms: readonly string[],
    steps: NormalizeSteps,
    made?: WordFilterParts,
  ) {
    const ranks = Uint8Array.from(entries, ({ action }) => WORD_ACTIONS.indexOf(action));
    this.#automaton =
      made === undefined
        ? new Automaton(forms, (word) => -ranks[word]!)
        : Automaton.of(made.automaton);
    let end = 0;
    this.#parts = made ?? {
      texts: entries.map(({ word }) => word).join(''),
      ends: Uint32Array.from(entries, ({ word }) => (end += word.length)),
      ranks,
      lengths: Uint32Array.from(forms, (form) => form.length),
      automaton: this.#automaton.parts,
      steps,
    };
    this.#normalizer = new Normalizer(steps);
  }

  /** The filter whose parts these are, made at once. */
  static of(parts: WordFilterParts): WordFilter {
    return new WordFilter([], [], parts.steps, parts);
  }

  get parts(): WordFilterParts {
    return this.#parts;
  }

  get words(): number {
    return this.#parts.ends.length;
  }

  /** Of the compiled form, the list's own texts apart. */
  get bytes(): number {
    const { ranks, lengths, ends } = this.#parts;
    return this.#automaton.bytes + ranks.byteLength + lengths.byteLength + ends.byteLength;
  }

  /** Time linear in the text's length, whatever the list. */
  judge(text: string): WordJudgement {
    const { length, units, starts, ends } = this.#normalizer.run(text);
    let stretches: Stretches | undefined;
    let review = -1;
    let state = 0;
    for (let place = 0; place < length; place++) {
      state = this.#automaton.next(state, units[place]!);
      const word = this.#automaton.found(state);
      if (word < 0) continue;
      const action = this.#actionOf(word);
      if (action === 'block') return { action, word: this.#listed(word) };
      if (action === 'review') {
        if (review < 0) review = word;
      } else if (review < 0) {
        stretches ??= new Stretches();
        stretches.add(starts[place + 1 - this.#parts.lengths[word]!]!, ends[place]!);
      }
    }
    if (review >= 0) return { action: 'review', word: this.#listed(review) };
    if (stretches === undefined) return PASS;
    return { action: 'mask', text: stretches.mask(text), words: stretches.count };
  }

  #actionOf(word: number): WordAction {
    return WORD_ACTIONS[this.#parts.ranks[word]!]!;
  }

  #listed(word: number): string {
    const { texts, ends } = this.#parts;
    return texts.slice(word === 0 ? 0 : ends[word - 1], ends[word]);
  }
}

/** Ranges of a text, joined where they overlap; each added one ends at or after those before. */
class Stretches {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  add(start: number, end: number): void {
    let from = start;
    while (this.count > 0 && this.#ends[this.count - 1]! > from) {
      from = Math.min(from, this.#starts.pop()!);
      this.#ends.pop();
    }
    this.#starts.push(from);
    this.#ends.push(end);
  }

  get count(): number {
    return this.#starts.length;
  }

  /** One `*` for each character (code point) within. */
  mask(text: string): string {
    let masked = '';
    let place = 0;
    for (let i = 0; i < this.count; i++) {
      const end = this.#ends[i]!;
      masked += text.slice(place, this.#starts[i]!);
      masked += text.slice(this.#starts[i]!, end).replace(/[\s\S]/gu, '*');
      place = end;
    }
    return masked + text.slice(place);
  }
}
