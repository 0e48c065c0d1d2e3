/** The small machines that keep a flood of refusals and reads from those who watch. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Answers, type Answered } from '../../edge/answers.js';
import { FewMap } from '../../edge/few-map.js';
import { LightQuery } from '../../edge/light-query.js';
import { catchUp, runAfter, runSoon } from '../../src/adapters/loop-turns.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import { ManualClock } from '../kit/manual-clock.js';

class Told implements Answered {
  heldLines = '';
  readonly messages: string[] = [];
  constructor(readonly takes: () => void = () => undefined) {}

  tellHeld(): void {
    if (this.heldLines === '') return;
    this.messages.push(this.heldLines);
    this.heldLines = '';
    this.takes();
  }

  get lines(): string[] {
    return this.messages.flatMap((message) => message.split('\n'));
  }
}

/** Telling takes time here, which a manual clock lets pass only when asked. */
class SlowClock implements Clock {
  readonly inner = new ManualClock();
  tookMs = 0;
  readonly waits: number[] = [];

  now(): number {
    return this.inner.now() + this.tookMs;
  }

  after(ms: number, run: () => void): Cancel {
    this.waits.push(ms);
    return this.inner.after(ms, run);
  }

  every(ms: number, run: () => void): Cancel {
    return this.inner.every(ms, run);
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe('answers', () => {
  it('E-UP-1 a few refusals are told at once, each as its own message', () => {
    const clock = new ManualClock();
    const answers = new Answers(clock);
    const viewer = new Told();
    for (const line of numbers(10)) answers.tell(viewer, line, clock.now());
    expect(viewer.messages).toEqual(numbers(10));
    expect(answers.waiting).toBe(0);
  });

  it('E-UP-1 of a flood all are told once and in order, many as one message', () => {
    const clock = new ManualClock();
    const answers = new Answers(clock);
    const viewers = [new Told(), new Told(), new Told()];
    const lines = numbers(3000);
    for (const [i, line] of lines.entries()) {
      for (const viewer of viewers) answers.tell(viewer, line, clock.now());
      if (i % 100 === 99) clock.advance(10);
    }
    clock.advance(1000);
    for (const viewer of viewers) {
      expect(viewer.lines).toEqual(lines);
      expect(viewer.messages.length).toBeLessThan(400);
    }
    expect(answers.waiting).toBe(0);
  });

  it('E-UP-1 what waits of one viewer is bounded, and the end tells the rest', () => {
    const clock = new ManualClock();
    const answers = new Answers(clock);
    const viewer = new Told();
    const line = 'x'.repeat(100);
    for (let i = 0; i < 500; i++) {
      answers.tell(viewer, line, clock.now());
      expect(viewer.heldLines.length).toBeLessThanOrEqual(8192);
    }
    answers.stop();
    expect(viewer.lines).toHaveLength(500);
  });

  it('E-UP-2 the dearer the telling, the longer the interval, up to a quarter of a second', () => {
    const clock = new SlowClock();
    const answers = new Answers(clock);
    const viewers = Array.from({ length: 600 }, () => new Told(() => (clock.tookMs += 0.01)));
    const flood = () => {
      for (const viewer of viewers) answers.tell(viewer, 'no', clock.now());
    };
    flood();
    clock.inner.advance(25);
    expect(clock.waits.at(-1)).toBeGreaterThan(60);
    const dear = viewers.map(() => new Told(() => (clock.tookMs += 1)));
    for (const viewer of dear) answers.tell(viewer, 'no', clock.now());
    clock.inner.advance(300);
    expect(clock.waits.at(-1)).toBe(250);
    expect(dear.every(({ lines }) => lines.length === 1)).toBe(true);
  });
});

describe('turns of the loop', () => {
  const busyFor = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end;) catchUp();
  };

  it('E-UP-3 what falls due in a long turn is run in it, once, the failing apart', async () => {
    const ran: string[] = [];
    const cancelled = runAfter(1, () => ran.push('cancelled'));
    runAfter(5, () => ran.push('timer'));
    runSoon(() => ran.push('soon'));
    cancelled.cancel();
    busyFor(40);
    expect(ran.sort()).toEqual(['soon', 'timer']);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(ran).toHaveLength(2);
  });

  it('E-UP-3 in a short turn everything is left to the loop, in its order', async () => {
    const ran: string[] = [];
    runSoon(() => ran.push('soon'));
    runAfter(10, () => ran.push('timer'));
    catchUp();
    expect(ran).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(ran).toEqual(['soon', 'timer']);
  });
});

it('E-IDLE-1 a map of few is a map', () => {
  const step = fc.tuple(
    fc.constantFrom('set', 'delete'),
    fc.integer({ min: 0, max: 3 }),
    fc.integer(),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const few = new FewMap<number, number>();
      const map = new Map<number, number>();
      for (const [what, key, value] of steps) {
        if (what === 'set') {
          few.set(key, value);
          map.set(key, value);
        } else {
          few.delete(key);
          map.delete(key);
        }
        expect([few.size, few.get(key), few.has(key)]).toEqual([
          map.size,
          map.get(key),
          map.has(key),
        ]);
        expect(new Map(few.entries())).toEqual(map);
      }
    }),
  );
});

it('E-POLL-4 a query is read as the platform reads it', () => {
  const piece = fc.constantFrom(
    'room',
    'token',
    'cursor',
    '=',
    '&',
    '%20',
    '+',
    'a',
    '弹',
    '1.2.3',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      for (const name of ['room', 'token', 'cursor', 'a']) {
        expect(new LightQuery(text).get(name)).toBe(new URLSearchParams(text).get(name));
      }
    }),
  );
});
