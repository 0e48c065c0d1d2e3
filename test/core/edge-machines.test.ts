/** Tables of the edge's small machines: pacer, turns, ring, window, batches, poll answers. */
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Batch, type RoomFrame } from '../../edge/batch.js';
import { KeepRing } from '../../edge/core/keep-ring.js';
import { Pacer } from '../../edge/core/pace.js';
import { pollPublications } from '../../edge/core/poll-answer.js';
import { RecentWindow } from '../../edge/core/recent-window.js';
import { RoomLine, Turns, type Turn } from '../../edge/core/turns.js';
import { deflateLine } from '../../edge/deflate.js';

describe('pace', () => {
  /** Flushes slices of `costMs` as often as the pacer lets, for ten seconds. */
  function run(costMs: number, slices: number, everyMs: number) {
    const pacer = new Pacer(0.7, 0);
    const last = new Array<number>(slices).fill(0);
    const intervals: number[] = [];
    let now = 0;
    let busyMs = 0;
    let due: number[] = [];
    let nextFrame = 0;
    while (now < 10_000) {
      while (nextFrame <= now) {
        for (let slice = 0; slice < slices; slice++) if (!due.includes(slice)) due.push(slice);
        nextFrame += everyMs;
      }
      const waitMs = pacer.waitMs(now);
      if (due.length === 0) now = nextFrame;
      else if (waitMs > 0) now += waitMs;
      else {
        const slice = due[0]!;
        due = due.slice(1);
        intervals.push(now - last[slice]!);
        last[slice] = now;
        now += costMs;
        busyMs += costMs;
        pacer.spend(costMs, now);
      }
    }
    const mean = intervals.reduce((sum, ms) => sum + ms, 0) / intervals.length;
    return { share: busyMs / now, intervalMs: mean };
  }

  it.each([
    // What one flush of a slice costs, how many slices, how often the room sends.
    { costMs: 4, slices: 20, everyMs: 100, wantMs: 80 / 0.7 },
    { costMs: 4, slices: 20, everyMs: 20, wantMs: 80 / 0.7 },
    { costMs: 8, slices: 20, everyMs: 100, wantMs: 160 / 0.7 },
    { costMs: 0.07, slices: 1000, everyMs: 50, wantMs: 70 / 0.7 },
  ])(
    'E-OUT-3 $slices slices of $costMs ms: the interval is a round / share, the share is kept',
    ({ costMs, slices, everyMs, wantMs }) => {
      const { share, intervalMs } = run(costMs, slices, everyMs);
      expect(share).toBeLessThan(0.705);
      expect(share).toBeGreaterThan(0.69);
      expect(intervalMs / wantMs).toBeGreaterThan(0.95);
      expect(intervalMs / wantMs).toBeLessThan(1.05);
    },
  );

  it.each([
    { costMs: 0.1, slices: 1, everyMs: 10 },
    { costMs: 0.07, slices: 40, everyMs: 100 },
  ])(
    'E-OUT-3 while the load fits nothing waits: $slices x $costMs ms',
    ({ costMs, slices, everyMs }) => {
      const { intervalMs } = run(costMs, slices, everyMs);
      expect(Math.abs(intervalMs / everyMs - 1)).toBeLessThan(0.02);
    },
  );

  it('E-OUT-3 a share tuned down holds from then on', () => {
    const pacer = new Pacer(0.7, 0);
    pacer.spend(50, 50);
    pacer.tune(0.1);
    expect(pacer.waitMs(50)).toBeGreaterThan(100);
  });
});

describe('turns', () => {
  const turn = (name: string) =>
    ({ name, line: new RoomLine(), due: 'no', dueAt: 0, notBefore: 0 }) as Turn & { name: string };

  it('E-OUT-2 keepable frames go first, yet every fourth turn is for the others', () => {
    const turns = new Turns<Turn & { name: string }>();
    for (const name of ['d1', 'd2']) turns.add(turn(name), false, 0);
    for (const name of ['k1', 'k2', 'k3', 'k4', 'k5']) turns.add(turn(name), true, 0);
    const order: string[] = [];
    for (let next = turns.next(0); next !== undefined; next = turns.next(0)) order.push(next.name);
    expect(order).toEqual(['k1', 'k2', 'k3', 'd1', 'k4', 'k5', 'd2']);
  });

  it('E-OUT-2 one that waits moves up when a keepable frame comes, and has one turn', () => {
    const turns = new Turns<Turn & { name: string }>();
    const [a, b] = [turn('a'), turn('b')];
    turns.add(a, false, 1);
    turns.add(b, false, 2);
    turns.add(b, true, 3);
    turns.add(b, false, 4);
    expect(turns.next(5)?.name).toBe('b');
    expect(b.dueAt).toBe(2);
    expect(turns.oldest()).toBe(1);
    expect(turns.next(5)?.name).toBe('a');
    expect(turns.next(5)).toBeUndefined();
    expect(turns.nextAt(5)).toBeUndefined();
  });

  it('E-PACE-4 rooms have their turns one after another, each in its own order', () => {
    const turns = new Turns<Turn & { name: string }>();
    const lines = [new RoomLine(), new RoomLine()];
    const of = (name: string, line = lines[0]!) => ({ ...turn(name), line });
    const held = { ...of('a2'), notBefore: 50 };
    for (const each of [of('a1'), held, of('a3'), of('a4'), of('b1', lines[1])]) {
      turns.add(each, false, 0);
    }
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) order.push(turns.next(10)?.name);
    const moved = of('b2', lines[1]);
    turns.add(moved, false, 20);
    turns.add(of('b3', lines[1]), false, 20);
    turns.add(moved, true, 20);
    for (let i = 0; i < 4; i++) order.push(turns.next(60)?.name);
    expect(order).toEqual(['a1', 'b1', 'a3', 'b2', 'a2', 'b3', 'a4']);
    expect(turns.next(60)).toBeUndefined();
    expect(turns.nextAt(60)).toBeUndefined();
  });

  it('E-OUT-2 the least interval holds for droppable frames alone', () => {
    const turns = new Turns<Turn & { name: string }>();
    const [a, b] = [turn('a'), turn('b')];
    a.notBefore = 100;
    b.notBefore = 50;
    turns.add(a, false, 0);
    turns.add(b, false, 0);
    expect(turns.next(10)).toBeUndefined();
    expect(turns.nextAt(10)).toBe(50);
    expect(turns.next(60)?.name).toBe('b');
    turns.add(a, true, 60);
    expect(turns.nextAt(60)).toBe(60);
    expect(turns.next(60)?.name).toBe('a');
    expect(turns.nextAt(60)).toBeUndefined();
  });
});

describe('ring', () => {
  const json = (text: string) => Buffer.from(text);

  it('E-POS-1 the ring is whole, bounded in count and bytes, and answers only whole ranges', () => {
    const ring = new KeepRing(10, { count: 100, bytes: 1000 });
    expect(ring.push(12, json('x'))).toBe(false);
    expect([ring.first, ring.head]).toEqual([11, 10]);
    for (let offset = 11; offset <= 400; offset++) ring.push(offset, json(`"${offset}"`));
    expect([ring.first, ring.head]).toEqual([301, 400]);
    expect(ring.bytes).toBe(500);
    expect(ring.range(300, 400)).toBeUndefined();
    expect(ring.range(399, 401)).toBeUndefined();
    expect(ring.range(399, 400)?.map((kept) => kept.offset)).toEqual([399, 400]);
    expect(ring.range(401, 400)).toEqual([]);
    ring.push(401, Buffer.alloc(900));
    expect(ring.bytes).toBeLessThanOrEqual(1000);
    expect(ring.first).toBe(381);
    ring.replace(390, json('tombstone'));
    ring.replace(1, json('nothing'));
    expect(ring.range(390, 390)?.[0]?.json.toString()).toBe('tombstone');
  });
});

describe('window', () => {
  const shown = (seq: number, offset: number, tick: number) => {
    const json = Buffer.from(`{"id":"${seq}-${offset}"}`);
    return { seq, epoch: 1, tick, offset, json };
  };

  it('E-POS-3 the newest up to a place, bounded, with recalls applied', () => {
    const window = new RecentWindow({ count: 8, bytes: 10_000 });
    for (let seq = 1; seq <= 30; seq++) window.push(shown(seq, seq % 2 === 0 ? seq : 0, seq));
    expect(window.newest(3, 29).map((entry) => entry.seq)).toEqual([27, 28, 29]);
    expect(window.newest(100, 30).length).toBeLessThanOrEqual(10);
    window.recall('28-28', Buffer.from('gone'));
    window.recall('27-0', Buffer.from('gone'));
    window.recall('2', Buffer.from('a prefix of others is not theirs'));
    expect(window.newest(3, 29).map((entry) => entry.json.toString())).toEqual([
      '{"id":"26-26"}',
      'gone',
      '{"id":"29-0"}',
    ]);
  });

  it('E-POLL-3 a poll gets all keepables after its offset and the droppables after its tick', () => {
    const window = new RecentWindow({ count: 100, bytes: 10_000 });
    window.push(shown(1, 5, 3));
    window.push(shown(2, 0, 3));
    window.push(shown(3, 6, 4));
    window.push(shown(4, 0, 4));
    const kept = [4, 5, 6].map((offset) => ({ offset, json: Buffer.from(`kept ${offset}`) }));
    const place = { position: { epoch: 1, offset: 3 }, tick: 3 };
    expect(pollPublications(place, kept, window).map(({ json }) => json.toString())).toEqual([
      'kept 4',
      '{"id":"1-5"}',
      '{"id":"3-6"}',
      '{"id":"4-0"}',
    ]);
  });
});

describe('batch', () => {
  const frame = (seq: number, text: string, isKeep: boolean): RoomFrame => ({
    seq,
    class: isKeep ? 'keep' : 'drop',
    json: Buffer.from(text),
    count: 2,
    cursor: `1.${seq}.${seq}`,
  });

  it('E-OUT-4 each form is made once, whoever asks how often', () => {
    let compressions = 0;
    const batch = new Batch([frame(1, '{"a":1}', true), frame(2, '{"b":2}', false)], () => {
      compressions++;
    });
    const [text] = batch.pack('text').messages;
    expect(text?.toString()).toBe('{"a":1}\n{"b":2}');
    const [packed] = batch.pack('deflate').messages;
    expect(inflateRawSync(packed!).toString()).toBe('{"a":1}\n{"b":2}');
    expect(batch.pack('deflate').messages[0]).toBe(packed);
    expect(compressions).toBe(1);
    expect(batch.pack('text', 'keep').messages[0]?.toString()).toBe('{"a":1}');
    expect(batch.pack('events', 'keep').messages[0]?.toString()).toBe(
      'event: frame\nid: 1.1.1\ndata: {"a":1}\n\n',
    );
    expect([batch.keepCount, batch.dropCount]).toEqual([2, 2]);
  });

  it('E-OUT-2 a long batch is split between frames only', () => {
    const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(200 << 10));
    const batch = new Batch(
      texts.map((text, i) => frame(i + 1, text, true)),
      () => undefined,
    );
    expect(batch.pack('text').messages.map((part) => part.toString())).toEqual(texts);
  });

  it("W-2 the edge's own lines are raw deflate too, short or long", () => {
    for (const line of ['', '{"type":"pong"}', '弹幕'.repeat(50), 'x'.repeat(70_000)]) {
      expect(inflateRawSync(deflateLine(line)).toString()).toBe(line);
    }
  });
});
