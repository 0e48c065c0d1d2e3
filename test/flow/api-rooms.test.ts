/** The studio API over real rooms, in-process bus and store: what a studio gets, end to end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRooms, type RunningRooms } from '../../room/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { silentLog } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import { VERDICTS } from '../../src/verdict.js';
import { request, startApiKit, type ApiKit } from '../kit/api.js';

let rooms: RunningRooms;
let kit: ApiKit;
beforeAll(async () => {
  const clock = new SystemClock();
  const meter = new Meter();
  rooms = await startRooms(
    {
      ...{ member: 'api-test', defaults: DEFAULT_SETTINGS, ensure: [] },
      ...{ leaseMs: 3000, parkAfterMs: 60_000 },
    },
    {
      ...{ bus: new MemoryBus(), store: new MemoryStore(clock), clock, meter },
      ...{ random: seededRandom(1), log: silentLog },
    },
  );
  kit = await startApiKit({}, { calls: rooms.calls, meter });
});
afterAll(async () => {
  await kit.end();
  await rooms.stop();
});

async function room(name: string): Promise<string> {
  const made = await kit.call('POST', '/v1/rooms', { room: name, title: 'T', labels: ['a'] });
  expect([made.status, made.body.title]).toEqual([201, 'T']);
  return `/v1/rooms/${name}`;
}

describe('real rooms', () => {
  it('A-3 a room is made, changed, listed, read and closed', async () => {
    const at = await room('life');
    expect((await kit.call('POST', '/v1/rooms', { room: 'life' })).status).toBe(409);
    const frozen = await kit.call('PATCH', at, { status: 'frozen' });
    expect(frozen.body).toMatchObject({ room: 'life', status: 'frozen', labels: ['a'], online: 0 });
    const { body } = await kit.call('GET', '/v1/rooms?limit=1&after=lif');
    expect(body.rooms).toEqual([frozen.body]);
    expect((await kit.call('DELETE', at)).body.status).toBe('closed');
    const late = await kit.call('POST', `${at}/publications`, { kind: 'notice', text: 'x' });
    expect([late.status, late.body.error.code]).toEqual([409, 'closed']);
    const none = await kit.call('GET', '/v1/rooms/none/stats');
    expect([none.status, none.body.error.code]).toEqual([404, 'not_found']);
  });

  it('A-4 posts of both classes, a batch in order and A-5 their history', async () => {
    const at = await room('posts');
    const kept = await kit.call('POST', `${at}/publications`, { kind: 'notice', text: 'first' });
    expect(kept.body).toMatchObject({ verdict: 'published', class: 'keep', offset: 1 });
    const light = await kit.call('POST', `${at}/publications`, { kind: 'chat', text: 'hello' });
    expect(light.body).toMatchObject({ verdict: 'published', class: 'drop', lane: 'normal' });
    expect(light.body.offset).toBeUndefined();
    const publications = Array.from({ length: 20 }, (_, i) => ({
      ...{ room: 'posts', kind: 'notice', text: `n${i}` },
    }));
    const batch = await kit.call('POST', '/v1/publications:batch', { publications });
    expect(batch.body.results.map((each: any) => [each.ok, each.offset])).toEqual(
      publications.map((_, i) => [true, i + 2]),
    );
    const page = await kit.call('GET', `${at}/publications?from=1&limit=15`);
    expect(page.body).toMatchObject({ room: 'posts', oldest: 1, next: 16 });
    const rest = await kit.call('GET', `${at}/publications?from=16`);
    expect(rest.body.next).toBeUndefined();
    const texts = [...page.body.publications, ...rest.body.publications].map((each) => each.text);
    expect(texts).toEqual(['first', ...publications.map((each) => each.text)]);
    expect((await kit.call('DELETE', `${at}/publications/${kept.body.id}`)).status).toBe(204);
    const first = await kit.call('GET', `${at}/publications?from=1&limit=1`);
    expect(first.body.publications[0]).toMatchObject({ kind: 'recalled', offset: 1 });
  });

  it('R-KEEP-5 repeats by API get the first answer, alone, at once and in a batch', async () => {
    const at = await room('again');
    const headers = { 'idempotency-key': 'k1' };
    const draft = { kind: 'gift', text: 'rose', data: { n: 1 } };
    const all = await Promise.all(
      Array.from({ length: 5 }, () => kit.call('POST', `${at}/publications`, draft, headers)),
    );
    expect(new Set(all.map((each) => each.body.id)).size).toBe(1);
    expect(all.filter((each) => each.body.repeated === true)).toHaveLength(4);
    const other = await kit.call('POST', `${at}/publications`, { kind: 'gift' }, headers);
    expect([other.status, other.body.error.code]).toEqual([422, 'idempotency_mismatch']);
    const publications = [{ room: 'again', key: 'k1', ...draft }];
    const batch = await kit.call('POST', '/v1/publications:batch', { publications });
    expect(batch.body.results[0]).toMatchObject({ ok: true, id: all[0]!.body.id, repeated: true });
    expect((await kit.call('GET', `${at}/stats`)).body.offset).toBe(1);
  });

  it('A-6 sanctions are kept, listed and lifted; a kick is taken', async () => {
    const at = await room('users');
    for (const kind of ['mutes', 'bans', 'allowed']) {
      const put = await kit.call('PUT', `${at}/${kind}/u1`, { forMs: 60_000, reason: 'r' });
      expect(put.body).toMatchObject({ user: 'u1', reason: 'r', until: expect.any(Number) });
      await kit.call('PUT', `${at}/${kind}/u2`);
      const { body } = await kit.call('GET', `${at}/${kind}?limit=1`);
      expect(body).toEqual({ items: [put.body], next: 'u1' });
      const rest = await kit.call('GET', `${at}/${kind}?after=u1`);
      expect(rest.body).toEqual({ items: [{ user: 'u2', until: 0 }] });
      expect((await kit.call('DELETE', `${at}/${kind}/u1`)).status).toBe(204);
      expect((await kit.call('DELETE', `${at}/${kind}/u1`)).status).toBe(404);
    }
    expect((await kit.call('POST', `${at}/kicks`, { user: 'u3' })).status).toBe(204);
  });

  it('R-SET-1 limits change by API while the room runs, and what the schema lets by is refused', async () => {
    const at = `${await room('limits')}/limits`;
    const dry = await kit.call('PATCH', `${at}?dryRun=true`, { tickMs: 50 });
    expect(dry.body.changed).toEqual([{ path: 'tickMs', before: 100, after: 50 }]);
    expect((await kit.call('GET', at)).body.effective.tickMs).toBe(100);
    await kit.call('PATCH', at, { tickMs: 50, audience: [] });
    const { body } = await kit.call('GET', at);
    expect(body.own).toEqual({ tickMs: 50, audience: [] });
    expect(body.effective).toEqual({ ...DEFAULT_SETTINGS, tickMs: 50, audience: [] });
    const row = { viewers: 10, budgetPerSecond: 5, tickMs: 100 };
    const bad = await kit.call('PATCH', at, { tickMs: 60, audience: [row, row] });
    expect([bad.status, bad.body.error.field]).toEqual([400, 'audience.1.viewers']);
    expect((await kit.call('GET', at)).body.own.tickMs).toBe(50);
  });

  it('A-8 every verdict word is a label of the room’s counters in /metrics', async () => {
    const { body } = await request(`${kit.url}/metrics`, { method: 'GET' });
    for (const verdict of VERDICTS) {
      expect(body).toMatch(
        new RegExp(`^barrage_room_verdicts_total\\{verdict="${verdict}"\\} \\d+$`, 'm'),
      );
    }
    const lines = (body as string).split('\n').filter((line) => line !== '');
    const shape = /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [-+\w.]+)$/;
    expect(lines.filter((line) => !shape.test(line))).toEqual([]);
  });
});
