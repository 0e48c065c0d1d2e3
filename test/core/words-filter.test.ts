/** Word lists: their form, what is found by them, and what is done with it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import { seededRandom } from '../../src/random.js';
import { Automaton } from '../../src/words-filter/aho-corasick.js';
import { DEFAULT_STEPS, Normalizer } from '../../src/words-filter/normalize.js';
import {
  WORD_ACTIONS,
  type WordEntry,
  type WordFilter,
  type WordJudgement,
} from '../../src/words-filter/word-filter.js';
import {
  WORD_CHARACTERS_MAX,
  WORD_ENTRIES_MAX,
  WORD_LIST_BYTES_MAX,
  parseWordList,
  type WordListOptions,
} from '../../src/words-filter/word-list.js';

function listOf(text: string, options?: WordListOptions): WordFilter {
  return parseWordList(Buffer.from(text), options);
}

function errorOf(file: Uint8Array): BarrageError {
  try {
    parseWordList(file);
  } catch (error) {
    if (error instanceof BarrageError) return error;
    throw error;
  }
  throw new Error('the list was taken');
}

describe('judging', () => {
  const filter = listOf(
    'bad\tmask\nbadword\tblock\n加微信\treview\n傻瓜\tmask\n😂x\tmask\n㎏\tmask',
  );

  it.each<[string, WordJudgement]>([
    ['fine', { action: 'pass' }],
    ['', { action: 'pass' }],
    ['a BAD day', { action: 'mask', text: 'a *** day', words: 1 }],
    ['b-a.d 傻 瓜！', { action: 'mask', text: '***** ***！', words: 2 }],
    ['ok 😂x ok', { action: 'mask', text: 'ok ** ok', words: 1 }],
    ['5 ㎏ 5 kg', { action: 'mask', text: '5 * 5 **', words: 2 }],
    ['ｂ@d', { action: 'mask', text: '***', words: 1 }],
    ['be\u0336 b\u0336a\u0336d\u0336!', { action: 'mask', text: 'be\u0336 ******!', words: 1 }],
    ['傻瓜，加V信 加​微​信', { action: 'review', word: '加微信' }],
    ['加微信 bad B.A.D.W.O.R.D', { action: 'block', word: 'badword' }],
  ])('%j', (text, expected) => {
    expect(filter.judge(text)).toEqual(expected);
  });

  it('words that overlap or contain each other are masked as one stretch', () => {
    const overlap = listOf('abc\tmask\nbcde\tmask\nc\tmask\nxx\tmask', {
      steps: { repeats: false },
    });
    expect(overlap.judge('-abcde-c')).toEqual({ action: 'mask', text: '-*****-*', words: 2 });
    expect(overlap.judge('xxxx')).toEqual({ action: 'mask', text: '****', words: 1 });
  });

  it('a run counts as one only where the list says so, and is masked whole', () => {
    const text = 'fuuun fun';
    expect(listOf('fun\tmask').judge(text)).toMatchObject({ text: 'fuuun ***' });
    const filter = listOf('fun\tmask', { steps: { repeats: true } });
    expect(filter.judge('fuuunnn! fun')).toMatchObject({ text: '*******! ***', words: 2 });
  });

  it('an empty list passes everything', () => {
    expect(listOf('').judge('anything')).toEqual({ action: 'pass' });
    expect(listOf('# nothing\n\n').words).toBe(0);
  });

  it('the same filter judges again as before', () => {
    const first = filter.judge('a BAD day');
    filter.judge('加微信'.repeat(1000));
    expect(filter.judge('a BAD day')).toEqual(first);
  });
});

describe('the file', () => {
  it('lines, comments, actions, line ends and a byte order mark are read', () => {
    const filter = listOf('\ufeffone\r\n  # two\tblock\r\n two \t mask \r\n\r\nthree\treview');
    expect(filter.words).toBe(3);
    expect(filter.judge('one')).toEqual({ action: 'block', word: 'one' });
    expect(filter.judge('two')).toEqual({ action: 'mask', text: '***', words: 1 });
    expect(filter.judge('three')).toEqual({ action: 'review', word: 'three' });
    expect(listOf('one', { action: 'review' }).judge('one')).toMatchObject({ action: 'review' });
  });

  it('words equal once normalised count once, by their strongest action', () => {
    const filter = listOf('Bad\tmask\nB A D\tblock\nｂａｄ\treview');
    expect(filter.words).toBe(1);
    expect(filter.judge('bad')).toEqual({ action: 'block', word: 'B A D' });
  });

  it.each<[string, string | Uint8Array, string, string]>([
    ['an unknown action', 'a\tmask\nb\tkill', 'line 2', 'one of block, review, mask, not kill'],
    ['no word', '\n\tmask', 'line 2', 'a word before the tab'],
    ['a second tab', 'a\tmask\tblock', 'line 1', 'one of block, review, mask, not mask'],
    ['only separators', 'a\n...', 'line 2', 'a word with more than separators'],
    ['a long word', 'é'.repeat(WORD_CHARACTERS_MAX + 1), 'line 1', 'maxLength 64'],
    ['a word that grows', 'ﷺ'.repeat(8), 'line 1', 'maxLength 64 once normalised'],
    ['other bytes', Buffer.from('61 0a 62 0a ff'.replaceAll(' ', ''), 'hex'), 'line 3', 'UTF-8'],
  ])('%s is refused with its line', (_, file, field, rule) => {
    const error = errorOf(typeof file === 'string' ? Buffer.from(file) : file);
    expect(error.code).toBe('invalid');
    expect(error.field).toBe(field);
    expect(error.rule).toContain(rule);
    expect(error.message).toContain(field);
  });

  it('a word of the longest length is found, astral characters count as one', () => {
    const word = '😂'.repeat(WORD_CHARACTERS_MAX / 2);
    expect(listOf(word).judge(`a${word}b`)).toEqual({ action: 'block', word });
  });

  it('a file over the bound, and an entry too many, are refused', () => {
    expect(errorOf(new Uint8Array(WORD_LIST_BYTES_MAX + 1)).code).toBe('too_large');
    const lines = Array.from({ length: WORD_ENTRIES_MAX + 1 }, (_, i) => i.toString(36));
    const file = Buffer.from(`${lines.join('\n')}\n`);
    const options = { steps: { homoglyphs: false } };
    expect(() => parseWordList(file, options)).toThrow(`line ${WORD_ENTRIES_MAX + 1}`);
  });
});

/** Looks at every place for every word. */
function judgeNaively(text: string, entries: readonly WordEntry[]): WordJudgement {
  const { length, units, starts, ends } = new Normalizer(DEFAULT_STEPS).run(text);
  const form = String.fromCharCode(...units.slice(0, length));
  const from = starts.slice(0, length);
  const to = ends.slice(0, length);
  const forms = entries.map(({ word }) => {
    const normal = new Normalizer(DEFAULT_STEPS).run(word);
    return String.fromCharCode(...normal.units.slice(0, normal.length));
  });
  const isMasked = new Array<boolean>(text.length).fill(false);
  const joined = new Array<boolean>(text.length).fill(false);
  for (const action of WORD_ACTIONS) {
    for (let end = 1; end <= length; end++) {
      const found = forms
        .map((word, i) => ({ word, entry: entries[i]! }))
        .filter(({ word, entry }) => entry.action === action && form.slice(0, end).endsWith(word))
        .sort((a, b) => b.word.length - a.word.length);
      if (found.length === 0) continue;
      if (action !== 'mask') return { action, word: found[0]!.entry.word };
      for (const { word } of found) {
        for (let at = from[end - word.length]!; at < to[end - 1]!; at++) {
          joined[at] ||= at > from[end - word.length]!;
          isMasked[at] = true;
        }
      }
    }
  }
  const words = isMasked.filter((masked, at) => masked && !joined[at]).length;
  if (words === 0) return { action: 'pass' };
  let masked = '';
  let at = 0;
  for (const char of text) {
    masked += isMasked[at] === true ? '*' : char;
    at += char.length;
  }
  return { action: 'mask', text: masked, words };
}

describe('properties', () => {
  const letters = ['a', 'b', 'B', '.', '哈', '😂', 'ａ', '\u0301', '㎏', 'k', 'g'];
  const wide = Array.from({ length: 60 }, (_, i) => String.fromCharCode(0x4e00 + i * 7));

  it.each([
    ['few letters', letters, 6],
    ['many letters', wide, 3],
  ])('it judges as looking at every place for every word does: %s', (_, alphabet, length) => {
    const of = (max: number) =>
      fc.array(fc.constantFrom(...alphabet), { minLength: 1, maxLength: max });
    const text = of(24).map((parts) => parts.join(''));
    const word = of(length)
      .map((parts) => parts.join(''))
      .filter((one) => new Normalizer(DEFAULT_STEPS).run(one).length > 0);
    const weighted = fc.constantFrom('mask' as const, ...WORD_ACTIONS, 'mask' as const);
    const entries = fc.uniqueArray(fc.record({ word, action: weighted }), {
      minLength: 1,
      maxLength: alphabet === wide ? 120 : 12,
      selector: (entry) => {
        const { length: size, units } = new Normalizer(DEFAULT_STEPS).run(entry.word);
        return units.slice(0, size).join();
      },
    });
    fc.assert(
      fc.property(entries, fc.array(text, { minLength: 3, maxLength: 3 }), (list, texts) => {
        const filter = listOf(list.map((one) => `${one.word}\t${one.action}`).join('\n'));
        for (const one of texts) expect(filter.judge(one)).toEqual(judgeNaively(one, list));
      }),
      { numRuns: 400 },
    );
  });

  it('the automaton tells the highest rank, then the longest, at every place', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 });
    const ranked = fc.array(fc.tuple(word, fc.nat(2)), { maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 });
    fc.assert(
      fc.property(ranked, text, (list, read) => {
        const words = list.map(([one]) => one);
        const automaton = new Automaton(words, (place) => list[place]![1]);
        let state = 0;
        for (let end = 1; end <= read.length; end++) {
          state = automaton.next(state, read.charCodeAt(end - 1));
          const [best] = words
            .map((one, place) => ({ place, rank: list[place]![1], length: one.length }))
            .filter(({ place, length }) => length > 0 && read.slice(0, end).endsWith(words[place]!))
            .sort((a, b) => b.rank - a.rank || b.length - a.length || a.place - b.place);
          expect(automaton.found(state)).toBe(best?.place ?? -1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('size and time', () => {
  function manyWords(count: number): string {
    const random = seededRandom(7);
    const words = new Set<string>();
    while (words.size < count) {
      const length = 2 + random.below(5);
      let word = '';
      for (let i = 0; i < length; i++) word += String.fromCharCode(0x4e00 + random.below(3000));
      words.add(word);
    }
    return [...words].join('\n');
  }

  it('100,000 words take under 12 MB and each of them is found', () => {
    const text = manyWords(100_000);
    const filter = listOf(text);
    expect(filter.words).toBe(100_000);
    expect(filter.bytes).toBeLessThan(12e6);
    const words = text.split('\n');
    for (let i = 0; i < words.length; i += 97) {
      expect(filter.judge(`好${words[i]!}x`).action).toBe('block');
    }
  });

  /** Microseconds of this process's CPU, the least of three; others' load does not count. */
  function cpuOf(filter: WordFilter, text: string): number {
    const once = () => {
      const before = process.cpuUsage();
      for (let i = 0; i < 2; i++) filter.judge(text);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    once();
    return Math.min(...Array.from({ length: 3 }, once));
  }

  it.each([
    ['separators', '.-_ '],
    ['combining marks', 'e\u0301\u0323\u0336'],
    ['marks out of order on one character', '\u0301\u0323'],
    ['failing at the last letter', 'aaaaaaab'],
    ['masked everywhere', 'aaaa'],
    ['texts that grow', 'ﷺ'],
    ['astral characters', '😂𝐀'],
  ])('hostile texts take time in proportion to their length: %s', (_, part) => {
    const tower = Array.from({ length: 60 }, (_, i) => `${'a'.repeat(i + 1)}\tmask`);
    const filter = listOf([...tower, `${'a'.repeat(60)}c\tblock`].join('\n'));
    const short = cpuOf(filter, part.repeat(10_000 / part.length));
    const long = cpuOf(filter, part.repeat(80_000 / part.length));
    // A square would take 64 times as long, 8 is proportion.
    expect(long).toBeLessThan(Math.max(short, 2000) * 24);
  });
});
