/** Who is in a room, decided: tables of single reports, and a world of edges that lose and lie late. */
import { describe, expect, it } from 'vitest';
import {
  agrees,
  dropEdge,
  memberPage,
  openPresence,
  presenceDueAt,
  stepPresence,
  takeChanges,
  takeCount,
  takeList,
  takePresenceEvents,
  takeSketch,
  usersOf,
  type PresenceState,
} from '../../room/core/presence.js';
import type { UserId } from '../../src/ids.js';
import { SetDigest } from '../../src/sketch/set-digest.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { hashUser } from '../../src/sketch/user-hash.js';
import {
  decodePresenceAsk,
  decodePresenceReport,
  presentUser,
  speakerOf,
  type PresentUser,
} from '../../src/wire/presence.js';

const LINGER = 5000;

function at(now: number, presenceMax = 100) {
  return { now, presenceMax, presenceLingerMs: LINGER };
}

function row(id: string, connections = 1): PresentUser {
  return [id as UserId, connections];
}

function fresh(members: readonly (readonly [UserId, number])[] = [], until = 0): PresenceState {
  return openPresence({ unique: new UniqueCount(), members, until });
}

/** What was told since the last look: `+user`, `-user`, or what is kept. */
function told(state: PresenceState): string[] {
  return takePresenceEvents(state).map((event) => {
    if (event.what === 'enter') return `+${event.user.id}`;
    return event.what === 'leave' ? `-${event.user.id}` : event.what;
  });
}

function digestOf(...rows: readonly PresentUser[]): string {
  const digest = new SetDigest();
  for (const [id, connections] of rows) digest.toggle(id, connections);
  return digest.text;
}

describe('coming and going', () => {
  it('R-PRES-1 a user comes once however many connections on however many edges', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann'), row('bob')], at(0));
    takeChanges(state, 'one', [row('ann', 3)], at(1));
    takeChanges(state, 'two', [row('ann', 2)], at(2));
    expect(told(state)).toEqual(['+ann', '+bob']);
    expect(usersOf(state)).toBe(2);
    expect(state.members.get('ann' as UserId)).toMatchObject({ since: 0, connections: 5 });
  });

  it('R-PRES-2 it goes when its last connection anywhere has been gone for the linger', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann')], at(0));
    takeChanges(state, 'two', [row('ann')], at(0));
    takeChanges(state, 'one', [row('ann', 0)], at(1000));
    stepPresence(state, at(50_000));
    expect(told(state)).toEqual(['+ann']);
    takeChanges(state, 'two', [row('ann', 0)], at(60_000));
    expect(presenceDueAt(state, at(60_000))).toBe(60_000 + LINGER);
    stepPresence(state, at(60_000 + LINGER - 1));
    expect(told(state)).toEqual([]);
    expect(usersOf(state)).toBe(1);
    stepPresence(state, at(60_000 + LINGER));
    expect(told(state)).toEqual(['-ann']);
    expect(usersOf(state)).toBe(0);
    expect(presenceDueAt(state, at(70_000))).toBe(Infinity);
  });

  it('R-PRES-2 a crowd that goes together is told in portions, everybody once', () => {
    const state = fresh();
    const crowd = Array.from({ length: 1200 }, (_, i) => row(`u${i}`));
    takeChanges(state, 'one', crowd, at(0, 5000));
    expect(told(state)).toHaveLength(1200);
    dropEdge(state, 'one', at(0, 5000));
    const left: string[] = [];
    const portions: number[] = [];
    for (let now = LINGER; ; now = presenceDueAt(state, at(now, 5000))) {
      if (now === Infinity) break;
      stepPresence(state, at(now, 5000));
      const gone = told(state);
      portions.push(gone.length);
      left.push(...gone);
    }
    expect(portions).toEqual([500, 500, 200]);
    expect(new Set(left).size).toBe(1200);
    expect(usersOf(state)).toBe(0);
  });

  it('R-PRES-2 a reconnect within the linger is neither going nor coming', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann')], at(0));
    takeChanges(state, 'one', [row('ann', 0)], at(1000));
    takeChanges(state, 'two', [row('ann')], at(1000 + LINGER - 1));
    stepPresence(state, at(100_000));
    expect(told(state)).toEqual(['+ann']);
    expect(state.members.get('ann' as UserId)?.since).toBe(0);
  });

  it('R-PRES-1 the same report again changes nothing', () => {
    const state = fresh();
    for (let i = 0; i < 3; i++) takeChanges(state, 'one', [row('ann', 2)], at(i));
    expect(told(state)).toEqual(['+ann']);
    expect(state.members.get('ann' as UserId)?.connections).toBe(2);
    for (let i = 0; i < 3; i++) takeChanges(state, 'one', [row('ann', 0), row('nobody', 0)], at(i));
    stepPresence(state, at(2 + LINGER));
    expect(told(state)).toEqual(['-ann']);
    expect(state.shares.size).toBe(0);
  });

  it('R-PRES-3 an edge that is gone takes its users with it, those elsewhere stay', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann'), row('bob')], at(0));
    takeChanges(state, 'two', [row('bob')], at(0));
    expect(dropEdge(state, 'one', at(1000))).toBe(2);
    expect(dropEdge(state, 'one', at(1000))).toBe(0);
    stepPresence(state, at(1000 + LINGER));
    expect(told(state)).toEqual(['+ann', '+bob', '-ann']);
    expect(state.members.get('bob' as UserId)?.connections).toBe(1);
  });
});

describe('what was lost', () => {
  it('R-PRES-3 a digest tells what is known from what is not', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann'), row('bob', 2)], at(0));
    const right = digestOf(row('bob', 2), row('ann'));
    expect(agrees(state, 'one', [2, right], at(0))).toBe(true);
    expect(agrees(state, 'one', [3, right], at(0))).toBe(false);
    expect(agrees(state, 'one', [2, digestOf(row('ann'), row('bob'))], at(0))).toBe(false);
    expect(agrees(state, 'one', [2, digestOf(row('ann'), row('bo', 2))], at(0))).toBe(false);
    expect(agrees(state, 'two', [1, digestOf(row('ann'))], at(0))).toBe(false);
    expect(agrees(state, 'two', [0, digestOf()], at(0))).toBe(true);
  });

  it('R-PRES-3 a list puts right what differs and says how much', () => {
    const state = fresh();
    takeChanges(state, 'one', [row('ann'), row('bob', 2), row('cid')], at(0));
    const list = [row('bob', 1), row('cid'), row('dan')];
    expect(takeList(state, 'one', list, at(1000))).toBe(3);
    expect(takeList(state, 'one', list, at(1000))).toBe(0);
    expect(agrees(state, 'one', [3, digestOf(...list)], at(1000))).toBe(true);
    stepPresence(state, at(1000 + LINGER));
    expect(told(state)).toEqual(['+ann', '+bob', '+cid', '+dan', '-ann']);
  });

  it('R-PRES-3 a digest does not depend on the order and forgets who left', () => {
    const digest = new SetDigest();
    for (const id of ['a', 'b', 'c', 'b']) digest.toggle(id, 1);
    expect(digest.text).toBe(digestOf(row('c'), row('a')));
    expect(digest.text).not.toBe(digestOf(row('a'), row('c', 2)));
    digest.toggle('a', 1);
    digest.toggle('c', 1);
    expect(digest.text).toBe(digestOf());
  });
});

describe('more users than a list is kept of', () => {
  const crowd = (n: number) => Array.from({ length: n }, (_, i) => row(`u${i}`));

  it('R-PRES-5 above the bound only numbers are kept, below it by a margin the list comes back', () => {
    const state = fresh();
    expect(takeChanges(state, 'one', crowd(10), at(0, 10))).toBe(true);
    expect(takeChanges(state, 'one', [row('more')], at(0, 10))).toBe(false);
    expect(told(state).at(-1)).toBe('counts');
    expect([state.members.size, state.places, usersOf(state)]).toEqual([0, 0, 11]);
    expect(takeChanges(state, 'one', [row('other')], at(0, 10))).toBe(false);
    expect(takeCount(state, 'one', 9, at(0, 10))).toBe(true);
    expect(state.kept).toBe('counts');
    expect(takeCount(state, 'two', 1, at(0, 10))).toBe(true);
    expect(usersOf(state)).toBe(10);
    expect(takeCount(state, 'one', 7, at(0, 10))).toBe(false);
    expect(told(state)).toEqual(['list']);
    expect(agrees(state, 'two', [1, ''], at(0, 10))).toBe(false);
    takeList(state, 'two', [row('ann')], at(0, 10));
    expect(told(state)).toEqual(['+ann']);
  });

  it('R-PRES-5 a bound of nobody keeps no list at all', () => {
    const state = fresh();
    expect(takeChanges(state, 'one', [row('ann')], at(0, 0))).toBe(false);
    expect(told(state)).toEqual(['counts']);
    expect(takeCount(state, 'one', 1, at(0, 0))).toBe(true);
    expect(agrees(state, 'one', [2, ''], at(0, 0))).toBe(true);
    expect(usersOf(state)).toBe(2);
    expect(dropEdge(state, 'one', at(0, 0))).toBe(2);
    expect(usersOf(state)).toBe(0);
  });

  it('R-PRES-5 a bound that is changed holds at the next step', () => {
    const state = fresh();
    takeChanges(state, 'one', crowd(10), at(0));
    expect(presenceDueAt(state, at(7, 5))).toBe(0);
    stepPresence(state, at(7, 5));
    expect(state.kept).toBe('counts');
    expect(presenceDueAt(state, at(8, 50))).toBe(0);
    stepPresence(state, at(8, 50));
    expect(state.kept).toBe('list');
  });

  it('R-PRES-5 users on very many edges are bounded too', () => {
    const state = fresh();
    for (let edge = 0; edge < 5; edge++) takeChanges(state, `e${edge}`, crowd(10), at(0, 10));
    expect(state.kept).toBe('counts');
    expect(state.places).toBe(0);
  });

  it('R-PRES-7 different users are counted with a list and without', () => {
    const state = fresh();
    takeChanges(state, 'one', crowd(10), at(0, 10));
    takeChanges(state, 'one', [row('u1', 0), row('u2', 2), row('ann'), row('bob')], at(0, 10));
    expect(state.kept).toBe('counts');
    expect(state.unique.count()).toBe(12);
    const seen = new UniqueCount();
    for (const id of ['ann', 'cid']) seen.add(hashUser(id));
    takeSketch(state, seen.encode());
    expect(state.unique.count()).toBe(13);
    expect(() => takeSketch(state, Buffer.from('no sketch'))).toThrow(/count of unique users/);
    expect(state.unique.count()).toBe(13);
  });
});

describe('after another owner', () => {
  it('R-PRES-4 who is reported again did not come, who is not reported has gone', () => {
    const state = fresh(
      [
        ['ann' as UserId, 100],
        ['bob' as UserId, 200],
      ],
      12_000,
    );
    takeList(state, 'one', [row('ann'), row('cid')], at(1000));
    expect(told(state)).toEqual(['+cid']);
    expect(state.members.get('ann' as UserId)?.since).toBe(100);
    stepPresence(state, at(11_999));
    expect(told(state)).toEqual([]);
    stepPresence(state, at(12_000));
    expect(told(state)).toEqual(['-bob']);
  });
});

it('R-PRES-8 pages follow the ids and hold everybody once', () => {
  const state = fresh();
  const ids = Array.from({ length: 57 }, (_, i) => `u${(i * 31) % 57}`);
  takeChanges(
    state,
    'one',
    ids.map((id) => row(id)),
    at(0),
  );
  const seen: string[] = [];
  for (let after = ''; ; after = seen.at(-1)!) {
    const page = memberPage(state, after, 10);
    seen.push(...page.map(({ user }) => user.id));
    if (page.length < 10) break;
  }
  expect(seen).toEqual([...ids].sort());
});

describe('reports as bytes', () => {
  const good = { edge: 'e', run: 1, seq: 1 };
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

  it('R-PRES-1 what is known of a user travels with it', () => {
    const user = { id: 'ann' as UserId, name: 'Ann', level: 7 };
    expect(speakerOf(presentUser(user, 2))).toEqual(user);
    expect(presentUser({ id: 'bob' as UserId }, 1)).toEqual(['bob', 1]);
    expect(presentUser(user, 0)).toEqual(['ann', 0]);
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['null', bytes(null)],
    ['no edge', bytes({ run: 1, seq: 1 })],
    ['no number', bytes({ edge: 'e', run: 1 })],
    ['a room that is none', bytes({ ...good, changes: [['a b', []]] })],
    ['a user that is none', bytes({ ...good, changes: [['lobby', [['a b', 1]]]] })],
    ['connections below none', bytes({ ...good, changes: [['lobby', [['ann', -1]]]] })],
    ['rows that are none', bytes({ ...good, counts: 7 })],
    ['a number that is none', bytes({ ...good, counts: [['lobby', 'many']] })],
    [
      'a part past the last',
      bytes({ ...good, list: { room: 'lobby', part: 1, parts: 1, users: [] } }),
    ],
    ['a list of null', bytes({ ...good, list: null })],
    ['a digest without rooms', bytes({ ...good, digest: { part: 0, parts: 1 } })],
  ])('R-PRES-3 a report with %s is none', (_, broken) => {
    expect(decodePresenceReport(broken)).toBeUndefined();
  });

  it('R-PRES-3 sound reports and questions are read', () => {
    const report = { ...good, digest: { part: 0, parts: 1, rooms: [['lobby', 2, 'ab']] } };
    expect(decodePresenceReport(bytes(report))).toEqual(report);
    const ask = { shard: 3, digest: true, rooms: [['lobby', 'list']] };
    expect(decodePresenceAsk(bytes(ask))).toEqual(ask);
    expect(decodePresenceAsk(bytes({ shard: 3, rooms: [['lobby', 'all']] }))).toBeUndefined();
    expect(decodePresenceAsk(Buffer.from('?'))).toBeUndefined();
  });
});
