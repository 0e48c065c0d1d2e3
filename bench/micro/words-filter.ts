/**
 * Owns the measurement of the word filter on one core of this machine: compiling 100,000 words,
 * judging talk and hostile texts with them, the memory they take. Medians of several runs.
 */
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom, type Random } from '../../src/random.js';
import { parseWordList } from '../../src/words-filter/word-list.js';
import { Corpus } from '../corpus.js';

const RUNS = 5;
const WORDS = 100_000;
const CHARACTERS = 1_000_000;

/** Figures by name; units are in the names. */
export function run(): Promise<Record<string, number>> {
  const file = wordList(seededRandom(1));
  const filter = parseWordList(file);
  const corpus = new Corpus(1);
  const listed = file.toString().split('\n');
  const random = seededRandom(2);
  const beginning = () => listed[random.below(listed.length)]!.split('\t')[0]!.slice(0, -1);
  const nearMiss = () => Array.from({ length: 6 }, beginning).join('');
  const long = Array.from({ length: 500 }, () => corpus.text()).join('，');
  return Promise.resolve({
    words: filter.words,
    millisecondsPerList: median(() => timed(() => parseWordList(file))),
    bytesOfAutomaton: filter.bytes,
    bytesOfHeapAndBuffers: bytesKept(file),
    charactersPerSecondTalk: median(() => charactersPerSecond(filter, () => corpus.text())),
    charactersPerSecondLong: median(() => charactersPerSecond(filter, () => long)),
    charactersPerSecondNearMisses: median(() => charactersPerSecond(filter, nearMiss)),
    charactersPerSecondSeparators: median(() => rateOf(filter, '.-_ '.repeat(2500))),
    charactersPerSecondMarks: median(() => rateOf(filter, 'e\u0301\u0323\u0336'.repeat(2500))),
    charactersPerSecondEmoji: median(() => rateOf(filter, '😂🔥'.repeat(2500))),
  });
}

type Filter = ReturnType<typeof parseWordList>;

/** Three of four words Chinese of 2-6 characters, the others Latin of 5-12 letters; one in ten masks. */
function wordList(random: Random): Buffer {
  const lines = new Set<string>();
  while (lines.size < WORDS) {
    const isChinese = random.below(4) > 0;
    const length = isChinese ? 2 + random.below(5) : 5 + random.below(8);
    let word = '';
    // Common characters are commoner: the square leans towards the beginning of the block.
    for (let i = 0; i < length; i++) {
      const skewed = Math.floor(random.next() ** 2 * 3500);
      word += isChinese ? String.fromCharCode(0x4e00 + skewed) : letter(random);
    }
    lines.add(word);
  }
  return Buffer.from([...lines].map((w, i) => `${w}\t${i % 10 ? 'block' : 'mask'}`).join('\n'));
}

function letter(random: Random): string {
  return 'etaoinshrdlucmfwypvbgkjqxz'[Math.floor(random.next() ** 2 * 26)]!;
}

function rateOf(filter: Filter, text: string): number {
  return charactersPerSecond(filter, () => text);
}

/** Code units of the original text a second; blocked texts end early and do not count. */
function charactersPerSecond(filter: Filter, next: () => string): number {
  const texts: string[] = [];
  for (let characters = 0; characters < CHARACTERS;) {
    const text = next();
    if (filter.judge(text).action === 'block') continue;
    texts.push(text);
    characters += text.length;
  }
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  const spent = timed(() => texts.forEach((text) => filter.judge(text)));
  return Math.round((characters * 1000) / spent);
}

function timed(work: () => unknown): number {
  const started = performance.now();
  work();
  return Math.round((performance.now() - started) * 10) / 10;
}

/** What a compiled list keeps: typed arrays, and its words for the answers. */
function bytesKept(file: Buffer): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  const filter = parseWordList(file);
  const bytes = held() - before;
  return filter.words > 0 ? bytes : NaN;
}

function median(measure: () => number): number {
  const figures = Array.from({ length: RUNS }, measure).sort((a, b) => a - b);
  return figures[RUNS >> 1]!;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const figures = await run();
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
}
