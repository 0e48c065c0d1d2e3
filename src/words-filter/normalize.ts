/**
 * Owns how a text is brought to the form in which words are looked for, and the way back: every code
 * unit of the result knows which part of the original it stands for. Knows no word.
 */

/** Each can be switched; words and texts must go through the same. */
export interface NormalizeSteps {
  /** Compatibility forms (`㎏`, `𝐛`, `ﬁ`, full width) and composition: Unicode NFKC. */
  readonly nfkc: boolean;
  readonly lowerCase: boolean;
  /** Full-width Latin, half-width kana and hangul only; part of `nfkc`. */
  readonly width: boolean;
  /** Digits, signs and foreign letters that look like a Latin letter (`0` `@` `а`) become it. */
  readonly homoglyphs: boolean;
  /** White space, punctuation, zero-width and drawing characters, loose accents are left out. */
  readonly separators: boolean;
  /** Runs of one character count as one; makes 爸爸 and 爸 equal, so not by default. */
  readonly repeats: boolean;
}

export const DEFAULT_STEPS: NormalizeSteps = {
  nfkc: true,
  lowerCase: true,
  width: true,
  homoglyphs: true,
  separators: true,
  repeats: false,
};

/** Views of the normaliser's own memory: they hold until its next `run`. */
export interface Normalized {
  /** Only the first `length` of each array count. */
  readonly length: number;
  readonly units: Uint16Array;
  /** Where in the original the character behind a unit begins and, exclusive, ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** What a code unit becomes when it stands alone; lone surrogates are never a result. */
const UNKNOWN = 0;
const REMOVED = 0xd800;
/** Joins the character before it: combining marks, half-width voicing, hangul vowels and finals. */
const EXTENDS = 0xd801;
/** Becomes several units, or is half of a character. */
const COMPLEX = 0xd802;

/** Unicode's stream-safe bound (UAX #15, 13): ordering marks costs the square of their number. */
const MARKS_MAX = 30;

/** What may change the character before it: UAX #15's NFC_QC=Maybe and all combining marks. */
const extender = /^[\p{M}\u1161-\u1175\u11a8-\u11c2]/u;
const isSurrogate = (unit: number) => (unit & 0xf800) === 0xd800;

/** White space, punctuation, controls, zero-width, modifier and mathematical signs, drawings. */
const separators = new RegExp(
  '[\\p{Z}\\p{P}\\p{Cc}\\p{Cf}\\p{Sk}\\p{Sm}\\p{DI}' +
    // Accents that found no letter to join, as in struck-out text.
    '\\u0300-\\u036f\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f' +
    // Boxes, blocks, shapes, stars and the blank of braille.
    '\\u2500-\\u25ff\\u2605\\u2606\\u2800]',
  'gu',
);

/** Before `=` what is looked at, after it the Latin letter it is taken for. */
const LOOK_ALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  (
    '0=o 1=l |=l i=l 3=e 4=a @=a 5=s $=s 7=t 8=b ' +
    'а=a в=b с=c е=e ё=e ѕ=s н=h і=l ї=l ӏ=l ј=j к=k м=m о=o р=p т=t у=y х=x ԁ=d ԛ=q ԝ=w ' +
    'α=a β=b ε=e η=n ι=l κ=k ν=v ο=o ρ=p τ=t υ=u χ=x ' +
    'ı=l ł=l ø=o đ=d ħ=h ŧ=t ɑ=a ɡ=g ɩ=l'
  )
    .split(' ')
    .map((pair) => [pair.slice(0, -2), pair.slice(-1)]),
);

/** One cluster (a character and what joins it) in its normal form; the order of the steps is here. */
function fold(cluster: string, steps: NormalizeSteps): string {
  let text = cluster;
  if (steps.nfkc) text = text.normalize('NFKC');
  else if (steps.width) text = text.replace(/[\u3000\uff00-\uffef]+/g, (s) => s.normalize('NFKC'));
  if (steps.lowerCase) {
    text = text.toLowerCase();
    if (steps.nfkc) text = text.normalize('NFKC');
  }
  if (steps.homoglyphs) text = text.replace(/[\s\S]/g, lookAlike);
  return steps.separators ? text.replace(separators, '') : text;
}

/** Capitals only get here when they are kept apart: they become capitals. */
function lookAlike(char: string): string {
  return LOOK_ALIKES[char] ?? LOOK_ALIKES[char.toLowerCase()]?.toUpperCase() ?? char;
}

/** What was learnt of characters under one combination of steps; filled as they are met. */
interface Learnt {
  readonly kinds: Uint16Array;
  /** Clusters that are more than a unit, as emoji are, and their normal form. */
  readonly folded: Map<string, string>;
}

/** Begun anew when full. */
const FOLDED_MAX = 4096;
const FOLDED_UNITS_MAX = 4;

/** Shared by all normalisers: 128 KiB and the clusters for each combination in use, of 32. */
const learnt = new Map<string, Learnt>();

function learntOf(steps: NormalizeSteps): Learnt {
  const { nfkc, lowerCase, width, homoglyphs, separators: apart } = steps;
  const key = [nfkc, lowerCase, width, homoglyphs, apart].join();
  let found = learnt.get(key);
  if (found === undefined) {
    found = { kinds: new Uint16Array(0x10000), folded: new Map() };
    learnt.set(key, found);
  }
  return found;
}

/** Normalises one text at a time, in time linear in its length. */
export class Normalizer {
  readonly #steps: NormalizeSteps;
  readonly #kinds: Uint16Array;
  readonly #folded: Map<string, string>;
  #units = new Uint16Array(256);
  #starts = new Uint32Array(256);
  #ends = new Uint32Array(256);
  #length = 0;
  /** The code point written last; -1 at the beginning. */
  #last = -1;

  constructor(steps: NormalizeSteps) {
    this.#steps = { ...steps };
    const { kinds, folded } = learntOf(steps);
    this.#kinds = kinds;
    this.#folded = folded;
  }

  run(text: string): Normalized {
    this.#length = 0;
    this.#last = -1;
    const size = text.length;
    let place = 0;
    let kind = size > 0 ? this.#kindOf(text.charCodeAt(0)) : COMPLEX;
    while (place < size) {
      const after = place + 1;
      const next = after < size ? this.#kindOf(text.charCodeAt(after)) : REMOVED;
      if (kind === COMPLEX || kind === EXTENDS || next === EXTENDS || next === COMPLEX) {
        place = this.#writeCluster(text, place);
        if (place < size) kind = this.#kindOf(text.charCodeAt(place));
        continue;
      }
      if (kind !== REMOVED) this.#write(kind, place, after);
      place = after;
      kind = next;
    }
    return { length: this.#length, units: this.#units, starts: this.#starts, ends: this.#ends };
  }

  /** The unit it becomes, or REMOVED, EXTENDS, COMPLEX. */
  #kindOf(unit: number): number {
    const kind = this.#kinds[unit]!;
    return kind === UNKNOWN ? this.#learn(unit) : kind;
  }

  #learn(unit: number): number {
    const char = String.fromCharCode(unit);
    let kind = COMPLEX;
    if (!isSurrogate(unit)) {
      const folded = fold(char, this.#steps);
      if (extender.test(char.normalize('NFKD'))) kind = EXTENDS;
      else if (folded.length === 0) kind = REMOVED;
      else if (folded.length === 1 && folded !== '\u0000') kind = folded.charCodeAt(0);
    }
    this.#kinds[unit] = kind;
    return kind;
  }

  /** Writes the character at `from` with what joins it; gives the place after them. */
  #writeCluster(text: string, from: number): number {
    let to = from + widthAt(text, from);
    for (let marks = 0; marks < MARKS_MAX && this.#extendsAt(text, to); marks++) {
      to += widthAt(text, to);
    }
    const alone = to === from + 1 ? this.#kindOf(text.charCodeAt(from)) : COMPLEX;
    if (alone === REMOVED) return to;
    if (alone !== COMPLEX && alone !== EXTENDS) this.#write(alone, from, to);
    else for (const char of this.#fold(text.slice(from, to))) this.#writeChar(char, from, to);
    return to;
  }

  #fold(cluster: string): string {
    const known = this.#folded.get(cluster);
    if (known !== undefined) return known;
    const folded = fold(cluster, this.#steps);
    if (cluster.length <= FOLDED_UNITS_MAX) {
      if (this.#folded.size === FOLDED_MAX) this.#folded.clear();
      // A slice would keep the whole text it was cut from.
      this.#folded.set(Buffer.from(cluster, 'utf16le').toString('utf16le'), folded);
    }
    return folded;
  }

  #extendsAt(text: string, place: number): boolean {
    if (place >= text.length) return false;
    const unit = text.charCodeAt(place);
    if (!isSurrogate(unit)) return this.#kindOf(unit) === EXTENDS;
    return extender.test(String.fromCodePoint(text.codePointAt(place)!).normalize('NFKD'));
  }

  #writeChar(char: string, start: number, end: number): void {
    const code = char.codePointAt(0)!;
    if (char.length === 1) this.#write(code, start, end);
    else if (this.#isRepeat(code)) this.#ends[this.#length - 1] = end;
    else {
      this.#put(char.charCodeAt(0), start, end);
      this.#put(char.charCodeAt(1), start, end);
      this.#last = code;
    }
  }

  #write(unit: number, start: number, end: number): void {
    if (this.#isRepeat(unit)) this.#ends[this.#length - 1] = end;
    else {
      this.#put(unit, start, end);
      this.#last = unit;
    }
  }

  #isRepeat(code: number): boolean {
    return this.#steps.repeats && code === this.#last;
  }

  #put(unit: number, start: number, end: number): void {
    const at = this.#length++;
    if (at === this.#units.length) this.#grow();
    this.#units[at] = unit;
    this.#starts[at] = start;
    this.#ends[at] = end;
  }

  #grow(): void {
    const size = this.#units.length * 2;
    const units = new Uint16Array(size);
    const starts = new Uint32Array(size);
    const ends = new Uint32Array(size);
    units.set(this.#units);
    starts.set(this.#starts);
    ends.set(this.#ends);
    this.#units = units;
    this.#starts = starts;
    this.#ends = ends;
  }
}

/** Code units of the character at `place`; 1 for a lone surrogate. */
function widthAt(text: string, place: number): number {
  return text.codePointAt(place)! > 0xffff ? 2 : 1;
}
