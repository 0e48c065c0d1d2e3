/** Attributes from the studio's HTTP API to real viewers and back from the store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOBBY, startTogether, type Together } from '../kit/together.js';
import type { UserId } from '../../src/ids.js';

describe('attributes', () => {
  let kit: Together;
  beforeAll(async () => {
    kit = await startTogether({ presenceLingerMs: 200 });
  });
  afterAll(() => kit.stop());

  const clear = () => kit.studio('DELETE', '/attributes');

  it('R-ATTR-1 R-ATTR-5 a change is answered, told to viewers and shown to who joins', async () => {
    await clear();
    const viewer = await kit.viewer();
    const before = (await kit.studio('GET', '/attributes')).body.version as number;
    const set = { title: '弹幕', 'seat.1': { user: 'ann', mic: true }, n: null };
    const patched = await kit.studio('PATCH', '/attributes', { set });
    expect([patched.status, patched.body]).toEqual([200, { version: before + 1 }]);
    await viewer.until(() => viewer.publications.some(({ data }) => data?.version === before + 1));
    const told = viewer.publications.find(({ data }) => data?.version === before + 1)!;
    expect(told).toMatchObject({ kind: 'attributes', lane: 'control' });
    expect(told['data']).toEqual({ from: before, version: before + 1, set, deleted: [] });
    const joined = await (await kit.viewer('late')).line('joined');
    expect(joined['attributes']).toEqual(set);
    expect(joined['attributesVersion']).toBe(before + 1);
    expect(await kit.read('attributes')).toEqual({
      attributes: set,
      attributesVersion: before + 1,
    });
    expect((await kit.studio('DELETE', '/attributes/seat.1')).status).toBe(204);
    expect((await kit.studio('DELETE', '/attributes/seat.1')).status).toBe(404);
    const after = await kit.studio('GET', `/attributes?since=${before + 1}`);
    expect(after.body).toMatchObject({ full: false, version: before + 2, attributes: [] });
    expect(after.body.deleted).toEqual(['seat.1']);
    expect(await kit.read('attributes')).toMatchObject({ attributes: { title: '弹幕', n: null } });
  });

  it('R-ATTR-3 of many that race with the same version exactly one wins', async () => {
    await clear();
    const first = await kit.studio('PUT', '/attributes/turn', { value: 'nobody', ifVersion: 0 });
    expect(first.status).toBe(200);
    const { version } = first.body;
    const race = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        kit.studio('PUT', '/attributes/turn', { value: i, ifVersion: version }),
      ),
    );
    const won = race.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    const lost = race.find(({ status }) => status === 409)!;
    expect(lost.body.error).toMatchObject({ code: 'conflict', field: 'turn' });
    expect((await kit.studio('GET', '/attributes/turn')).body.value).toBe(won[0]!.body.value);
    const stale = await kit.studio('PATCH', '/attributes', { set: { a: 1 }, ifVersion: version });
    expect(stale.body.error).toMatchObject({ code: 'conflict', field: 'ifVersion' });
  });

  const bad: [string, string, string, unknown, string, string][] = [
    ['no field', 'PATCH', '/attributes', {}, '', 'minProperties 1'],
    ['an unknown field', 'PATCH', '/attributes', { sets: {} }, 'sets', 'no unknown field'],
    ['a bad key', 'PATCH', '/attributes', { set: { 'a b': 1 } }, 'a b', 'pattern'],
    ['a key in the path', 'PUT', '/attributes/a%20b', { value: 1 }, 'key', 'pattern'],
    ['no value', 'PUT', '/attributes/a', {}, 'value', 'required'],
    ['too large', 'PUT', '/attributes/a', { value: 'x'.repeat(4095) }, 'a', 'maxBytes 4096'],
    ['too deep', 'PUT', '/attributes/a', { value: deep(17) }, 'value', 'maxDepth 16'],
    [
      'an owner it lacks',
      'PUT',
      '/attributes/a',
      { value: 1, expireOnLeave: true },
      'owner',
      'given',
    ],
    ['a wrong since', 'GET', '/attributes?since=-1', undefined, 'since', 'minimum 0'],
    ['a short life', 'PUT', '/attributes/a', { value: 1, ttlMs: 0 }, 'ttlMs', 'minimum 1'],
  ];
  it.each(bad)(
    'R-ATTR-2 A-2 %s is refused with field and rule',
    async (_, method, path, body, field, rule) => {
      const { status, body: answer } = await kit.studio(method, path, body);
      expect(status).toBe(400);
      expect(answer.error).toMatchObject({
        code: 'invalid',
        field,
        rule: expect.stringContaining(rule),
      });
    },
  );

  it('R-ATTR-5 a change over 1 KiB is told as one to read anew', async () => {
    await clear();
    const viewer = await kit.viewer();
    const { version } = (await kit.studio('PUT', '/attributes/big', { value: 'x'.repeat(2000) }))
      .body;
    await viewer.until(() => viewer.publications.some(({ data }) => data?.version === version));
    const told = viewer.publications.find(({ data }) => data?.version === version)!;
    expect(told['data']).toEqual({ from: version - 1, version, resync: true });
    expect((await kit.read('attributes')).attributes.big).toHaveLength(2000);
  });

  it('R-ATTR-6 what has an end or an owner who left is gone for everyone', async () => {
    await clear();
    const viewer = await kit.viewer();
    await kit.studio('PATCH', '/attributes', { set: { short: 1 }, ttlMs: 60 });
    await kit.studio('PATCH', '/attributes', {
      set: { mine: 1 },
      owner: 'ann',
      expireOnLeave: true,
    });
    const isTold = (key: string) => () =>
      viewer.publications.some(({ data }) => data?.deleted?.includes(key) === true);
    await viewer.until(isTold('short'), 'the end of short');
    expect(Object.keys((await kit.read('attributes')).attributes)).toEqual(['mine']);
    const ann = await kit.viewer('ann');
    while (!(await kit.calls.presence.member(LOBBY, 'ann' as UserId)).present) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ann.close();
    await viewer.until(isTold('mine'), 'the end of mine', 12_000);
    expect((await kit.studio('GET', '/attributes')).body.attributes).toEqual([]);
  }, 20_000);

  it('R-ATTR-1 R-ATTR-4 attributes, versions and deletions survive a restart', async () => {
    await clear();
    await kit.studio('PATCH', '/attributes', { set: { a: [1, 2], b: 'x', c: 3 } });
    const { version } = (await kit.studio('DELETE', '/attributes')).body;
    await kit.studio('PATCH', '/attributes', { set: { a: [1, 2] }, owner: 'ann' });
    const before = await kit.studio('GET', '/attributes');
    await kit.restart();
    expect((await kit.studio('GET', '/attributes')).body).toEqual(before.body);
    const since = (await kit.studio('GET', `/attributes?since=${version - 1}`)).body;
    expect([since.full, since.deleted, since.attributes[0].owner]).toEqual([
      false,
      ['b', 'c'],
      'ann',
    ]);
    const missing = await kit.studio('GET', '/attributes/b');
    expect([missing.status, missing.body.error.code]).toEqual([404, 'not_found']);
  });

  it('R-ATTR-1 a room that is closed takes no change', async () => {
    const other = 'over' as typeof LOBBY;
    await kit.calls.create({ room: other });
    await kit.calls.attributes.put(other, 'a', { value: 1 });
    await kit.calls.close(other);
    await expect(kit.calls.attributes.put(other, 'a', { value: 2 })).rejects.toMatchObject({
      code: 'closed',
    });
    expect((await kit.calls.attributes.read(other)).attributes).toMatchObject([{ value: 1 }]);
  });
});

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}
