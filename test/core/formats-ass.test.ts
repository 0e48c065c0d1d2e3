/** Danmaku as subtitles: the form of the file, and that nothing on the screen covers another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textWidth, writeAss } from '../../src/formats/ass.js';
import type { Recorded } from '../../src/formats/recorded.js';
import type { Style } from '../../src/words.js';

const START = 1_750_000_000_000;

function danmaku(text: string, atMs = 0, style?: Style): Recorded {
  const base = { at: START + atMs, id: 'a-1', kind: 'danmaku', text };
  return style === undefined ? base : { ...base, style };
}

async function write(source: readonly Recorded[]) {
  const writing = writeAss(source, START);
  let text = '';
  for (;;) {
    const { value, done } = await writing.next();
    if (done === true) return { text, counts: value };
    text += value;
  }
}

async function linesOf(...source: readonly Recorded[]): Promise<string[]> {
  const { text } = await write(source);
  return text.split('\n').filter((line) => line.startsWith('Dialogue: '));
}

interface Shown {
  readonly layer: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly top: number;
  readonly bottom: number;
  readonly text: string;
  /** Left and right edge at a time. */
  edges(ms: number): readonly [number, number];
}

function millisecondsOf(time: string): number {
  const [, hours, minutes, seconds, hundredths] = /^(\d+):(\d\d):(\d\d)\.(\d\d)$/.exec(time)!;
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return whole * 1000 + Number(hundredths) * 10;
}

/** What a player would draw of a line. */
function shownOf(line: string): Shown {
  const fields = /^Dialogue: (\d),([^,]+),([^,]+),Danmaku,,0,0,0,,\{([^{}]*)\}([^{}\\]*)$/.exec(
    line,
  );
  const [, layer, from, to, tags = '', text = ''] = fields!;
  const size = Number(/\\fs(\d+)/.exec(tags)?.[1] ?? 50);
  const width = textWidth(text, size);
  const fromMs = millisecondsOf(from!);
  const toMs = millisecondsOf(to!);
  const base = { layer: Number(layer), fromMs, toMs, text };
  const move = /\\move\((-?\d+),(\d+),(-?\d+),(\d+)\)/.exec(tags)?.slice(1).map(Number);
  if (move !== undefined) {
    const [x1, y1, x2, y2] = move as [number, number, number, number];
    expect(y1).toBe(y2);
    expect(x1).toBe(1920);
    expect(x2).toBeLessThanOrEqual(-width);
    const left = (ms: number) => x1 + ((x2 - x1) * (ms - fromMs)) / (toMs - fromMs);
    return { ...base, top: y1, bottom: y1 + size, edges: (ms) => [left(ms), left(ms) + width] };
  }
  const [, an, y] = /\\an([28])\\pos\(960,(\d+)\)/.exec(tags)!;
  const top = an === '8' ? Number(y) : Number(y) - size;
  const edges = [960 - width / 2, 960 + width / 2] as const;
  return { ...base, top, bottom: top + size, edges: () => edges };
}

function cover(one: Shown, other: Shown): boolean {
  if (one.layer !== other.layer) return false;
  if (one.bottom <= other.top || other.bottom <= one.top) return false;
  const from = Math.max(one.fromMs, other.fromMs);
  const to = Math.min(one.toMs, other.toMs);
  for (let i = 0; from < to && i <= 8; i++) {
    const [left, right] = one.edges(from + ((to - from) * i) / 8);
    const [otherLeft, otherRight] = other.edges(from + ((to - from) * i) / 8);
    if (left < otherRight - 1e-6 && otherLeft < right - 1e-6) return true;
  }
  return false;
}

describe('the file', () => {
  it('has its sections, formats with as many fields as lines have, and the screen', async () => {
    const { text } = await write([danmaku('hi')]);
    expect(text).toMatch(/^\[Script Info\]\nScriptType: v4\.00\+\n/);
    expect(text).toContain('PlayResX: 1920\nPlayResY: 1080\n');
    const fields = (name: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(`${name}: `))
        .map((line) => line.split(',').length);
    expect(fields('Format')).toEqual([23, 10]);
    expect(fields('Style')).toEqual([23]);
    expect(text.indexOf('[V4+ Styles]')).toBeLessThan(text.indexOf('[Events]'));
  });

  it.each<[string, Recorded, string]>([
    [
      'scroll',
      danmaku('弹幕', 61_234),
      '0,0:01:01.23,0:01:13.23,Danmaku,,0,0,0,,{\\move(1920,0,-106,0)}弹幕',
    ],
    [
      'top',
      danmaku('a', 3_600_000, { mode: 'top', color: '#ff8001' }),
      '1,1:00:00.00,1:00:05.00,Danmaku,,0,0,0,,{\\an8\\pos(960,0)\\c&H0180FF&}a',
    ],
    [
      'bottom, black and small',
      danmaku('a', 0, { mode: 'bottom', color: '#000000', size: 18 }),
      '1,0:00:00.00,0:00:05.00,Danmaku,,0,0,0,,' +
        '{\\an2\\pos(960,1080)\\fs36\\c&H000000&\\3c&HFFFFFF&}a',
    ],
  ])('%s', async (_, one, expected) => {
    expect(await linesOf(one)).toEqual([`Dialogue: ${expected}`]);
  });

  it.each([
    ['{\\b1}x\\N', '｛＼b1｝x＼N'],
    ['a\r\nb\u2028c\td', 'a b c d'],
    ['\u0000\u001b[2J', '[2J'],
    ['a, b: c', 'a, b: c'],
  ])('the text %j is shown as %j', async (text, expected) => {
    const [line] = await linesOf(danmaku(text));
    expect(shownOf(line!).text).toBe(expected);
  });

  it('how many it stands for is shown behind the text', async () => {
    const [line] = await linesOf({ ...danmaku('哈'), count: 12 });
    expect(shownOf(line!).text).toBe('哈 ×12');
  });

  it('what has no text, or no place, is counted', async () => {
    const many = Array.from({ length: 100 }, () => danmaku('同时'));
    const { counts } = await write([...many, danmaku(' \n'), { ...danmaku(''), kind: 'like' }]);
    // 1080 pixels in rows of 10; 50 and the gap take six of them.
    expect(counts).toEqual({ written: 18, textless: 2, crowded: 82 });
  });

  it('a long standing text is made smaller to fit', async () => {
    const [line] = await linesOf(danmaku('长'.repeat(200), 0, { mode: 'top' }));
    const [left, right] = shownOf(line!).edges(0);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(right).toBeLessThanOrEqual(1920);
  });

  it('one that comes late is shown with the one before it', async () => {
    const lines = await linesOf(danmaku('a', 5000), danmaku('b', 4000));
    expect(lines.map((line) => shownOf(line).fromMs)).toEqual([5000, 5000]);
  });
});

const style = fc
  .record(
    {
      mode: fc.constantFrom('scroll' as const, 'top' as const, 'bottom' as const),
      size: fc.integer({ min: 12, max: 64 }),
    },
    { requiredKeys: [] },
  )
  .map((of): Style => of);
const said = fc.record({
  text: fc.constantFrom('弹', 'short', '长'.repeat(30), 'W'.repeat(80), '😂😂', 'é'),
  afterMs: fc.oneof(fc.nat(300), fc.nat(6000)),
  style,
});

it('nothing covers another of its layer at any time, and all stay on the screen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(said, { minLength: 20, maxLength: 90 }), async (all) => {
      let at = 0;
      const source = all.map((one) => danmaku(one.text, (at += one.afterMs), one.style));
      const { text, counts } = await write(source);
      const lines = text.split('\n').filter((line) => line.startsWith('Dialogue: '));
      const shown = lines.map(shownOf);
      expect(shown.length).toBe(counts.written);
      expect(counts.written + counts.crowded).toBe(source.length);
      for (const [i, one] of shown.entries()) {
        expect(one.top).toBeGreaterThanOrEqual(0);
        expect(one.bottom).toBeLessThanOrEqual(1080);
        for (const other of shown.slice(0, i)) {
          if (cover(one, other)) throw new Error(`${one.text} covers ${other.text}`);
        }
      }
    }),
    { numRuns: 150 },
  );
});

it('the check itself notices a cover', async () => {
  const [line] = await linesOf(danmaku('a'));
  expect(cover(shownOf(line!), shownOf(line!))).toBe(true);
  const later = line!.replaceAll('0:00:00.00', '0:00:00.10');
  expect(cover(shownOf(line!), shownOf(later))).toBe(true);
});
