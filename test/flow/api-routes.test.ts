/** The studio API's good ways over real HTTP: rooms, publications, users, limits, tokens. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/room-settings.js';
import type { ViewerClaims } from '../../src/tokens.js';
import { startApiKit, type ApiKit } from '../kit/api.js';

let kit: ApiKit;
beforeAll(async () => {
  kit = await startApiKit();
});
afterAll(() => kit.end());

async function room(name: string): Promise<string> {
  const made = await kit.call('POST', '/v1/rooms', { room: name });
  expect(made.status).toBe(201);
  return `/v1/rooms/${name}`;
}

describe('rooms', () => {
  it('A-3 a room is created, read, changed and closed', async () => {
    const spec = { room: 'show', title: '直播', labels: ['zone:eu'], limits: { slowModeMs: 3000 } };
    const made = await kit.call('POST', '/v1/rooms', spec);
    expect(made.status).toBe(201);
    expect(made.headers.get('location')).toBe('/v1/rooms/show');
    expect(made.body).toMatchObject({ room: 'show', title: '直播', status: 'open', online: 0 });
    const again = await kit.call('POST', '/v1/rooms', spec);
    expect([again.status, again.body.error.code]).toEqual([409, 'conflict']);
    const changed = await kit.call('PATCH', '/v1/rooms/show', { status: 'frozen', title: 'b' });
    expect(changed.body).toMatchObject({ title: 'b', status: 'frozen', labels: ['zone:eu'] });
    expect((await kit.call('GET', '/v1/rooms/show')).body).toEqual(changed.body);
    const closed = await kit.call('DELETE', '/v1/rooms/show');
    expect([closed.status, closed.body.status]).toEqual([200, 'closed']);
    const late = await kit.call('PATCH', '/v1/rooms/show', { title: 'c' });
    expect([late.status, late.body.error.code]).toEqual([409, 'closed']);
    const none = await kit.call('GET', '/v1/rooms/nowhere');
    expect([none.status, none.body.error.code]).toEqual([404, 'not_found']);
  });

  it('A-3 rooms are listed page by page, each once', async () => {
    for (let i = 0; i < 7; i++) await room(`list-${i}`);
    const seen: string[] = [];
    let after = 'list';
    for (let pages = 0; pages < 10; pages++) {
      const { status, body } = await kit.call('GET', `/v1/rooms?after=${after}&limit=3`);
      expect(status).toBe(200);
      expect(body.rooms.length).toBeLessThanOrEqual(3);
      seen.push(...body.rooms.map((each: { room: string }) => each.room));
      if (body.next === undefined) break;
      after = body.next;
    }
    const listed = seen.filter((name) => name.startsWith('list-'));
    expect(listed).toEqual(Array.from({ length: 7 }, (_, i) => `list-${i}`));
  });

  it('A-3 stats tell the audience, the queues and the ends of danmaku', async () => {
    const at = await room('counted');
    await kit.call('POST', `${at}/publications`, { kind: 'notice', text: 'one' });
    const { body } = await kit.call('GET', `${at}/stats`);
    expect(body).toMatchObject({ room: 'counted', epoch: 1, offset: 1, received: 1, admission: 1 });
    expect(body.queued).toEqual({ control: 0, high: 0, normal: 0, low: 0 });
    expect(body.verdicts).toEqual({ published: 1 });
  });
});

describe('publications', () => {
  it('A-4 a post answers with the fate of the publication', async () => {
    const at = await room('posts');
    const draft = {
      kind: 'gift',
      user: { id: 'u1', name: '小明', level: 7 },
      text: '🎁 x3',
      style: { mode: 'top', color: '#ff0000', size: 25 },
      data: { gift: { n: 3 } },
    };
    const { status, body } = await kit.call('POST', `${at}/publications`, draft);
    expect(status).toBe(200);
    const fate = { verdict: 'published', lane: 'high', class: 'keep', epoch: 1, offset: 1 };
    expect(body).toEqual({ id: 'posts-1', ...fate });
    expect(kit.calls.asked.at(-1)).toEqual({ room: 'posts', draft, key: undefined });
    const light = await kit.call('POST', `${at}/publications`, { kind: 'chat', text: 'hi' });
    expect(light.body).toEqual({
      ...{ id: 'posts-2', verdict: 'published', lane: 'normal', class: 'drop' },
    });
  });

  it('R-KEEP-5 a repeat gets the first answer, whatever the order of its fields', async () => {
    const at = await room('repeats');
    const headers = { 'idempotency-key': 'order-66' };
    const one = { kind: 'notice', text: 'once', data: { a: 1, b: [{ y: 1, x: 2 }] } };
    const turned = { data: { b: [{ x: 2, y: 1 }], a: 1 }, text: 'once', kind: 'notice' };
    const first = await kit.call('POST', `${at}/publications`, one, headers);
    const second = await kit.call('POST', `${at}/publications`, turned, headers);
    expect(second.body).toEqual({ ...first.body, repeated: true });
    const other = { ...one, data: { a: 1, b: [{ y: 2, x: 1 }] } };
    const third = await kit.call('POST', `${at}/publications`, other, headers);
    expect([third.status, third.body.error.code]).toEqual([422, 'idempotency_mismatch']);
    const { room: name, ...same } = { room: 'repeats', key: 'order-66', ...one };
    const batch = { publications: [{ room: name, ...same }] };
    const fourth = await kit.call('POST', '/v1/publications:batch', batch);
    expect(fourth.body.results).toEqual([{ ok: true, ...first.body, repeated: true }]);
  });

  it('A-4 a batch answers each in its own place, in order for each room', async () => {
    await room('batch-a');
    await room('batch-b');
    await room('batch-c');
    await kit.call('DELETE', '/v1/rooms/batch-c');
    kit.calls.asked.length = 0;
    kit.calls.verdicts.set('full', { verdict: 'overloaded', retryAfterMs: 1500 });
    const publications = [
      { room: 'batch-a', kind: 'notice', text: '1' },
      { room: 'batch-a', kind: 'notice', text: '\ud800' },
      { room: 'batch-b', kind: 'notice', text: '2' },
      { room: 'batch-c', kind: 'notice', text: '3' },
      { room: 'nowhere', kind: 'notice', text: '4' },
      { room: 'batch-a', kind: 'Notice' },
      { room: 'batch-a', kind: 'full' },
      { room: 'batch-a', kind: 'notice', text: '5', extra: 1 },
      7,
      { room: 'batch-a', kind: 'notice', text: '6' },
    ];
    const { status, body } = await kit.call('POST', '/v1/publications:batch', { publications });
    expect(status).toBe(200);
    const short = body.results.map((each: any) =>
      each.ok ? [each.verdict, each.offset] : [each.error.code, each.error.field],
    );
    expect(short).toEqual([
      ['published', 1],
      ['invalid', 'text'],
      ['published', 1],
      ['closed', undefined],
      ['not_found', undefined],
      ['invalid', 'kind'],
      ['overloaded', undefined],
      ['invalid', 'extra'],
      ['invalid', ''],
      ['published', 2],
    ]);
    expect(body.results[6].error.retryAfterMs).toBe(1500);
    const inA = kit.calls.asked.filter((each) => each.room === 'batch-a');
    expect(inA.map((each) => each.draft.text)).toEqual(['1', undefined, '6']);
    kit.calls.verdicts.clear();
  });

  it('A-4 a batch runs its publications at the same time', async () => {
    await room('wide');
    let atOnce = 0;
    let most = 0;
    kit.calls.before = async (call) => {
      if (call !== 'publish') return;
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
    };
    const publications = Array.from({ length: 100 }, () => ({ room: 'wide', kind: 'notice' }));
    const { body } = await kit.call('POST', '/v1/publications:batch', { publications });
    kit.calls.before = async () => undefined;
    expect(body.results).toHaveLength(100);
    expect(body.results.every((each: { ok: boolean }) => each.ok)).toBe(true);
    expect(most).toBe(100);
  });

  it('A-5 the history follows its cursors in order of offset, with tombstones', async () => {
    const at = await room('past');
    for (let i = 1; i <= 10; i++) {
      await kit.call('POST', `${at}/publications`, { kind: 'notice', text: `n${i}` });
    }
    expect((await kit.call('DELETE', `${at}/publications/past-3`)).status).toBe(204);
    expect((await kit.call('DELETE', `${at}/publications/unknown`)).status).toBe(404);
    const offsets: number[] = [];
    let path = `${at}/publications?from=1&limit=4`;
    for (let pages = 0; pages < 5; pages++) {
      const { body } = await kit.call('GET', path);
      offsets.push(...body.publications.map((each: { offset: number }) => each.offset));
      if (body.next === undefined) break;
      path = `${at}/publications?from=${body.next}&limit=4`;
    }
    expect(offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const { body } = await kit.call('GET', `${at}/publications?from=3&limit=1`);
    expect(body.publications[0]).toMatchObject({ id: 'past-3', kind: 'recalled', offset: 3 });
    expect(body.publications[0].text).toBeUndefined();
    const newest = await kit.call('GET', `${at}/publications?limit=2`);
    expect(newest.body.publications.map((each: { text: string }) => each.text)).toEqual([
      'n9',
      'n10',
    ]);
  });
});

describe('users of a room', () => {
  it.each(['mutes', 'bans', 'allowed'])('A-6 %s are set, listed and lifted', async (kind) => {
    const at = `${await room(`users-${kind}`)}/${kind}`;
    const before = Date.now();
    const timed = await kit.call('PUT', `${at}/${encodeURIComponent('用户/1')}`, {
      ...{ forMs: 60_000, reason: 'spam' },
    });
    expect(timed.status).toBe(200);
    expect(timed.body).toMatchObject({ user: '用户/1', reason: 'spam' });
    expect(timed.body.until).toBeGreaterThanOrEqual(before + 60_000);
    expect(timed.body.until).toBeLessThan(before + 120_000);
    expect((await kit.call('PUT', `${at}/anna`)).body).toEqual({ user: 'anna', until: 0 });
    const until = Date.now() + 5000;
    expect((await kit.call('PUT', `${at}/bob`, { until })).body).toEqual({ user: 'bob', until });
    const first = await kit.call('GET', `${at}?limit=2`);
    expect(first.body.items.map((each: { user: string }) => each.user)).toEqual(['anna', 'bob']);
    const rest = await kit.call('GET', `${at}?limit=2&after=${first.body.next}`);
    expect(rest.body.items).toEqual([timed.body]);
    expect(rest.body.next).toBeUndefined();
    expect((await kit.call('DELETE', `${at}/anna`)).status).toBe(204);
    // Many HTTP libraries name a content type even when there is no body.
    const again = await kit.call('DELETE', `${at}/anna`, '');
    expect([again.status, again.body.error.code]).toEqual([404, 'not_found']);
  });

  it("A-6 a kick is handed to the room with the user's id and the reason", async () => {
    const at = await room('kicked');
    const done = await kit.call('POST', `${at}/kicks`, { user: 'troll', reason: 'enough' });
    expect([done.status, done.body]).toEqual([204, '']);
    expect(kit.calls.kicks).toEqual([{ room: 'kicked', user: 'troll', reason: 'enough' }]);
  });
});

describe('limits', () => {
  it('R-SET-3 a dry run answers with the same differences and changes nothing', async () => {
    const at = `${await room('limited')}/limits`;
    const before = await kit.call('GET', at);
    expect(before.body.own).toEqual({});
    expect(before.body.effective.tickMs).toBe(SETTINGS.tickMs.value);
    const patch = { tickMs: 200, guestsSpeak: true, kinds: { gift: 'control' } };
    const dry = await kit.call('PATCH', `${at}?dryRun=true`, patch);
    expect(dry.body.dryRun).toBe(true);
    expect((await kit.call('GET', at)).body).toEqual(before.body);
    const wet = await kit.call('PATCH', at, patch);
    expect(wet.body.changed).toEqual(dry.body.changed);
    expect(wet.body.changed).toContainEqual({ path: 'tickMs', before: 100, after: 200 });
    expect((await kit.call('GET', at)).body.own).toEqual(patch);
    const back = await kit.call('PATCH', at, { tickMs: null });
    expect(back.body.own).toEqual({ guestsSpeak: true, kinds: { gift: 'control' } });
    expect(back.body.effective.tickMs).toBe(100);
  });

  it('R-SET-4 every setting of the table is refused past its bounds, by path and bound', async () => {
    const at = `${await room('bounded')}/limits`;
    for (const [name, row] of Object.entries(SETTINGS)) {
      const bad =
        row.type === 'flag'
          ? [['yes', 'type boolean or null']]
          : row.type === 'choice'
            ? [['sometimes', 'one of off, on, auto, null']]
            : [
                [row.min - 1, `minimum ${row.min}`],
                [row.max + 1, `maximum ${row.max}`],
              ];
      for (const [value, rule] of bad) {
        const { status, body } = await kit.call('PATCH', at, { tickMs: 500, [name]: value });
        expect([name, status, body.error?.field, body.error?.rule]).toEqual([
          ...[name, 400, name, rule],
        ]);
      }
    }
    expect((await kit.call('GET', at)).body.own).toEqual({});
  });
});

describe('tokens', () => {
  it('T-1 a token made by the API verifies and ends when it says', async () => {
    const asked = { user: 'u-9', name: 'Nine', level: 3, rooms: ['show'], tags: ['vip'] };
    const { status, body } = await kit.call('POST', '/v1/tokens', { ...asked, ttlMs: 60_000 });
    expect(status).toBe(200);
    const claims = kit.tokens.verify(body.token) as ViewerClaims;
    expect(claims).toEqual({
      ...asked,
      badge: undefined,
      role: 'member',
      expiresAt: body.expiresAt,
    });
    expect(body.expiresAt).toBeGreaterThan(Date.now() + 59_000);
    const guest = await kit.call('POST', '/v1/tokens', { rooms: ['*'] });
    expect(kit.tokens.verify(guest.body.token)).toMatchObject({ role: 'guest', rooms: ['*'] });
    expect(guest.body.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
  });
});
