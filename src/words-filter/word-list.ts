/**
 * Owns the form of a word list file and its bounds: `word<TAB>action` a line, `#` begins a comment.
 * Makes the filter of it; reads no file itself.
 */
import { BarrageError } from '../errors.js';
import { printableStart } from '../formats/printable.js';
import { DEFAULT_STEPS, Normalizer, type NormalizeSteps } from './normalize.js';
import { WORD_ACTIONS, WordFilter, type WordAction, type WordEntry } from './word-filter.js';

export const WORD_LIST_BYTES_MAX = 16 * 1024 * 1024;
export const WORD_ENTRIES_MAX = 300_000;
/** Code points of a word as written, and code units of what it is looked for as. */
export const WORD_CHARACTERS_MAX = 64;

export interface WordListOptions {
  /** Absent steps are those of `DEFAULT_STEPS`. */
  readonly steps?: Partial<NormalizeSteps>;
  /** Of a line without an action; `block` when absent. */
  readonly action?: WordAction;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The filter of a list file's bytes (UTF-8). Throws BarrageError `invalid`, or `too_large`, naming the
 * line. Words that are equal once normalised count once, by their strongest action.
 */
export function parseWordList(file: Uint8Array, options: WordListOptions = {}): WordFilter {
  if (file.byteLength > WORD_LIST_BYTES_MAX) {
    const rule = `maxBytes ${WORD_LIST_BYTES_MAX}`;
    throw new BarrageError('too_large', `The word list must be: ${rule}`, { rule });
  }
  const building = new Building(options);
  let number = 0;
  for (const line of linesOf(file)) {
    number++;
    const entry = entryOf(line, number, options.action ?? 'block');
    if (entry !== undefined) building.add(entry, (rule, code) => flaw(number, rule, code));
  }
  return building.finish();
}

/** The filter of entries that come from elsewhere; errors name their place, from 0. */
export function filterOf(entries: readonly WordEntry[], options: WordListOptions = {}): WordFilter {
  const building = new Building(options);
  entries.forEach((entry, place) => {
    const field = `words.${place}.word`;
    building.add(entry, (rule, code) => {
      return new BarrageError(code ?? 'invalid', `"${field}" must be: ${rule}`, { field, rule });
    });
  });
  return building.finish();
}

type Flaw = (rule: string, code?: 'too_large') => BarrageError;

/** A filter in the making: words that are equal once normalised count once. */
class Building {
  readonly #steps: NormalizeSteps;
  readonly #normalizer: Normalizer;
  readonly #entries: WordEntry[] = [];
  readonly #forms: string[] = [];
  readonly #places = new Map<string, number>();

  constructor({ steps }: WordListOptions) {
    this.#steps = { ...DEFAULT_STEPS, ...steps };
    this.#normalizer = new Normalizer(this.#steps);
  }

  add(entry: WordEntry, flawed: Flaw): void {
    const form = formOf(entry, flawed, this.#normalizer);
    const before = this.#places.get(form);
    if (before === undefined) {
      if (this.#entries.length === WORD_ENTRIES_MAX) {
        throw flawed(`maxEntries ${WORD_ENTRIES_MAX}`, 'too_large');
      }
      this.#places.set(form, this.#entries.push(entry) - 1);
      this.#forms.push(form);
    } else if (isStronger(entry.action, this.#entries[before]!.action)) {
      this.#entries[before] = entry;
    }
  }

  finish(): WordFilter {
    return new WordFilter(this.#entries, this.#forms, this.#steps);
  }
}

function isStronger(one: WordAction, other: WordAction): boolean {
  return WORD_ACTIONS.indexOf(one) < WORD_ACTIONS.indexOf(other);
}

/** The text's lines; when it is no UTF-8 the first line that is none is named. */
function linesOf(file: Uint8Array): string[] {
  try {
    return utf8.decode(file).split('\n');
  } catch {
    throw flaw(firstBrokenLine(file), 'valid UTF-8');
  }
}

function firstBrokenLine(file: Uint8Array): number {
  let from = 0;
  for (let number = 1; ; number++) {
    const end = file.indexOf(0x0a, from);
    try {
      utf8.decode(file.subarray(from, end < 0 ? file.length : end));
    } catch {
      return number;
    }
    if (end < 0) return number;
    from = end + 1;
  }
}

/** The entry of a line; undefined for an empty line or a comment. */
function entryOf(text: string, number: number, action: WordAction): WordEntry | undefined {
  const line = text.trimEnd();
  const tab = line.indexOf('\t');
  const word = (tab < 0 ? line : line.slice(0, tab)).trim();
  if (line === '' || word.startsWith('#')) return undefined;
  if (word === '') throw flaw(number, 'a word before the tab');
  // A character is one or two code units.
  if (word.length > WORD_CHARACTERS_MAX && [...word].length > WORD_CHARACTERS_MAX) {
    throw flaw(number, `maxLength ${WORD_CHARACTERS_MAX}`);
  }
  return { word, action: tab < 0 ? action : actionOf(line.slice(tab + 1).trim(), number) };
}

function actionOf(text: string, number: number): WordAction {
  const known = WORD_ACTIONS.find((one) => one === text);
  if (known !== undefined) return known;
  throw flaw(number, `one of ${WORD_ACTIONS.join(', ')}, not ${printableStart(text, 20)}`);
}

function formOf({ word }: WordEntry, flawed: Flaw, normalizer: Normalizer): string {
  const { units, length } = normalizer.run(word);
  if (length === 0) throw flawed('a word with more than separators');
  if (length > WORD_CHARACTERS_MAX) {
    throw flawed(`maxLength ${WORD_CHARACTERS_MAX} once normalised`);
  }
  return String.fromCharCode(...units.subarray(0, length));
}

function flaw(line: number, rule: string, code: 'invalid' | 'too_large' = 'invalid'): BarrageError {
  const field = `line ${line}`;
  return new BarrageError(code, `Word list, ${field}: it must be: ${rule}`, { field, rule });
}
