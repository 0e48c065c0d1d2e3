/** What viewers send is decoded without ever throwing, and nothing passes that the schema refuses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_BYTES_MAX, DATA_DEPTH_MAX } from '../../src/limits.js';
import {
  contentFlaw,
  decodeCommand,
  decodeDanmakuBody,
  decodeText,
  isBroken,
} from '../../src/wire/commands.js';

const send = { type: 'send', room: 'lobby', id: 1, text: '好' };
const line = (more: object) => JSON.stringify({ ...send, ...more });

/** `field rule` of a refusal, or the type of what was accepted. */
function outcome(text: string): string {
  const decoded = decodeCommand(text);
  return isBroken(decoded) ? `${decoded.field} ${decoded.rule}` : decoded.type;
}

/** What the schema and the content rules promise of anything accepted. */
function checkAccepted(value: object): void {
  const command = value as Record<string, unknown>;
  const known = ['type', 'room', 'id', 'kind', 'text', 'style', 'data', 'token', 'since'];
  for (const key of Object.keys(command)) expect(known).toContain(key);
  if (command['room'] !== undefined) expect(command['room']).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  if (command['text'] !== undefined) {
    expect((command['text'] as string).isWellFormed()).toBe(true);
    expect([...(command['text'] as string)].length).toBeLessThanOrEqual(1000);
    expect((command['text'] as string).trim()).not.toBe('');
  }
  const data = JSON.stringify(command['data'] ?? null);
  expect(Buffer.byteLength(data)).toBeLessThanOrEqual(DATA_BYTES_MAX);
  expect(Object.getPrototypeOf(command)).toBe(Object.prototype);
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('decoding', () => {
  it.each([
    ['', ' JSON'],
    ['{', ' JSON'],
    ['null', ' a JSON object'],
    ['[]', ' a JSON object'],
    ['"send"', ' a JSON object'],
    ['{}', 'type required'],
    ['{"type":7}', 'type required'],
    ['{"type":"shout"}', 'type one of join, leave, send, ack, receive, report, ping'],
    ['{"type":"constructor"}', 'type one of join, leave, send, ack, receive, report, ping'],
    ['{"type":"__proto__"}', 'type one of join, leave, send, ack, receive, report, ping'],
    ['{"type":"ping"}', 'ping'],
    ['{"type":"ping","at":1}', 'at no unknown field'],
    ['{"type":"ping","broken":true}', 'broken no unknown field'],
    ['{"type":"join"}', 'room required'],
    ['{"type":"join","room":"lobby"}', 'join'],
    ['{"type":"join","room":"lobby","since":{"epoch":1}}', 'since.offset required'],
    ['{"type":"join","room":"lobby","since":{"epoch":-1,"offset":0}}', 'since.epoch minimum 0'],
    [
      '{"type":"join","room":"lobby","since":{"epoch":1e400,"offset":0}}',
      'since.epoch type integer',
    ],
    [line({}), 'send'],
    [line({ id: '' }), 'id minLength 1'],
    [line({ id: 1.5 }), 'id type string'],
    [line({ text: 7 }), 'text type string'],
    [line({ text: 'x'.repeat(1001) }), 'text maxLength 1000'],
    [line({ style: { size: 65 } }), 'style.size maximum 64'],
    [line({ style: { bold: true } }), 'style.bold no unknown field'],
    [line({ lane: 'control' }), 'lane no unknown field'],
  ])('W-5 %s is %s', (text, expected) => {
    expect(outcome(text)).toBe(expected);
  });

  it('W-5 a broken send keeps its id when it has a usable one', () => {
    expect(decodeCommand(line({ text: 7, id: 'mine' }))).toMatchObject({ id: 'mine' });
    expect(decodeCommand(line({ text: ' ', id: 7 }))).toMatchObject({ id: 7, field: 'text' });
    expect(decodeCommand(line({ id: { a: 1 } }))).not.toHaveProperty('id');
  });

  it('W-5 a __proto__ key is an unknown field and pollutes nothing', () => {
    expect(outcome('{"type":"ping","__proto__":{"x":1}}')).toBe('__proto__ no unknown field');
    const decoded = decodeCommand(
      '{"type":"send","room":"r","id":1,"text":"a","data":{"__proto__":{"polluted":1}}}',
    );
    expect(isBroken(decoded)).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('W-5 very deep input is refused or accepted, never a crash', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    expect(outcome(`{"type":"send","room":"r","id":1,"data":${deep}}`)).toBe('data maxDepth 8');
    expect(outcome(deep)).toBe(' a JSON object');
  });

  it('W-5 any bytes whatever are decoded or refused by name, never thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = decodeText(bytes);
        if (typeof text !== 'string') {
          expect(text.rule).toBe('valid UTF-8');
          return;
        }
        for (const decoded of [decodeCommand(text), decodeDanmakuBody(text)]) {
          if (isBroken(decoded)) expect(decoded.message).toContain(decoded.rule);
          else checkAccepted(decoded);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('W-5 any JSON and any mutation of a good line is decoded or refused, never thrown', () => {
    const good = JSON.stringify({
      ...send,
      kind: 'danmaku',
      style: { mode: 'top', color: '#ff00aa', size: 25 },
      data: { a: [1, { b: null }] },
    });
    const mutated = fc
      .tuple(fc.nat(good.length), fc.nat(12), fc.string({ unit: 'binary', maxLength: 8 }))
      .map(([at, cut, put]) => good.slice(0, at) + put + good.slice(at + cut));
    const shaped = fc
      .record(
        {
          type: fc.oneof(fc.constantFrom('join', 'leave', 'send', 'ping'), fc.jsonValue()),
          room: fc.oneof(fc.constant('lobby'), fc.jsonValue()),
          id: fc.oneof(fc.nat(), fc.jsonValue()),
          text: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
          style: fc.jsonValue(),
          data: fc.jsonValue({ maxDepth: 12 }),
          ['__proto__']: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof(mutated, shaped, fc.json()), (text) => {
        for (const decoded of [decodeCommand(text), decodeDanmakuBody(text)]) {
          if (isBroken(decoded)) expect(decoded.field.length).toBeLessThanOrEqual(80);
          else checkAccepted(decoded);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('text and data', () => {
  it.each([
    ['plain', 'a', undefined],
    ['tab and line feed', 'a\t\nb', undefined],
    ['astral', '😀𠮷', undefined],
    ['blank', ' \t\n\u3000', 'not blank'],
    ['bell', 'a\u0007', 'no control characters'],
    ['carriage return', 'a\r', 'no control characters'],
    ['C1', 'a\u0085', 'no control characters'],
    ['delete', 'a\u007f', 'no control characters'],
    ['escape', '\u001b[31m', 'no control characters'],
    ['lone high surrogate', 'a\ud800', 'well-formed Unicode'],
    ['lone low surrogate', '\udc00b', 'well-formed Unicode'],
  ])('W-6 text: %s', (_, text, rule) => {
    expect(contentFlaw({ text })?.rule).toBe(rule);
  });

  it('W-6 data is at most 1 KiB of JSON', () => {
    const fits = 'é'.repeat((DATA_BYTES_MAX - 2) / 2);
    expect(contentFlaw({ data: fits })).toBeUndefined();
    expect(contentFlaw({ data: `${fits}x` })?.rule).toBe(`maxBytes ${DATA_BYTES_MAX}`);
  });

  it('W-6 data is at most 8 deep', () => {
    expect(contentFlaw({ data: nested(DATA_DEPTH_MAX) })).toBeUndefined();
    expect(contentFlaw({ data: nested(DATA_DEPTH_MAX + 1) })?.rule).toBe('maxDepth 8');
    expect(contentFlaw({ data: [1, nested(DATA_DEPTH_MAX)] })?.rule).toBe('maxDepth 8');
    expect(contentFlaw({ data: null })).toBeUndefined();
  });
});
