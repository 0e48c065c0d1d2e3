/** What every bus must do, whatever carries it: the port's comments and the B rules as tests. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import type { Bus } from '../../src/ports/bus.js';

export interface BusBounds {
  readonly items: number;
  readonly bytes: number;
}

export interface OpenedBus {
  readonly bus: Bus;
  /** Errors of subscribers the bus reported. */
  readonly faults: readonly unknown[];
  readonly close: () => Promise<void>;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => Buffer.from(value);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof BarrageError ? error.code : String(error);
}

export function busContract(name: string, open: (bounds?: BusBounds) => Promise<OpenedBus>): void {
  describe(`${name} as a bus`, () => {
    let opened: OpenedBus;
    let bus: Bus;
    const reopen = async (bounds?: BusBounds) => {
      await opened.close();
      opened = await open(bounds);
      bus = opened.bus;
    };
    beforeEach(async () => {
      opened = await open();
      bus = opened.bus;
    });
    afterEach(() => opened.close());
    /** Everything delivered on the subject from now on. */
    const listen = (subject: string) => {
      const got: string[] = [];
      const cancel = bus.subscribe(subject, (each) => got.push(text(each)));
      return { got, cancel: () => cancel.cancel() };
    };

    it('B-1 publishes of one publisher on one subject arrive in order, after its turn', async () => {
      const one = listen('s.1');
      const two = listen('s.1');
      const sent = Array.from({ length: 500 }, (_, i) => String(i));
      for (const each of sent) expect(bus.publish('s.1', bytes(each))).toBe('sent');
      expect(one.got).toEqual([]);
      await vi.waitFor(() => expect(two.got).toHaveLength(500));
      expect(one.got).toEqual(sent);
      expect(two.got).toEqual(sent);
    });

    it('B-1 what a subscriber publishes arrives later, never in the middle of its own delivery', async () => {
      const order: string[] = [];
      let delivering = false;
      bus.subscribe('s', (each) => {
        expect(delivering).toBe(false);
        delivering = true;
        if (text(each) === 'first') bus.publish('s', bytes('third'));
        order.push(text(each));
        delivering = false;
      });
      bus.publish('s', bytes('first'));
      bus.publish('s', bytes('second'));
      await vi.waitFor(() => expect(order).toHaveLength(3));
      expect(order).toEqual(['first', 'second', 'third']);
      expect(opened.faults).toEqual([]);
    });

    it('B-1 subjects are apart, and one nobody hears takes publishes without keeping them', async () => {
      const here = listen('a');
      const there = listen('a.b');
      expect(bus.publish('nobody', bytes('lost'))).toBe('sent');
      bus.publish('a', bytes('1'));
      bus.publish('a.b', bytes('2'));
      const late = listen('nobody');
      bus.publish('nobody', bytes('heard'));
      await vi.waitFor(() => expect(late.got).toEqual(['heard']));
      await vi.waitFor(() => expect([here.got, there.got]).toEqual([['1'], ['2']]));
    });

    it('B-1 a subscriber that throws stops no other and no later delivery', async () => {
      bus.subscribe('s', () => {
        throw new Error('mine alone');
      });
      const { got } = listen('s');
      bus.publish('s', bytes('1'));
      bus.publish('s', bytes('2'));
      await vi.waitFor(() => expect(got).toEqual(['1', '2']));
      expect(opened.faults.map(String)).toEqual(['Error: mine alone', 'Error: mine alone']);
    });

    it('B-1 a cancelled subscriber hears nothing more, also when cancelled by the one before it', async () => {
      const second = { cancel: () => undefined as void };
      const heard: string[] = [];
      const first = bus.subscribe('s', () => second.cancel());
      const after = bus.subscribe('s', (each) => heard.push(text(each)));
      second.cancel = () => after.cancel();
      const third = listen('s');
      bus.publish('s', bytes('1'));
      await vi.waitFor(() => expect(third.got).toEqual(['1']));
      expect(heard).toEqual([]);
      first.cancel();
      first.cancel();
      third.cancel();
      const fresh = listen('s');
      bus.publish('s', bytes('2'));
      await vi.waitFor(() => expect(fresh.got).toEqual(['2']));
      expect(third.got).toEqual(['1']);
    });

    it('B-1 bytes arrive as they were handed over: none, every value, many', async () => {
      const got: Uint8Array[] = [];
      bus.subscribe('s', (each) => got.push(each));
      const sent = [0, 1, 256, 300_000, 2].map((length) =>
        Buffer.from(Array.from({ length }, (_, i) => i & 255)),
      );
      for (const each of sent) expect(bus.publish('s', each)).toBe('sent');
      await vi.waitFor(() => expect(got).toHaveLength(sent.length));
      expect(sent.map((each, i) => each.equals(got[i]!))).toEqual(sent.map(() => true));
    });

    it('B-1 one that subscribes or cancels during a delivery is heeded from the next one on', async () => {
      const order: string[] = [];
      const first = bus.subscribe('s', (each) => {
        order.push(`a${text(each)}`);
        first.cancel();
        bus.subscribe('s', (next) => order.push(`b${text(next)}`));
      });
      const end = listen('s');
      bus.publish('s', bytes('1'));
      await vi.waitFor(() => expect(end.got).toEqual(['1']));
      bus.publish('s', bytes('2'));
      await vi.waitFor(() => expect(order).toEqual(['a1', 'b2']));
      expect(end.got).toEqual(['1', '2']);
    });

    it('B-2 over its bound in items the answer is full, and not any more once they are delivered', async () => {
      await reopen({ items: 10, bytes: 1 << 20 });
      const { got } = listen('s');
      const answers = Array.from({ length: 12 }, (_, i) => bus.publish('s', bytes(String(i))));
      expect(answers).toEqual([...new Array(10).fill('sent'), 'full', 'full']);
      await vi.waitFor(() => expect(got).toHaveLength(10));
      expect(bus.publish('s', bytes('10'))).toBe('sent');
      await vi.waitFor(() => expect(got.at(-1)).toBe('10'));
    });

    it('B-2 over its bound in bytes the answer is full', async () => {
      await reopen({ items: 1000, bytes: 100 });
      const { got } = listen('s');
      expect(bus.publish('s', Buffer.alloc(60))).toBe('sent');
      expect(bus.publish('s', Buffer.alloc(41))).toBe('full');
      expect(bus.publish('s', Buffer.alloc(40))).toBe('sent');
      await vi.waitFor(() => expect(got).toHaveLength(2));
    });

    it('B-2 requests that wait are bounded in items and bytes too', async () => {
      await reopen({ items: 2, bytes: 100 });
      let finish = () => undefined as void;
      const gate = new Promise<void>((resolve) => (finish = resolve));
      bus.serve('slow', async (asked) => {
        await gate;
        return asked;
      });
      const big = bus.request('slow', Buffer.alloc(90), 5000);
      expect(await codeOf(bus.request('slow', Buffer.alloc(11), 5000))).toBe('bus_full');
      const small = bus.request('slow', Buffer.alloc(10), 5000);
      expect(await codeOf(bus.request('slow', Buffer.alloc(0), 5000))).toBe('bus_full');
      finish();
      expect((await Promise.all([big, small])).map(({ length }) => length)).toEqual([90, 10]);
      expect(await bus.request('slow', Buffer.alloc(100), 5000)).toHaveLength(100);
    });

    it('B-3 a request is answered by the one server of its subject', async () => {
      const server = bus.serve('sum', async (asked) => bytes(`${text(asked)}!`));
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((each) => bus.request('sum', bytes(each), 5000)),
      );
      expect(answers.map(text)).toEqual(['a!', 'b!', 'c!']);
      server.cancel();
      bus.serve('sum', async () => bytes('new'));
      server.cancel();
      expect(text(await bus.request('sum', bytes('d'), 5000))).toBe('new');
    });

    it('B-3 a request nobody serves is rejected bus_down, a late one timeout', async () => {
      expect(await codeOf(bus.request('nobody', bytes('x'), 5000))).toBe('bus_down');
      bus.serve('never', () => new Promise(() => undefined));
      expect(await codeOf(bus.request('never', bytes('x'), 20))).toBe('timeout');
    });

    it('B-3 a subject has one server in a process, and none once it is cancelled', async () => {
      const server = bus.serve('one', async (asked) => asked);
      expect(() => bus.serve('one', async (asked) => asked)).toThrow(/served already/);
      expect(await bus.request('one', bytes('abc'), 5000)).toHaveLength(3);
      server.cancel();
      expect(await codeOf(bus.request('one', bytes('x'), 5000))).toBe('bus_down');
    });

    it('B-3 a server may ask others, and answers may overtake each other', async () => {
      bus.serve('inner', async (asked) => bytes(`<${text(asked)}>`));
      bus.serve('outer', async (asked) => bus.request('inner', asked, 5000));
      let finish = () => undefined as void;
      const gate = new Promise<void>((resolve) => (finish = resolve));
      bus.serve('slow', async (asked) => {
        if (text(asked) === 'first') await gate;
        return asked;
      });
      const order: string[] = [];
      const note = (answer: Uint8Array) => order.push(text(answer));
      const first = bus.request('slow', bytes('first'), 5000).then(note);
      await bus.request('slow', bytes('second'), 5000).then(note);
      finish();
      await first;
      expect(order).toEqual(['second', 'first']);
      expect(text(await bus.request('outer', bytes('x'), 5000))).toBe('<x>');
    });

    it('B-3 a server that rejects or throws reaches the asker as internal', async () => {
      bus.serve('rejects', async () => {
        throw new BarrageError('not_found', 'no such room');
      });
      bus.serve('throws', () => {
        throw new Error('at once');
      });
      expect(await codeOf(bus.request('rejects', bytes('x'), 5000))).toBe('internal');
      expect(await codeOf(bus.request('throws', bytes('x'), 5000))).toBe('internal');
    });

    it('B-4 after drain everything handed over has been delivered and further work is refused', async () => {
      const { got } = listen('s');
      const replies: string[] = [];
      bus.serve('echo', async (asked) => asked);
      bus.subscribe('s', () => {
        if (got.length === 3) replies.push(bus.publish('s', bytes('more')));
      });
      const changes: boolean[] = [];
      bus.onChange((isUp) => changes.push(isUp));
      bus.onChange(() => changes.push(true)).cancel();
      for (const each of ['1', '2', '3']) bus.publish('s', bytes(each));
      const asked = bus.request('echo', bytes('?'), 5000);
      expect(bus.isUp()).toBe(true);
      await bus.drain();
      expect(got).toEqual(['1', '2', '3']);
      expect(replies).toEqual(['down']);
      expect(text(await asked)).toBe('?');
      expect(bus.isUp()).toBe(false);
      expect(changes).toEqual([false]);
      expect(bus.publish('s', bytes('4'))).toBe('down');
      expect(await codeOf(bus.request('echo', bytes('?'), 5000))).toBe('bus_down');
      await bus.drain();
      expect(got).toHaveLength(3);
    });
  });
}
