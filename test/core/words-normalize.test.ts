/** The form in which words are looked for, and the way back to the original. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_STEPS,
  Normalizer,
  type NormalizeSteps,
} from '../../src/words-filter/normalize.js';

const NONE: NormalizeSteps = {
  nfkc: false,
  lowerCase: false,
  width: false,
  homoglyphs: false,
  separators: false,
  repeats: false,
};

interface Unit {
  readonly unit: string;
  readonly start: number;
  readonly end: number;
}

function unitsOf(text: string, steps: Partial<NormalizeSteps> = DEFAULT_STEPS): Unit[] {
  const { length, units, starts, ends } = new Normalizer({ ...NONE, ...steps }).run(text);
  return Array.from({ length }, (_, i) => ({
    unit: String.fromCharCode(units[i]!),
    start: starts[i]!,
    end: ends[i]!,
  }));
}

function formOf(text: string, steps?: Partial<NormalizeSteps>): string {
  return unitsOf(text, steps)
    .map(({ unit }) => unit)
    .join('');
}

describe('steps', () => {
  it.each<[string, string, Partial<NormalizeSteps>]>([
    ['ＡＢＣ１２３　ｶﾞｷﾞ', 'ABC123 ガギ', { width: true }],
    ['①㎏', '①㎏', { width: true }],
    ['①㎏ﬁＡ𝐁', '1kgfiAB', { nfkc: true }],
    ['e\u0301 각', 'é 각', { nfkc: true }],
    ['ÀΣ İ', 'àσ i\u0307', { lowerCase: true }],
    ['p0ker с@sіn0 I', 'poker casln0'.replace('0', 'o') + ' L', { homoglyphs: true }],
    ['a.b-c d\u200be\u3000f★g\ufe0fh', 'abcdefgh', { separators: true }],
    ['f\u0336u\u0336n', 'fun', { separators: true }],
    ['caaat 😂😂😂 哈哈', 'cat 😂 哈', { repeats: true }],
    ['Ａa①. ..哈哈😂', 'Ａa①. ..哈哈😂', {}],
    ['\u0000\ud800a\udc00', '\u0000\ud800a\udc00', {}],
  ])('%j becomes %j by %j', (text, expected, steps) => {
    expect(formOf(text, steps)).toBe(expected);
  });

  it.each([
    ['加V❤信', '加v❤信'],
    ['Ｖ Ｘ：1​2​3', 'vxl23'.replace('3', 'e')],
    ['𝕱𝖚𝖓', 'fun'],
    ['F.U-N!!', 'fun'],
    ['爸爸', '爸爸'],
    ['ＦＵＮ', 'fun'],
  ])('the default brings %j to %j', (text, expected) => {
    expect(formOf(text)).toBe(expected);
  });

  it('without its step a thing stays apart', () => {
    const { separators: _, ...kept } = DEFAULT_STEPS;
    expect(formOf('a b', kept)).toBe('a b');
    expect(formOf('A', { ...DEFAULT_STEPS, lowerCase: false })).toBe('A');
    expect(formOf('0', { ...DEFAULT_STEPS, homoglyphs: false })).toBe('0');
    expect(formOf('哈哈', { ...DEFAULT_STEPS, repeats: true })).toBe('哈');
  });
});

describe('the way back', () => {
  it('a unit stands for its whole character and what joins it', () => {
    expect(unitsOf('x㎏e\u0323\u0301😂')).toEqual([
      { unit: 'x', start: 0, end: 1 },
      { unit: 'k', start: 1, end: 2 },
      { unit: 'g', start: 1, end: 2 },
      { unit: 'ẹ', start: 2, end: 5 },
      { unit: '\ud83d', start: 5, end: 7 },
      { unit: '\ude02', start: 5, end: 7 },
    ]);
  });

  it('a run that counts as one ends where its last character does', () => {
    const steps = { repeats: true, separators: true };
    expect(unitsOf('aa-a b', steps)).toEqual([
      { unit: 'a', start: 0, end: 4 },
      { unit: 'b', start: 5, end: 6 },
    ]);
    expect(unitsOf('😂😂', steps).at(-1)).toEqual({ unit: '\ude02', start: 0, end: 4 });
  });
});

const pieces = fc.constantFrom(
  ...['a', 'B', 'e', '0', ' ', '.', '哈', 'ｶ', 'ﾞ', '㎏', 'ﷺ', '각', '\u1100', '\u1161', '\u11a8'],
  ...['\u0301', '\u0323', '\u0336', '\u3099', '\u09c7', '\u09be', '\u200d', '\ufe0f', '\u0130'],
  ...['😂', '𝐀', '\u{1d157}', '\u{1d165}', '\u{11099}', '\u{110ba}', '\ud800', '\udc00', 'Å', 'ﬃ'],
  ...['ﾡ', 'ￂ', 'ㅏ', 'ㄱ', '\u0345', '\u0f71', '\u0f73', '\u1e9b'],
);
const texts = fc.array(pieces, { maxLength: 24 }).map((parts) => parts.join(''));
const anySteps = fc.record({
  nfkc: fc.boolean(),
  lowerCase: fc.boolean(),
  width: fc.boolean(),
  homoglyphs: fc.boolean(),
  separators: fc.boolean(),
  repeats: fc.boolean(),
});

describe('properties', () => {
  it('by NFKC alone it equals the NFKC of the whole text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(formOf(text, { nfkc: true })).toBe(text.normalize('NFKC'));
      }),
      { numRuns: 2000 },
    );
  });

  it('units come in the order of the original and never split a character', () => {
    fc.assert(
      fc.property(texts, anySteps, (text, steps) => {
        let before = 0;
        for (const { start, end } of unitsOf(text, steps)) {
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeGreaterThan(start);
          for (const place of [start, end]) {
            const isInside = /[\ud800-\udbff]/.test(text[place - 1] ?? '');
            expect(isInside && /[\udc00-\udfff]/.test(text[place] ?? '')).toBe(false);
          }
          before = start;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a normaliser forgets what it read before', () => {
    const normalizer = new Normalizer({ ...DEFAULT_STEPS, repeats: true });
    fc.assert(
      fc.property(texts, (text) => {
        const { length, units } = normalizer.run(text);
        const form = String.fromCharCode(...units.subarray(0, length));
        expect(form).toBe(formOf(text, { ...DEFAULT_STEPS, repeats: true }));
      }),
    );
  });
});
