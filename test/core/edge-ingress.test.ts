/** What arrives on a socket over the quota: refused by its first bytes, or parsed as ever. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sendHead } from '../../edge/core/send-head.js';
import { Ingress, type IngressOut } from '../../edge/ingress.js';
import { COMMANDS_BURST } from '../../src/limits.js';
import type { Command } from '../../src/wire/schema.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Notes everything that comes out of an ingress. */
class Outs implements IngressOut {
  isOpen = true;
  readonly commands: Command[] = [];
  readonly replies: Record<string, unknown>[] = [];
  readonly refused: Record<string, unknown>[] = [];
  readonly counts = { broken: 0, over_quota: 0 };
  ended = false;
  readonly ingress = new Ingress(this);

  command(command: Command): void {
    this.commands.push(command);
  }
  reply(_name: string, line: string): void {
    this.replies.push(JSON.parse(line) as Record<string, unknown>);
  }
  refusedSend(_verdict: string, line: string): void {
    this.refused.push(JSON.parse(line) as Record<string, unknown>);
  }
  counted(what: 'broken' | 'over_quota'): void {
    this.counts[what]++;
  }
  tooBroken(): void {
    this.ended = true;
  }
}

/** An ingress whose quota is used up. */
function over(): Outs {
  const outs = new Outs();
  for (let i = 0; i < COMMANDS_BURST; i++) outs.ingress.take(bytesOf('{"type":"ping"}'), 1000);
  expect(outs.commands).toHaveLength(COMMANDS_BURST);
  return outs;
}

const roomIds = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const ids = fc.oneof(
  fc.maxSafeInteger(),
  fc.string({ minLength: 1, maxLength: 64 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
);

describe('a send over the quota', () => {
  it('E-IN-9 has one verdict with its room and id, however the id is written', () => {
    fc.assert(
      fc.property(roomIds, ids, fc.string({ unit: 'grapheme' }), (room, id, text) => {
        fc.pre(typeof id === 'number' || id.isWellFormed());
        fc.pre(typeof id === 'number' || id.length <= 64);
        const outs = over();
        outs.ingress.take(bytesOf(JSON.stringify({ type: 'send', room, id, text })), 1000);
        const verdict = 'rate_limited';
        expect(outs.refused).toEqual([
          { type: 'verdict', room, id, verdict, retryAfterMs: expect.any(Number) },
        ]);
        expect(outs.replies).toEqual([]);
        expect(outs.counts).toEqual({ broken: 0, over_quota: 1 });
      }),
    );
  });

  it('E-IN-9 whatever head is found means in JSON what its bytes say', () => {
    const rooms = fc.constantFrom('lobby', 'a_-9', '', 'a b', '\\u0061', '弹');
    const usual = fc.constant('","id":');
    const betweens = fc.oneof(usual, fc.constantFrom('", "id":', '","id": ', '","x":1,"id":'));
    const pieces = fc.constantFrom('"', '\\', '0', '17', '.5', 'e3', '-', 'a', ' ', '\u0007', '弹');
    const forms = fc
      .tuple(fc.array(pieces, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([all, isText]) => (isText ? `"${all.join('')}"` : all.join('')));
    const tails = fc.constantFrom('', ',"text":"x"', ' ', ',');
    let found = 0;
    fc.assert(
      fc.property(fc.tuple(rooms, betweens, forms, tails), ([room, between, id, tail]) => {
        const bytes = bytesOf(`{"type":"send","room":"${room}${between}${id}${tail}}`);
        const head = sendHead(bytes);
        if (head === undefined) return;
        found++;
        const named = new TextDecoder().decode(bytes.subarray(head.from, head.to));
        const told = JSON.parse(`{${named}}`) as { room: string; id: string | number };
        expect(JSON.stringify(told)).toBe(`{${named}}`);
        expect(told.room).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      }),
      { numRuns: 5000 },
    );
    expect(found).toBeGreaterThan(10);
  });

  it('E-IN-9 in other forms is parsed, and answered once all the same', () => {
    const outs = over();
    const send = (rest: string) => outs.ingress.take(bytesOf(rest), 1000);
    send('{"id":7,"type":"send","room":"lobby","text":"x"}');
    send(' {"type":"send","room":"lobby","id":8}');
    send('{"type":"send","room":"lobby","id":1e2}');
    send('{"type":"send","room":"lobby","id":"a\\u0062"}');
    send('{"type":"send","room":"lobby","id":"弹"}');
    expect(outs.refused.map(({ id }) => id)).toEqual([7, 8, 100, 'ab', '弹']);
    expect(outs.replies).toEqual([]);
  });

  it('E-IN-9 of a message of many lines each send has its verdict', () => {
    const outs = over();
    const line = (id: number) => `{"type":"send","room":"lobby","id":${id},"text":"x"}`;
    outs.ingress.take(bytesOf(`${line(1)}\n${line(2)}\n${line(3)}`), 1000);
    expect(outs.refused.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it('W-7 over the quota too: what is not UTF-8 is no send, and 20 in a row are the end', () => {
    const outs = over();
    const bytes = bytesOf('{"type":"send","room":"lobby","id":1,"text":"xx"}');
    bytes[bytes.length - 3] = 0xff;
    for (let i = 0; i < 20; i++) outs.ingress.take(bytes, 1000);
    expect(outs.refused).toEqual([]);
    expect(outs.counts.broken).toBe(20);
    expect(outs.ended).toBe(true);
  });

  it('E-IN-9 within the quota every send is read', () => {
    const outs = new Outs();
    outs.ingress.take(bytesOf('{"type":"send","room":"lobby","id":1,"text":"x"}'), 1000);
    outs.ingress.take(bytesOf('{"type":"send","room":"lobby","id":2,"text":"\\u0007"}'), 1000);
    expect(outs.commands).toMatchObject([{ type: 'send', id: 1 }]);
    expect(outs.refused).toMatchObject([{ id: 2, verdict: 'invalid', field: 'text' }]);
  });

  it('E-IN-9 a closed connection is answered nothing', () => {
    const outs = over();
    outs.isOpen = false;
    outs.ingress.take(bytesOf('{"type":"send","room":"lobby","id":1,"text":"x"}'), 1000);
    expect(outs.refused).toEqual([]);
    expect(outs.counts.over_quota).toBe(0);
  });
});
