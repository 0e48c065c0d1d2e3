/** Tables of the machines behind targets: aims and cohorts, frames with targets, tags, labels, deliveries. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AudienceIndex } from '../../edge/audience-index.js';
import { Aims, isMeant, type Viewing } from '../../edge/core/aim.js';
import type { Identity } from '../../edge/identity.js';
import type { Seat } from '../../edge/slice.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { encodeTarget, parseTarget, splitLogged, type Target } from '../../src/target.js';
import { decodeEnvelope, encodeFrame, type FrameEnvelope } from '../../src/wire/envelope.js';
import { encodeLogged, parsePublication } from '../../src/wire/publication.js';
import type { Publication } from '../../src/words.js';
import { openOffsetIn, runsOf } from '../../room/frame-runs.js';
import { LabelIndex } from '../../room/studio/label-index.js';
import { TAGGED_USERS_MAX, TagBook } from '../../room/core/tag-book.js';
import { checkTarget, targetOf } from '../../room/powers/targets.js';
import { Deliveries, parseDeliveries } from '../../room/studio/deliveries.js';
import { ManualClock } from '../kit/manual-clock.js';

const user = (id: string) => id as UserId;
const viewing = (account: string | undefined, tags: string[], device?: string): Viewing => ({
  account: account as UserId | undefined,
  device,
  cohort: { tags: new Set(tags) },
});
const meant = (to: Target, who: Viewing) => isMeant(new Aims().read(encodeTarget(to)), who);

describe('aims', () => {
  it.each<[string, Target, Viewing, boolean]>([
    ['a user', { users: [user('a')] }, viewing('a', []), true],
    ['another user', { users: [user('a')] }, viewing('b', []), false],
    ['a guest of that name', { users: [user('a')] }, viewing(undefined, []), false],
    ['a device', { devices: ['tv'] }, viewing(undefined, [], 'tv'), true],
    ['another device', { devices: ['tv'] }, viewing('a', [], 'phone'), false],
    ['no device', { devices: ['tv'] }, viewing('tv', []), false],
    ['one of both', { users: [user('a')], devices: ['tv'] }, viewing('b', [], 'tv'), true],
    ['tags', { tags: 'vip' }, viewing('a', ['vip']), true],
    ['other tags', { tags: 'vip' }, viewing('a', ['vi']), false],
    ['a negation', { tags: '!vip' }, viewing(undefined, []), true],
    ['user and tags', { users: [user('a')], tags: 'vip' }, viewing('a', ['vip']), true],
    ['user without tags', { users: [user('a')], tags: 'vip' }, viewing('a', []), false],
    ['tags of another', { users: [user('a')], tags: 'vip' }, viewing('b', ['vip']), false],
  ])('E-SCOPE-1 %s', (_, to, who, expected) => {
    expect(meant(to, who)).toBe(expected);
  });

  it.each([
    ['vip && !muted', ['vip'], true],
    ['vip && !muted', ['vip', 'muted'], false],
    ['vip || (host && level3)', ['host', 'level3'], true],
    ['vip || (host && level3)', ['host'], false],
    ['!(a && b)', ['a'], true],
    ['!(a && b)', ['a', 'b'], false],
  ])('E-SCOPE-1 expression %s for %j', (tags, given, expected) => {
    const to = targetOf({ kind: 'x', to: { tags } }, 'high')!;
    expect(meant(to, viewing('u', given))).toBe(expected);
  });

  it.each(['', 'null', '{', '{"users":"a"}', '{"users":["a b"]}', '{"tags":"(("}', '{"tags":1}'])(
    'E-SCOPE-1 a target that cannot be read means nobody: %s',
    (text) => {
      const aim = new Aims().read(text);
      for (const who of [viewing('a', ['vip'], 'tv'), viewing(undefined, [])]) {
        expect(isMeant(aim, who)).toBe(false);
      }
    },
  );

  it('E-SCOPE-2 an expression is looked at once a cohort, however many viewers and frames', () => {
    const aims = new Aims();
    const index: AudienceIndex = new AudienceIndex(() => seats);
    const seats: Seat[] = Array.from({ length: 3000 }, (_, i) =>
      seatOf(index, `u${i}`, [`t${i % 3}`, 'x']),
    );
    expect(index.cohorts).toBe(3);
    for (let frame = 0; frame < 20; frame++) {
      // Written differently, yet the same expression.
      const tags = frame % 2 === 0 ? 't1 && x' : '(x)&&t1';
      const aim = aims.read(encodeTarget(targetOf({ kind: 'x', to: { tags } }, 'high')!));
      expect(seats.filter((seat) => isMeant(aim, seat.viewing))).toHaveLength(1000);
    }
    expect(aims.evaluations).toBe(3);
    for (const seat of seats) index.remove(seat);
    expect(index.cohorts).toBe(0);
  });

  it('E-IDLE-1 who is meant by name is found though nobody was until then, and who comes and goes', () => {
    const seats: Seat[] = [];
    const index = new AudienceIndex(() => seats);
    for (let i = 0; i < 100; i++) seats.push(seatOf(index, `u${i}`, []));
    const aim = new Aims().read(encodeTarget({ users: [user('u7'), user('late')] }));
    expect([...index.named(aim)!]).toEqual([seats[7]]);
    const late = seatOf(index, 'late', []);
    expect([...index.named(aim)!]).toEqual([seats[7], late]);
    index.remove(seats[7]!);
    index.setTags(user('late'), ['vip']);
    expect([...index.named(aim)!]).toEqual([late]);
    expect([...late.viewing.cohort.tags]).toEqual(['vip']);
  });

  it("R-SCOPE-3 a studio's tags stand beside the token's and go again", () => {
    const index = new AudienceIndex(() => []);
    index.replaceTags([[user('a'), ['vip']]]);
    const a = seatOf(index, 'a', ['own']);
    const b = seatOf(index, 'b', []);
    const tagsOf = (seat: Seat) => [...seat.viewing.cohort.tags].sort();
    expect([tagsOf(a), tagsOf(b)]).toEqual([['own', 'vip'], []]);
    index.setTags(user('b'), ['own', 'vip']);
    expect(b.viewing.cohort).toBe(a.viewing.cohort);
    index.replaceTags([]);
    expect([tagsOf(a), tagsOf(b)]).toEqual([['own'], []]);
    expect(index.cohorts).toBe(2);
  });
});

describe('wire', () => {
  const head = {
    ...{ room: 'r' as RoomId, class: 'keep' as const, epoch: 2, tick: 3, offset: 9 },
    ...{ online: 1, shed: 0, admission: 1 },
  };

  it('E-SCOPE-7 a frame for some carries its target behind its line, and says from where', () => {
    const target = encodeTarget({ users: [user('阿')], tags: 'vip' });
    const bytes = encodeFrame({ ...head, from: 7, target }, ['{"id":"a"}', '{"id":"弹"}']);
    const frame = decodeEnvelope(bytes) as FrameEnvelope;
    expect(frame.target).toBe(target);
    expect(JSON.parse(frame.json.toString())).toMatchObject({ offset: 9, from: 7 });
    expect(frame.json.toString()).not.toContain('阿');
    expect(frame.publication(1).toString()).toBe('{"id":"弹"}');
    const open = decodeEnvelope(encodeFrame({ ...head, from: 9 }, [])) as FrameEnvelope;
    expect([open.target, open.json.includes('from')]).toEqual([undefined, false]);
  });

  it('E-SCOPE-7 a frame whose target is cut off or of the wrong kind is refused, never for everyone', () => {
    const target = encodeTarget({ users: [user('a')] });
    const bytes = encodeFrame({ ...head, target }, ['{"id":"a"}']);
    expect(() => decodeEnvelope(bytes.subarray(0, bytes.length - target.length))).toThrow('length');
    const asOpen = Buffer.from(bytes);
    asOpen[1] = 1;
    expect(() => decodeEnvelope(asOpen)).toThrow('length');
    const half = decodeEnvelope(bytes.subarray(0, bytes.length - 3)) as FrameEnvelope;
    expect(isMeant(new Aims().read(half.target!), viewing('a', []))).toBe(false);
  });

  it("R-SCOPE-9 the log holds the target beside the publication's text, whatever is in either", () => {
    const texts = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(texts, fc.json(), (text, data) => {
        const publication: Publication = {
          ...{ id: 'i', kind: 'k', lane: 'high', at: 1, offset: 2, text },
          data: JSON.parse(data),
        };
        const open = encodeLogged(publication);
        expect(splitLogged(open)).toEqual({ json: open, target: undefined });
        const to = { users: [user('u')], validMs: 5 };
        const logged = encodeLogged({ ...publication, to });
        expect(splitLogged(logged)).toEqual({ json: open, target: encodeTarget(to) });
        expect(parsePublication(logged).to).toEqual(to);
      }),
    );
    expect(parsePublication('{"id":"i"}\nrubbish').to).toEqual({ users: [] });
    expect(parseTarget('[]')).toEqual([]);
  });

  it('R-SCOPE-10 texts are cut into runs with one target each, and the newest open offset is found', () => {
    const logged = ['a', 'b\nX', 'c\nX', 'd\nY', 'e', 'f'];
    expect(runsOf(logged)).toEqual([
      { at: 0, texts: ['a'], target: undefined },
      { at: 1, texts: ['b', 'c'], target: 'X' },
      { at: 3, texts: ['d'], target: 'Y' },
      { at: 4, texts: ['e', 'f'], target: undefined },
    ]);
    const at = (from: number, texts: string[]) => texts.map((text, i) => [from + i, text] as const);
    expect(openOffsetIn([], 1)).toBe(0);
    expect(openOffsetIn(at(5, ['a', 'b\nX', 'c\nX']), 8)).toBe(5);
    expect(openOffsetIn(at(5, ['a\nX', 'b\nX', 'c\nX']), 8)).toBe(4);
    expect(openOffsetIn([...at(5, ['a', 'b\nX']), [0, 'drop']], 7)).toBe(5);
  });
});

describe('targets', () => {
  it.each([
    [{ users: [] }, {}, 'to.users', 'minItems 1'],
    [{}, {}, 'to', 'users, devices or tags'],
    [{ tags: 'a &&' }, {}, 'to.tags', /position 4/],
    [{ tags: 'a' }, { reliable: true }, 'reliable', /together with/],
    [{ tags: 'a' }, { validMs: 5000 }, 'validMs', /acknowledged/],
    [{ users: [user('a')] }, { validMs: 1 }, 'validMs', '1000-3600000'],
    [{ devices: Array(101).fill('d') }, {}, 'to.devices', 'maxItems 100'],
  ])('R-SCOPE-1 %j %j is refused by field and rule', (to, more, field, rule) => {
    let error: unknown;
    try {
      checkTarget({ kind: 'x', to, ...more });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'invalid', field });
    expect((error as { rule: string }).rule).toMatch(rule);
  });

  it('R-ACK-1 what is keepable and names users or devices is to be acknowledged, unless told', () => {
    const to = { users: [user('a'), user('a')], tags: ' b && a ' };
    expect(targetOf({ kind: 'x', to }, 'high')).toEqual({
      ...{ users: ['a'], tags: 'a&&b', validMs: 60_000 },
    });
    expect(targetOf({ kind: 'x', to, validMs: 2000 }, 'control')?.validMs).toBe(2000);
    expect(targetOf({ kind: 'x', to }, 'low')?.validMs).toBeUndefined();
    expect(targetOf({ kind: 'x', to, reliable: true }, 'low')?.validMs).toBe(60_000);
    expect(targetOf({ kind: 'x', to, reliable: false }, 'high')?.validMs).toBeUndefined();
    expect(targetOf({ kind: 'x', to: { tags: 'a' } }, 'high')?.validMs).toBeUndefined();
    expect(targetOf({ kind: 'x' }, 'high')).toBeUndefined();
  });

  it("R-SCOPE-4 a room's tags are bounded in users, tags and bytes", () => {
    const book = new TagBook();
    expect(book.refusal(user('a'), Array(33).fill('t'))).toMatch('32 tags');
    for (let i = 0; i < TAGGED_USERS_MAX; i++) book.set(user(`u${i}`), ['t']);
    expect(book.refusal(user('one-more'), ['t'])).toMatch(`${TAGGED_USERS_MAX} users`);
    expect(book.refusal(user('u1'), ['t', 's'])).toBeUndefined();
    book.set(user('u1'), []);
    expect(book.refusal(user('one-more'), ['t'])).toBeUndefined();
    const wide = new TagBook();
    const tags = Array.from({ length: 32 }, (_, i) => `${i}`.padEnd(64, 'x'));
    let users = 0;
    while (wide.refusal(user(`u${users}`), tags) === undefined) wide.set(user(`u${users++}`), tags);
    expect(users).toBeGreaterThan(100);
    expect(JSON.stringify(wide.all).length).toBeLessThan(256 * 1024);
    expect(wide.page('', 2)).toMatchObject({ isWhole: false });
  });
});

describe('labels', () => {
  it('R-SCOPE-5 zones follow what is set, also while the store is read', async () => {
    const clock = new ManualClock();
    const stored = new Map<string, string[]>();
    for (let i = 0; i < 450; i++) stored.set(`r${1000 + i}`, i % 2 === 0 ? ['even'] : []);
    const index = new LabelIndex();
    const ids = [...stored.keys()].sort() as RoomId[];
    const epochOf = () => 7;
    const isRead = () => index.unread(epochOf).length === 0;
    const reading = index.read(
      {
        epochOf,
        list: async (after, limit) => ids.filter((id) => id > after).slice(0, limit),
        labelsOf: async (room) => {
          // Changed after it was read from the store and before the answer came.
          if (room === 'r1002') index.set('r1002' as RoomId, ['odd']);
          return stored.get(room);
        },
      },
      clock,
    );
    expect(isRead()).toBe(false);
    for (let i = 0; i < 2000 && !isRead(); i++) {
      clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reading;
    expect(index.of('even')).toHaveLength(224);
    expect(index.of('odd')).toEqual(['r1002']);
    index.set('r1002' as RoomId, []);
    expect(index.of('odd')).toEqual([]);
  });

  it('R-SCOPE-5 past its bound the index says it is not whole', () => {
    const index = new LabelIndex(2);
    for (const room of ['a', 'b', 'c']) index.set(room as RoomId, ['z']);
    expect([index.of('z'), index.isWhole]).toEqual([['a', 'b'], false]);
  });
});

describe('deliveries', () => {
  const counts = (delivered: number, acked: number) => ({
    ...{ delivered, acked, resent: 0, givenUp: 0 },
  });

  it('R-ACK-4 the numbers of all edges are summed up, the newest of each, bounded', () => {
    const deliveries = new Deliveries(2);
    deliveries.track('p1', { users: [user('a'), user('b')] });
    deliveries.take('e1', 'p1', counts(1, 0));
    deliveries.take('e1', 'p1', counts(2, 1));
    deliveries.take('e2', 'p1', counts(1, 1));
    deliveries.take('e2', 'unknown', counts(1, 1));
    expect(deliveries.view('p1')).toEqual({ id: 'p1', targets: 2, ...counts(3, 2) });
    expect(deliveries.view('unknown')).toBeUndefined();
    deliveries.track('p2', { tags: 'x' });
    deliveries.track('p3', { tags: 'x' });
    expect(deliveries.view('p1')).toBeUndefined();
    expect(deliveries.view('p3')?.targets).toBe(0);
  });

  it.each([null, 1, {}, { edge: 'e' }, { edge: 'e', items: [['r', 'i', { delivered: -1 }]] }])(
    'R-ACK-4 a report that is none is not believed: %j',
    (value) => expect(parseDeliveries(value)).toBeUndefined(),
  );
});

function seatOf(index: AudienceIndex, id: string, tags: string[]): Seat {
  const identity: Identity = {
    ...{ user: { id: user(id) }, role: 'member', tags, device: undefined, expiresAt: Infinity },
  };
  const seat = { identity, viewing: index.viewing(identity) } as unknown as Seat;
  index.add(seat);
  return seat;
}
