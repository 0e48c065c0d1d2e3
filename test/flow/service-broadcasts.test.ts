/** Broadcasts over the built service: zones, all rooms, users wherever they are; restarts and kills. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type Service } from '../kit/service.js';
import { Viewer, type Line } from '../kit/viewer.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
  for (const [room, labels] of [
    ['east-1', ['east', 'music']],
    ['east-2', ['east']],
    ['west-1', ['west']],
  ] as const) {
    const made = await service.studio('POST', '/v1/rooms', { room, labels });
    expect(made.status).toBe(201);
  }
});
afterAll(() => service.stop());

const texts = (viewer: Viewer) => viewer.publications.map(({ text }) => text as string);
const join = async (room: string, user: string, more: object = {}, since?: Viewer['position']) => {
  const token = service.token(user, ['*'], more);
  const at = since === undefined ? {} : { since };
  const viewer = await Viewer.connect(service.viewerPort, { room, token, ...at });
  await viewer.line('joined');
  return viewer;
};
const broadcast = (to: object, more: object = {}, headers?: object) =>
  service.studio('POST', '/v1/broadcasts', { to, kind: 'notice', ...more }, headers);
const posted = (room: string, text: string, more: object = {}) =>
  service.studio('POST', `/v1/rooms/${room}/publications`, { kind: 'notice', text, ...more });

describe('rooms', () => {
  it('R-SCOPE-5 a zone is the rooms with its label, as they change', async () => {
    const viewers = await Promise.all(
      ['east-1', 'east-2', 'west-1'].map((room) => join(room, 'zoe')),
    );
    const told = await broadcast({ zone: 'east' }, { text: 'to the east' });
    expect([told.status, told.body]).toMatchObject([
      200,
      { rooms: 2, verdicts: { published: 2 }, failed: 0, closed: 0, empty: 0 },
    ]);
    expect(told.body.fates.map(({ room }: Line) => room)).toEqual(['east-1', 'east-2']);
    await viewers[0]!.until(() => texts(viewers[0]!).includes('to the east'));
    await viewers[1]!.until(() => texts(viewers[1]!).includes('to the east'));
    await service.studio('PATCH', '/v1/rooms/west-1', { labels: ['east'] });
    await service.studio('PATCH', '/v1/rooms/east-2', { labels: [] });
    const again = await broadcast({ zone: 'east' }, { text: 'to the new east' });
    expect(again.body.fates.map(({ room }: Line) => room)).toEqual(['east-1', 'west-1']);
    await viewers[2]!.until(() => texts(viewers[2]!).includes('to the new east'));
    expect(texts(viewers[2]!)).not.toContain('to the east');
    expect((await broadcast({ zone: 'nowhere' }, { text: 'x' })).body.rooms).toBe(0);
    await service.studio('PATCH', '/v1/rooms/east-2', { labels: ['east'] });
    for (const viewer of viewers) viewer.cut();
  });

  it('R-SCOPE-6 all rooms, narrowed by tags; a repeat with the key publishes nothing twice', async () => {
    const vip = await join('west-1', 'vic', { tags: ['vip'] });
    const plain = await join('west-1', 'pat');
    const key = { 'idempotency-key': 'all-once' };
    const to = { all: true, tags: 'vip' };
    const first = await broadcast(to, { text: 'vips of all rooms' }, key);
    expect(first.body).toMatchObject({ rooms: 4, verdicts: { published: 4 } });
    const second = await broadcast(to, { text: 'vips of all rooms' }, key);
    expect(second.body.fates).toEqual(first.body.fates);
    const other = await broadcast(to, { text: 'another body' }, key);
    expect(other.body).toMatchObject({ failed: 4, verdicts: {} });
    expect(other.body.failures[0].code).toBe('idempotency_mismatch');
    await posted('west-1', 'then');
    await Promise.all([vip, plain].map((each) => each.until(() => texts(each).includes('then'))));
    expect(texts(vip).filter((text) => text === 'vips of all rooms')).toHaveLength(1);
    expect(texts(plain)).not.toContain('vips of all rooms');
    vip.cut();
    plain.cut();
  });

  it('R-SCOPE-7 rooms without anyone are passed over by what is droppable, closed ones told', async () => {
    await service.studio('POST', '/v1/rooms', { room: 'short', labels: ['brief'] });
    await service.studio('DELETE', '/v1/rooms/short');
    const closed = await broadcast({ zone: 'brief' }, { text: 'too late' });
    expect(closed.body).toMatchObject({ rooms: 1, closed: 1, failed: 0, verdicts: {} });
    const low = await broadcast({ all: true }, { text: 'only now', lane: 'low' });
    const { rooms, empty, closed: over, verdicts, fates } = low.body;
    expect([rooms, fates]).toEqual([5, []]);
    expect(empty + over + (verdicts.published ?? 0)).toBe(5);
  });

  it.each([
    [{}, 'to'],
    [{ zone: 'east', all: true }, 'to'],
    [{ tags: 'vip' }, 'to'],
    [{ all: false }, 'to.all'],
    [{ zone: 'a b' }, 'to.zone'],
    [{ users: ['a'], tags: 'vip' }, 'to.tags'],
    [{ all: true, tags: 'vip &&' }, 'to.tags'],
    [{ users: [] }, 'to.users'],
  ])('R-SCOPE-6 %j is refused and names %s', async (to, field) => {
    const answer = await broadcast(to, { text: 'x' });
    expect([answer.status, answer.body.error.field]).toEqual([400, field]);
  });
});

describe('users', () => {
  it('R-SCOPE-8 each connection of a user gets it once, in whatever rooms, and acknowledges', async () => {
    const both = await join('east-1', 'uma');
    both.join('west-1', service.token('uma', ['*']));
    await both.line('joined', (line) => line['room'] === 'west-1');
    const [second, stranger] = [await join('east-2', 'uma'), await join('east-1', 'sam')];
    const key = { 'idempotency-key': 'to-uma' };
    const sent = await broadcast({ users: ['uma', 'gone'] }, { text: 'wherever you are' }, key);
    const { id } = sent.body;
    expect(sent.body).toMatchObject({ rooms: 0, failed: 0 });
    const of = (viewer: Viewer) => viewer.publications.filter((each) => each['id'] === id);
    await Promise.all([both, second].map((each) => each.until(() => of(each).length > 0)));
    expect(of(both)[0]).toMatchObject({ text: 'wherever you are', ack: true });
    both.say({ type: 'ack', ids: [id] });
    second.say({ type: 'ack', ids: [id] });
    const read = async () => (await service.studio('GET', `/v1/broadcasts/${id}/delivery`)).body;
    for (let tries = 0; tries < 200 && (await read()).acked !== 2; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await read()).toEqual({
      ...{ id, targets: 2, delivered: 2, acked: 2, resent: 0, givenUp: 0 },
    });
    const again = await broadcast({ users: ['uma', 'gone'] }, { text: 'wherever you are' }, key);
    expect(again.body.id).toBe(id);
    await posted('east-1', 'after');
    await Promise.all(
      [both, stranger].map((each) => each.until(() => texts(each).includes('after'))),
    );
    expect([of(both).length, of(second).length, of(stranger).length]).toEqual([1, 1, 0]);
    for (const viewer of [both, second, stranger]) viewer.cut();
  });
});

describe('devices', () => {
  it('R-SCOPE-1 E-SCOPE-1 T-1 a token of the API names the device, a guest`s too', async () => {
    const made = await service.studio('POST', '/v1/tokens', { rooms: ['east-2'], device: 'tv-7' });
    expect(made.status).toBe(200);
    const { token } = made.body;
    const tv = await Viewer.connect(service.viewerPort, { room: 'east-2', token });
    await tv.line('joined');
    const other = await join('east-2', 'tv-7');
    await posted('east-2', 'for the tv', { to: { devices: ['tv-7'] }, reliable: false });
    await posted('east-2', 'for the user', { to: { users: ['tv-7'] }, reliable: false });
    await posted('east-2', 'for all');
    await Promise.all([tv, other].map((each) => each.until(() => texts(each).includes('for all'))));
    const own = (viewer: Viewer) => texts(viewer).filter((text) => text.startsWith('for the'));
    expect([own(tv), own(other)]).toEqual([['for the tv'], ['for the user']]);
    expect(tv.publications.some(({ ack }) => ack === true)).toBe(false);
    const bad = await service.studio('POST', '/v1/tokens', { rooms: ['*'], device: 'a b' });
    expect([bad.status, bad.body.error.field]).toEqual([400, 'device']);
    for (const viewer of [tv, other]) viewer.cut();
  });
});

describe('ends', () => {
  it('E-SCOPE-4 R-SCOPE-2 R-SCOPE-5 after a kill each resumes with what is meant for it', async () => {
    const [anna, other] = [await join('east-1', 'anna'), await join('east-1', 'otto')];
    await posted('east-1', 'before');
    await Promise.all(
      [anna, other].map((each) => each.until(() => texts(each).includes('before'))),
    );
    const since = [anna.position, other.position];
    for (let i = 0; i < 3; i++) await posted('east-1', `anna ${i}`, { to: { users: ['anna'] } });
    await service.kill();
    const { folder } = service;
    service = await startService({ folder });
    const back = [
      await join('east-1', 'anna', {}, since[0]),
      await join('east-1', 'otto', {}, since[1]),
    ] as const;
    expect(back.map((each) => each.lines.at(-1)!['recovered'])).toEqual([true, true]);
    expect(texts(back[0])).toEqual(['anna 0', 'anna 1', 'anna 2']);
    expect(texts(back[1])).toEqual([]);
    await posted('east-1', 'open again');
    await Promise.all(back.map((each) => each.until(() => texts(each).includes('open again'))));
    // The new owner knows from the log how far back its first frame reaches.
    const frame = back[1].lines.find((line) => line['publications']?.[0]?.text === 'open again')!;
    expect(frame['offset'] - frame['from']).toBe(3);
    let zone = await broadcast({ zone: 'east' }, { text: 'labels are read again' });
    for (let tries = 0; zone.status === 503 && tries < 100; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      zone = await broadcast({ zone: 'east' }, { text: 'labels are read again' });
    }
    expect(zone.body.fates.map(({ room }: Line) => room)).toEqual(['east-1', 'east-2', 'west-1']);
    for (const viewer of [anna, other, ...back]) viewer.cut();
  });

  it('R-SCOPE-10 nobody lags by more than 64 publications meant for others', async () => {
    const other = await join('east-2', 'otto');
    const start = other.position.offset;
    for (let i = 0; i < 70; i++) await posted('east-2', `anna ${i}`, { to: { users: ['anna'] } });
    await other.until(() => other.position.offset >= start + 64, 'the empty frame');
    const empty = other.lines.find((line) => line['class'] === 'keep')!;
    expect(empty['publications']).toEqual([]);
    expect(empty['from']).toBe(start + 1);
    await posted('east-2', 'then');
    await other.until(() => texts(other).includes('then'));
    expect(other.position.offset).toBe(start + 71);
    other.cut();
  });
});
