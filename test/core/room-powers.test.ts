/** Which power hears what: kinds, judges in order, time, presence; and the door in front of them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Door, WAITING_MAX } from '../../room/door.js';
import type { Judgement, Power, Settled } from '../../room/powers/power.js';
import { Powers } from '../../room/powers/powers.js';
import { checkInvariants } from '../../room/core/invariants.js';
import { openRoom, takeSettled, type RoomState } from '../../room/core/state.js';
import type { Arrival } from '../../room/core/types.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { silentLog } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS, edgeRules } from '../../src/room-settings.js';

const NOW = 1_000_000;

function said(kind: string, more: Partial<Arrival> = {}): Arrival {
  return { ref: kind, user: { id: 'ann' as UserId }, role: 'member', kind, text: 'hello', ...more };
}

function roomState(): RoomState {
  return openRoom({
    room: 'r' as RoomId,
    epoch: 1,
    status: 'open',
    settings: DEFAULT_SETTINGS,
    mutes: new Map([['mum' as UserId, 0]]),
    bans: new Map([['bad' as UserId, 0]]),
    allowed: new Map(),
    likes: 0,
    now: NOW,
  });
}

const rename = (add: string): Power => ({
  judge: (arrival) => ({ altered: { ...arrival, text: `${arrival.text}${add}` } }),
});

describe('the list of powers', () => {
  it('R-POWER-1 an arrival goes to the power of its kind, and a kind has one power', async () => {
    const powers = new Powers({
      a: { kinds: ['vote'], arrival: () => ({ verdict: 'counted' }) },
      b: { kinds: ['queue'], arrival: () => Promise.resolve({ verdict: 'published' as const }) },
    });
    expect([powers.takes('vote'), powers.takes('queue'), powers.takes('danmaku')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(powers.arrival(said('vote'), NOW)).toEqual({ verdict: 'counted' });
    expect(await powers.arrival(said('queue'), NOW)).toEqual({ verdict: 'published' });
    expect(() => new Powers({ a: { kinds: ['vote'] }, b: { kinds: ['vote'] } })).toThrow('vote');
  });

  it('R-POWER-2 judges see what those before made of it; the first end is the end', async () => {
    const seen: (string | undefined)[] = [];
    const ender: Power = {
      judge: ({ text }) => {
        seen.push(text);
        return { settled: { verdict: 'blocked' } };
      },
    };
    const both = new Powers({ a: rename('1'), b: rename('2') });
    expect(both.judge(said('danmaku'), NOW)).toMatchObject({ altered: { text: 'hello12' } });
    const later: Power = { judge: async (arrival) => rename('!').judge!(arrival, NOW) };
    const chain = new Powers({ a: rename('1'), later, c: rename('2'), ender, d: rename('3') });
    const held = chain.judge(said('danmaku'), NOW);
    expect(held).toBeInstanceOf(Promise);
    expect(await held).toEqual({ settled: { verdict: 'blocked' } });
    expect(seen).toEqual(['hello1!2']);
    expect(new Powers({ a: { judge: () => undefined } }).judge(said('x'), NOW)).toBeUndefined();
  });

  it('R-POWER-2 a judge cannot change whom the verdict goes to, nor who is trusted', () => {
    const liar: Power = {
      judge: (arrival) => ({ altered: { ...arrival, ref: 'other', role: 'host' } }),
    };
    const judged = new Powers({ liar }).judge(said('danmaku'), NOW) as { altered: Arrival };
    expect(judged.altered).toMatchObject({ ref: 'danmaku', role: 'member' });
  });

  it('R-POWER-3 the next step is the earliest wanted, and only who is due steps', () => {
    const stepped: string[] = [];
    const at = (name: string, due: number): Power => ({
      nextAt: () => due,
      step: () => stepped.push(name),
      idle: () => due === Infinity,
    });
    const powers = new Powers({ a: at('a', NOW + 5), b: at('b', NOW), c: at('c', Infinity) });
    expect(powers.nextAt()).toBe(NOW);
    powers.step(NOW);
    expect(stepped).toEqual(['b']);
    expect(powers.isIdle).toBe(false);
    expect(new Powers({ c: at('c', Infinity), d: {} }).isIdle).toBe(true);
  });

  it('R-POWER-4 the edges let the kinds of powers through, guests where a power says so', () => {
    const powers = new Powers({ a: { kinds: ['vote', 'ack'], guestKinds: ['ack'] } });
    const rules = powers.rules(edgeRules(DEFAULT_SETTINGS));
    expect(rules.viewerKinds).toEqual([...DEFAULT_SETTINGS.viewerKinds, 'vote', 'ack']);
    expect(rules).toMatchObject({ powerKinds: ['vote', 'ack'], guestKinds: ['ack'] });
    const plain = edgeRules(DEFAULT_SETTINGS);
    expect(new Powers({}).rules(plain)).toBe(plain);
  });
});

describe('the door', () => {
  let state: RoomState;
  let ends: ReturnType<typeof takeSettled>;

  beforeEach(() => {
    state = roomState();
    ends = [];
  });

  function doorTo(powers: Powers<Record<string, Power>>): Door {
    return new Door({
      state,
      random: seededRandom(1),
      log: silentLog,
      now: () => NOW,
      powers: () => powers as never,
      settled: () => (ends = [...ends, ...takeSettled(state)]),
    });
  }

  function verdicts(): unknown[] {
    ends = [...ends, ...takeSettled(state)];
    return ends.map(({ ref, verdict }) => [ref, verdict]);
  }

  const vote = (arrival: () => Settled | Promise<Settled>, guestKinds: string[] = []) =>
    doorTo(new Powers({ a: { kinds: ['vote'], guestKinds, arrival } as Power }));

  it('R-POWER-5 bans, closing, guests and a quota hold for the kinds of powers too', () => {
    const door = vote(() => ({ verdict: 'counted' }));
    door.take(said('vote', { ref: 1, user: { id: 'bad' as UserId } }), NOW);
    door.take(said('vote', { ref: 2, role: 'guest' }), NOW);
    door.take(said('vote', { ref: 3, user: { id: 'mum' as UserId } }), NOW);
    const taps = DEFAULT_SETTINGS.userBurst * 5;
    for (let i = 0; i <= taps; i++) door.take(said('vote', { ref: 10 + i }), NOW);
    state.status = 'frozen';
    door.take(said('vote', { ref: 4 }), NOW);
    state.status = 'closed';
    door.take(said('vote', { ref: 5, role: 'host' }), NOW);
    const all = new Map(verdicts() as [number, string][]);
    expect([1, 2, 3, 9 + taps, 10 + taps, 4, 5].map((ref) => all.get(ref))).toEqual([
      ...['banned', 'forbidden', 'counted', 'counted', 'rate_limited', 'frozen', 'closed'],
    ]);
    expect(checkInvariants(state)).toEqual([]);
  });

  it('R-POWER-5 guests act where a power lets them', () => {
    const door = vote(() => ({ verdict: 'counted' }), ['vote']);
    door.take(said('vote', { role: 'guest' }), NOW);
    expect(verdicts()).toEqual([['vote', 'counted']]);
  });

  it('R-POWER-6 what waits for a power is bounded, ends once, and a failure is unavailable', async () => {
    const answers: ((settled: Settled) => void)[] = [];
    const door = vote(() => new Promise<Settled>((resolve) => answers.push(resolve)));
    for (let i = 0; i <= WAITING_MAX; i++) {
      door.take(said('vote', { ref: i, user: { id: `u${i}` as UserId } }), NOW);
    }
    expect(door.waiting).toBe(WAITING_MAX);
    expect(verdicts()).toEqual([[WAITING_MAX, 'overloaded']]);
    answers[0]!({ verdict: 'counted' });
    await Promise.resolve();
    door.close();
    answers[1]!({ verdict: 'counted' });
    await Promise.resolve();
    const all = verdicts();
    expect(all.slice(1, 3)).toEqual([
      [0, 'counted'],
      [1, 'unavailable'],
    ]);
    expect(all).toHaveLength(WAITING_MAX + 1);
    expect(checkInvariants(state)).toEqual([]);
    const broken = vote(() => {
      throw new Error('no');
    });
    broken.take(said('vote', { ref: 'x', user: { id: 'eve' as UserId } }), NOW);
    const rejecting = vote(() => Promise.reject(new Error('no')));
    rejecting.take(said('vote', { ref: 'y', user: { id: 'eve' as UserId } }), NOW);
    await new Promise((resolve) => setImmediate(resolve));
    expect(verdicts().slice(-2)).toEqual([
      ['x', 'unavailable'],
      ['y', 'unavailable'],
    ]);
  });

  it('R-POWER-2 a danmaku held by a judge is admitted, changed or ended when the judge is done', async () => {
    const answers: ((judged: Judgement) => void)[] = [];
    const judge = () => new Promise<Judgement>((resolve) => answers.push(resolve));
    const door = doorTo(new Powers({ a: { judge } }));
    door.take(said('danmaku', { ref: 1 }), NOW);
    door.take(said('danmaku', { ref: 2 }), NOW);
    door.take(said('danmaku', { ref: 3, user: { id: 'mum' as UserId } }), NOW);
    expect(verdicts()).toEqual([[3, 'muted']]);
    expect(answers).toHaveLength(2);
    answers[0]!({ altered: said('danmaku', { ref: 1, text: 'other' }) });
    answers[1]!({ settled: { verdict: 'blocked' } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(verdicts().slice(1)).toEqual([[2, 'blocked']]);
    expect(state.lanes.normal.entries.map(({ said: { text } }) => text)).toEqual(['other']);
    expect(checkInvariants(state)).toEqual([]);
  });
});
