/** Recordings as Bilibili XML and JSON Lines: what is written is what is read again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import { parseBilibiliXml } from '../../src/formats/bilibili-xml.js';
import { userHash, writeBilibiliXml } from '../../src/formats/bilibili-xml-writer.js';
import {
  JSON_LINE_CHARACTERS_MAX,
  readJsonLines,
  writeJsonLines,
} from '../../src/formats/json-lines.js';
import type { Recorded, RecordedSource, WrittenCounts } from '../../src/formats/recorded.js';
import type { UserId } from '../../src/ids.js';
import type { Style } from '../../src/words.js';
import { scanXml } from '../kit/strict-xml.js';

const START = 1_750_000_000_000;

type Writer = (
  source: RecordedSource,
  startMs: number,
) => AsyncGenerator<string, WrittenCounts, void>;

async function writtenBy(writer: Writer, source: RecordedSource) {
  const chunks: string[] = [];
  const writing = writer(source, START);
  for (;;) {
    const { value, done } = await writing.next();
    if (done === true) return { chunks, text: chunks.join(''), counts: value };
    chunks.push(value);
  }
}

function danmaku(text: string, more: Partial<Recorded> = {}): Recorded {
  return { at: START + 1500, id: '1a-7', kind: 'danmaku', text, ...more };
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const one of source) out.push(one);
  return out;
}

const style = fc
  .record(
    {
      mode: fc.constantFrom('scroll' as const, 'top' as const, 'bottom' as const),
      color: fc.nat(0xffffff).map((color) => `#${color.toString(16).padStart(6, '0')}`),
      size: fc.integer({ min: 12, max: 64 }),
    },
    { requiredKeys: [] },
  )
  .map((of): Style => of);
const awkward = fc.constantFrom('&', '<', '>', '"', "'", ']]>', '&amp;', '\n', '\t', ' ', '</d>');
const text = fc
  .array(
    fc.oneof(awkward, fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom('弹', '😂')),
  )
  .map((parts) => parts.join(''));
const user = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((id) => !/[\s\u0000-\u001f\u007f-\u009f]/.test(id))
  .map((id) => ({ id: id as UserId }));
const recorded = (texts: fc.Arbitrary<string>) =>
  fc
    .record(
      {
        at: fc.integer({ min: START, max: START + 9e9 }),
        id: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }),
        kind: fc.constantFrom('danmaku', 'gift', 'x.y-z_1'),
        text: texts,
        user,
        style,
        count: fc.integer({ min: 1, max: 1e6 }),
        data: fc.oneof(fc.constant({ gift: ['花', 1, null] }), fc.integer(), fc.string()),
      },
      { requiredKeys: ['at', 'id', 'kind'] },
    )
    .map((of) => of as Recorded);

describe('Bilibili XML', () => {
  it('a comment has all parts of p', async () => {
    const { text, counts } = await writtenBy(writeBilibiliXml, [
      danmaku('<b> & "你好"', {
        at: START + 61_234,
        user: { id: '2' as UserId },
        style: { mode: 'top', color: '#ff0001', size: 18 },
        count: 3,
      }),
    ]);
    const line = text.split('\n').find((one) => one.startsWith('<d '));
    expect(line).toMatch(
      /^<d p="61\.234,5,18,16711681,1750000061,0,1ad5be0d,\d+" count="3">&lt;b&gt; &amp; &quot;你好&quot;<\/d>$/,
    );
    expect(counts).toEqual({ written: 1, textless: 0, crowded: 0 });
  });

  it.each([
    ['2', '1ad5be0d'],
    ['123456789', 'cbf43926'],
    ['', '0'],
    ['33', 'a6216d9'],
    ['用户', '1deaa2dd'],
  ])('the user %j is the CRC-32 %s', (id, hash) => {
    expect(userHash(id)).toBe(hash);
  });

  it('what was written is read again, and is well-formed', async () => {
    const expected = (of: Recorded) => {
      // eslint-disable-next-line no-control-regex
      const dropped = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/g;
      return {
        atMs: of.at - START,
        mode: { scroll: 1, bottom: 4, top: 5 }[of.style?.mode ?? 'scroll'],
        size: of.style?.size ?? 25,
        color: parseInt(of.style?.color?.slice(1) ?? 'ffffff', 16),
        user: userHash(of.user?.id ?? ''),
        text: (of.text ?? '').toWellFormed().replace(dropped, ''),
      };
    };
    await fc.assert(
      fc.asyncProperty(fc.array(recorded(text), { maxLength: 20 }), async (source) => {
        const { text: xml, counts } = await writtenBy(writeBilibiliXml, source);
        const shown = source.map(expected).filter((one) => one.text !== '');
        expect(counts.written).toBe(shown.length);
        expect(counts.textless).toBe(source.length - shown.length);
        const { comments, broken } = parseBilibiliXml(xml);
        expect(broken).toBe(0);
        expect(comments).toEqual(shown.sort((a, b) => a.atMs - b.atMs));
        const elements = scanXml(xml).filter(({ name }) => name === 'd');
        expect(elements.length).toBe(shown.length);
        expect(new Set(elements.map((element) => element.text))).toEqual(
          new Set(shown.map((one) => one.text)),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('what is older than the start stands at its beginning', async () => {
    const { text } = await writtenBy(writeBilibiliXml, [danmaku('early', { at: START - 5000 })]);
    expect(parseBilibiliXml(text).comments[0]?.atMs).toBe(0);
  });

  it.each([
    ['an open element', '<i><d></i>'],
    ['a bare ampersand', '<i>a & b</i>'],
    ['a control character', '<i>\u0001</i>'],
    ['a lone surrogate', '<i>\ud800</i>'],
    ['two roots', '<i></i><i></i>'],
    ['an attribute twice', '<i a="1" a="2"></i>'],
    ['no root', ''],
  ])('the scanner itself notices %s', (_, xml) => {
    expect(() => scanXml(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`)).toThrow();
  });
});

describe('JSON Lines', () => {
  // eslint-disable-next-line no-control-regex
  const allowed = text.map((one) =>
    one.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f]/g, ''),
  );
  const sayable = allowed.filter((one) => one.trim() !== '' && one.length <= 1000);

  it('a line has t in seconds and what was said', async () => {
    const one = danmaku('弹', { user: { id: 'u1' as UserId }, data: { a: 1 } });
    const { text } = await writtenBy(writeJsonLines, [one, danmaku('x', { at: START - 1 })]);
    expect(text.split('\n')).toEqual([
      '{"t":1.5,"id":"1a-7","kind":"danmaku","user":{"id":"u1"},"text":"弹","data":{"a":1}}',
      '{"t":-0.001,"id":"1a-7","kind":"danmaku","text":"x"}',
      '',
    ]);
  });

  it('what was written is read again, however it is cut into chunks', async () => {
    const source = fc.array(recorded(sayable), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(source, fc.integer({ min: 1, max: 50 }), async (said, size) => {
        const { text, counts } = await writtenBy(writeJsonLines, said);
        expect(counts.written).toBe(said.length);
        const chunks = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? [];
        expect(await all(readJsonLines(chunks, START))).toEqual(said);
      }),
      { numRuns: 300 },
    );
  });

  it('empty lines, other line ends and a missing last one are fine', async () => {
    const line = '{"t":2,"id":"a","kind":"danmaku"}';
    const back = await all(readJsonLines([`${line}\r\n\n${line}`], START));
    expect(back.map(({ at }) => at)).toEqual([START + 2000, START + 2000]);
  });

  it.each([
    ['{"t":1', 'line 2', 'JSON'],
    ['[]', 'line 2', 'type object'],
    ['{"id":"a","kind":"x"}', 'line 2: t', 'required'],
    ['{"t":"1","id":"a","kind":"x"}', 'line 2: t', 'type number'],
    ['{"t":1e11,"id":"a","kind":"x"}', 'line 2: t', 'maximum'],
    ['{"t":1,"id":"a","kind":"X"}', 'line 2: kind', 'pattern'],
    ['{"t":1,"id":"a","kind":"x","count":0}', 'line 2: count', 'minimum 1'],
    ['{"t":1,"id":"a","kind":"x","style":{"mode":"up"}}', 'line 2: style.mode', 'one of'],
    ['{"t":1,"id":"a","kind":"x","user":{"id":"a b"}}', 'line 2: user.id', 'pattern'],
    ['{"t":1,"id":"a","kind":"x","text":"\\u0007"}', 'line 2: text', 'no control characters'],
    ['{"t":1,"id":"a","kind":"x","text":"\\ud800"}', 'line 2: text', 'well-formed'],
    ['{"t":1,"id":"a","kind":"x","at":1}', 'line 2: at', 'no unknown field'],
    ['{"t":1,"id":"a","kind":"x","__proto__":{}}', 'line 2: __proto__', 'no unknown field'],
    [`${'['.repeat(60_000)}`, 'line 2', 'JSON'],
    ['x'.repeat(JSON_LINE_CHARACTERS_MAX + 1), 'line 2', 'maxLength'],
    [`${'x'.repeat(JSON_LINE_CHARACTERS_MAX + 1)}\n`, 'line 2', 'maxLength'],
  ])(
    'a bad line %# is refused with its place, those before it are given',
    async (bad, field, rule) => {
      const reading = readJsonLines([`{"t":1,"id":"a","kind":"x"}\n${bad}`], START);
      expect((await reading.next()).value).toMatchObject({ at: START + 1000 });
      const error = await reading.next().then(
        () => undefined,
        (reason: unknown) => reason as BarrageError,
      );
      expect(error).toBeInstanceOf(BarrageError);
      expect(error?.field).toBe(field);
      expect(error?.rule).toContain(rule);
    },
  );
});

describe('chunks', () => {
  it.each([
    ['Bilibili XML', writeBilibiliXml],
    ['JSON Lines', writeJsonLines],
  ])('%s of a long source come in small chunks while it is read', async (_, writer) => {
    let read = 0;
    async function* source(): AsyncGenerator<Recorded> {
      for (; read < 5000; read++) yield await Promise.resolve(danmaku(`danmaku ${read}`));
    }
    const writing = writer(source(), START);
    const first = await writing.next();
    expect(read).toBeLessThan(500);
    const rest = await all(writing);
    for (const chunk of [first.value as string, ...rest]) expect(chunk.length).toBeLessThan(20_000);
    expect(rest.length).toBeGreaterThan(10);
  });
});
