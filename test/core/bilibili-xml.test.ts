import { describe, expect, it } from 'vitest';
import { replayItems } from '../../src/cli/replay-items.js';
import { styleOf } from '../../src/formats/bilibili-style.js';
import {
  decodeEntities,
  parseBilibiliXml,
  wordsOf,
  type BilibiliComment,
} from '../../src/formats/bilibili-xml.js';

function d(text: string, { at = '1', mode = '1', user = 'abc' } = {}): string {
  return `<d p="${at},${mode},25,16777215,1340982043,0,${user},104120892">${text}</d>`;
}

function file(...elements: readonly string[]): string {
  const head =
    '<?xml version="1.0" encoding="UTF-8"?><i><chatserver>c</chatserver><chatid>1</chatid>';
  return `${head}${elements.join('\n')}</i>`;
}

function textsOf(xml: string): string[] {
  return parseBilibiliXml(xml).comments.map((comment) => comment.text);
}

describe('reading', () => {
  it('O-4 a comment has time, mode, size, colour, user and text', () => {
    const xml = file('<d p="345.70001220703,5,18,255,1342886241,0,D05e20f1,112645432">我去！</d>');
    expect(parseBilibiliXml(xml)).toEqual({
      comments: [
        { atMs: 345_700, mode: 5, size: 18, color: 255, user: 'D05e20f1', text: '我去！' },
      ],
      broken: 0,
    });
  });

  it('O-4 comments are ordered by time, those of the same time as in the file', () => {
    const xml = file(
      d('c', { at: '9' }),
      d('a', { at: '0.5' }),
      d('b1', { at: '2' }),
      d('b2', { at: '2' }),
    );
    expect(textsOf(xml)).toEqual(['a', 'b1', 'b2', 'c']);
  });

  it.each([
    ['&amp;lt; &lt;b&gt; &quot;x&quot; &apos;', '&lt; <b> "x" \''],
    ['&#24377;&#x5E55; &#x1F600;', '弹幕 😀'],
    ['&#xD800; &#1114112; &#0;', '\ufffd \ufffd \u0000'],
    ['&unknown; & &; &#; &#x; &toString;', '&unknown; & &; &#; &#x; &toString;'],
    ['a\r\nb\rc', 'a\nb\nc'],
  ])('O-4 entities and line ends: %j', (text, expected) => {
    expect(decodeEntities(text)).toBe(expected);
    expect(textsOf(file(d(text)))).toEqual([expected]);
  });

  it.each([
    ['raw markup characters', d('1 < 2 > 0 <b>x</b> <3'), ['1 < 2 > 0 <b>x</b> <3']],
    ['CDATA', d('x<![CDATA[<d p="">&amp;</d>]]>&amp;'), ['x<d p="">&amp;</d>&']],
    ['control characters', d('a\u0000\u001b[2Jb'), ['a\u0000\u001b[2Jb']],
    ['a tag with more attributes', "<d id='>' p = '1,1,25,0,0,0,u,1' >x</d >", ['x']],
    ['an XML comment', `<!-- ${d('hidden')} -->${d('seen')}`, ['seen']],
    ['elements that only begin like it', `<data>q</data><div>q</div>${d('x')}`, ['x']],
    ['an empty element', '<d p="1,1,25,0,0,0,u,1"/>', ['']],
    ['nothing', '', []],
  ])('O-4 %s is read as it is', (_, xml, expected) => {
    expect(parseBilibiliXml(xml)).toMatchObject({ broken: 0 });
    expect(textsOf(xml)).toEqual(expected);
  });

  it.each([
    ['no p', '<d>x</d>'],
    ['an empty p', '<d p="">x</d>'],
    ['too few parts', '<d p="1,1,25,16777215">x</d>'],
    ['no user', '<d p="1,1,25,0,0,0,,1">x</d>'],
    ['a time that is none', '<d p="soon,1,25,0,0,0,u,1">x</d>'],
    ['a time below 0', '<d p="-1,1,25,0,0,0,u,1">x</d>'],
    ['an infinite time', '<d p="1e999,1,25,0,0,0,u,1">x</d>'],
    ['an unknown mode', '<d p="1,10,25,0,0,0,u,1">x</d>'],
    ['a colour out of range', '<d p="1,1,25,16777216,0,0,u,1">x</d>'],
    ['a broken size', '<d p="1,1,2.5,0,0,0,u,1">x</d>'],
    ['another attribute that ends in p', '<d xp="1,1,25,0,0,0,u,1">x</d>'],
    ['no end before the next', '<d p="1,1,25,0,0,0,u,1">x'],
  ])('O-4 an element with %s is passed over and counted', (_, element) => {
    const { comments, broken } = parseBilibiliXml(file(d('before'), element, d('after')));
    expect(broken).toBe(1);
    expect(comments.map(({ text }) => text)).toEqual(['before', 'after']);
  });

  it.each([
    '<d ',
    '<d p="1,1',
    '<d p="1,1,25,0,0,0,u,1">x',
    `${d('a')}<d p="1,1,25,0,0,0,u,1"><![CDATA[`,
  ])('O-4 a file that breaks off is read up to there: %j', (xml) => {
    const { comments, broken } = parseBilibiliXml(xml);
    expect(comments.length).toBeLessThanOrEqual(1);
    expect(broken).toBe(1);
  });

  it('O-4 reading takes time linear in the length, whatever is in it', () => {
    for (const part of [
      '<d p="1,1,25,0,0,0,u,1">',
      '<d ',
      '<![CDATA[',
      '<!--',
      '</d',
      '&#',
      '<d p="',
    ]) {
      const started = performance.now();
      parseBilibiliXml(part.repeat(200_000));
      expect(performance.now() - started, part).toBeLessThan(3000);
    }
  });
});

describe('as danmaku', () => {
  const comment: BilibiliComment = { atMs: 0, mode: 1, size: 25, color: 0, user: 'u', text: 'x' };

  it.each([
    [1, 'scroll'],
    [2, 'scroll'],
    [3, 'scroll'],
    [4, 'bottom'],
    [5, 'top'],
    [6, 'scroll'],
    [7, 'scroll'],
    [8, 'scroll'],
    [9, 'scroll'],
  ])('O-4 mode %i is %s', (mode, expected) => {
    expect(styleOf({ ...comment, mode }).mode).toBe(expected);
  });

  it('O-4 size and colour become what the wire allows', () => {
    expect(styleOf({ ...comment, color: 0xff })).toEqual({
      mode: 'scroll',
      color: '#0000ff',
      size: 25,
    });
    expect(styleOf({ ...comment, size: 1 }).size).toBe(12);
    expect(styleOf({ ...comment, size: 200 }).size).toBe(64);
  });

  it.each([
    ['["0.1","0.2","1-0","5","the words",0,0]', 'the words'],
    ['["0.1","0.2"]', '["0.1","0.2"]'],
    ['[broken', '[broken'],
    ['plain', 'plain'],
    ['[1,2,3,4,5]', '[1,2,3,4,5]'],
  ])('O-4 the words of positioned art are those in its array: %j', (text, expected) => {
    expect(wordsOf({ ...comment, mode: 7, text })).toBe(expected);
    expect(wordsOf({ ...comment, mode: 1, text })).toBe(text);
  });

  it('O-4 what the wire cannot carry is set aside and counted, long texts are not', () => {
    const texts = [
      'fine',
      'bell\u0007',
      ' \n\t ',
      '',
      '\ud800',
      'x'.repeat(9000),
      'y'.repeat(2000),
    ];
    const comments = texts.map((text, index) => ({ ...comment, atMs: 500 + index, text }));
    comments.push({ ...comment, user: 'not a user' });
    const { items, unsendable } = replayItems(comments);
    expect(items.map(({ text }) => text.slice(0, 4))).toEqual(['fine', 'yyyy']);
    expect(items.map(({ atMs }) => atMs)).toEqual([0, 6]);
    expect(unsendable).toBe(6);
  });
});
