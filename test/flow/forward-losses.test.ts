/** Owners that come, go and do not answer; bounds; calls that concern several owners. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import { shardOf } from '../../src/shards.js';
import { apiSubject, serviceSubject } from '../../src/subjects.js';
import { startApiCluster, waitFor, type ApiCluster, type Service } from '../kit/api-cluster.js';

let cluster: ApiCluster;
afterEach(() => cluster.stop());

const gift = { kind: 'gift', text: 'g', lane: 'high' };

async function start(services: number, forward = {}): Promise<readonly Service[]> {
  cluster = await startApiCluster({ services, forward });
  return cluster.services;
}

async function roomsAt(services: readonly Service[], prefix: string, labels = ['z']) {
  const rooms = services.map((service) => cluster.nameAt(service, prefix));
  for (const room of rooms) {
    const made = await services[0]!.call('POST', '/v1/rooms', { room, labels });
    expect(made.status).toBe(201);
  }
  return rooms;
}

function history(at: Service, room: string) {
  return at.call('GET', `/v1/rooms/${room}/publications?from=1&limit=200`);
}

describe('one owner', () => {
  it('A-FWD-5 a call waits for a room that changes hands', async () => {
    const [first, second, third] = (await start(3)) as [Service, Service, Service];
    const [room] = await roomsAt([first], 'moving');
    const stopping = first.rooms.stop();
    const posts = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        [second, third][i % 2]!.call('POST', `/v1/rooms/${room}/publications`, {
          ...{ ...gift, text: `n${i}` },
        }),
      ),
    );
    await stopping;
    expect(posts.map(({ status, body }) => [status, body.verdict])).toEqual(
      posts.map(() => [200, 'published']),
    );
    const { body } = await history(second, room!);
    expect(body.publications).toHaveLength(20);
    expect(first.owns(room!)).toBe(false);
  }, 15_000);

  it('A-FWD-5 without an owner a call ends after its time with Retry-After', async () => {
    const [first, second] = (await start(2, { ownerMs: 300 })) as [Service, Service];
    const [room] = await roomsAt([first], 'lost');
    first.wire.cut();
    const began = performance.now();
    const answer = await second.call('POST', `/v1/rooms/${room}/publications`, gift);
    expect([answer.status, answer.body.error.code]).toEqual([503, 'unavailable']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(performance.now() - began).toBeGreaterThan(280);
    expect(second.metric('barrage_api_asked_total', { end: 'nobody' })).toBeGreaterThan(1);
  }, 15_000);

  it('A-FWD-6 a keyed call is done once though its owner died between commit and answer', async () => {
    const [first, second, third] = (await start(3, { repeatableMs: 500 })) as Service[];
    const [room] = await roomsAt([first!], 'keyed');
    const key = { 'idempotency-key': 'order-1' };
    first!.wire.afterAnswer = () => first!.wire.cut();
    const path = `/v1/rooms/${room}/publications`;
    const done = await second!.call('POST', path, gift, key);
    expect([done.status, done.body.verdict, done.body.repeated]).toEqual([200, 'published', true]);
    const again = await third!.call('POST', path, gift, key);
    expect(again.body).toEqual(done.body);
    const { body } = await history(third!, room!);
    expect(body.publications.map(({ id }: { id: string }) => id)).toEqual([done.body.id]);
  }, 20_000);

  it('A-FWD-6 a call without a key is not repeated, and says so', async () => {
    const [first, second] = (await start(2, { onceMs: 400 })) as [Service, Service];
    const [room] = await roomsAt([first], 'unkeyed');
    first.wire.afterAnswer = () => first.wire.cut();
    const path = `/v1/rooms/${room}/publications`;
    const answer = await second.call('POST', path, gift);
    expect([answer.status, answer.body.error.code]).toEqual([503, 'unavailable']);
    expect(answer.body.error.message).toContain('may have been done');
    expect(second.wire.asked.get(apiSubject(shardOf(room as RoomId)))).toBeLessThan(4);
    await waitFor(() => second.owns(room!));
    expect((await history(second, room!)).body.publications).toHaveLength(1);
  }, 15_000);

  it('A-FWD-7 more than may be under way is refused, not queued', async () => {
    const [first, second] = (await start(2, { callsMax: 4 })) as [Service, Service];
    const [room] = await roomsAt([first], 'bounded');
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    first.wire.beforeAnswer = () => held;
    const asked = Array.from({ length: 12 }, () =>
      second.call('POST', `/v1/rooms/${room}/publications`, { kind: 'chat', text: 'x' }),
    );
    await waitFor(() => second.metric('barrage_api_asked_total', { end: 'full' }) === 8);
    letGo();
    const posts = await Promise.all(asked);
    const statuses = posts.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(4).fill(200), ...Array<number>(8).fill(503)]);
    const refused = posts.find(({ status }) => status === 503)!;
    expect(refused.headers.get('retry-after')).toBe('1');
    await waitFor(() => second.metric('barrage_api_asking') === 0);
    expect(second.metric('barrage_api_asked_total', { end: 'full' })).toBe(8);
  }, 15_000);

  it('A-FWD-7 bytes that are no call are counted and harm nobody', async () => {
    const [first] = (await start(2)) as [Service];
    const ask = (text: string) =>
      cluster.bus.request(serviceSubject(first.name), Buffer.from(text), 1000);
    for (const text of ['', '{}\n', 'no json\n', '{"ask":"call"}\n', 'null\n']) {
      expect(Buffer.from(await ask(text)).toString()).toBe('{"told":"gone"}\n');
    }
    const ticket = Buffer.from(await ask('{"ask":"take","ticket":"none"}\n')).toString();
    expect(ticket).toBe('{"told":"gone"}\n');
    expect(first.metric('barrage_api_served_total', { end: 'unreadable' })).toBe(5);
  }, 15_000);
});

describe('several owners', () => {
  it('A-FWD-8 a batch over three owners keeps its order and names each failure', async () => {
    const services = await start(3, { ownerMs: 200, onceMs: 300 });
    const rooms = await roomsAt(services, 'batch');
    const publications = Array.from({ length: 30 }, (_, i) => ({
      ...{ room: rooms[i % 3], kind: 'gift', lane: 'high', text: `n${i}` },
    }));
    publications.splice(10, 0, { ...publications[0]!, room: 'no room' });
    const done = await services[1]!.call('POST', '/v1/publications:batch', { publications });
    const results = done.body.results as { ok: boolean; id: string; error: { code: string } }[];
    expect(results.map(({ ok }) => ok)).toEqual(publications.map((_, i) => i !== 10));
    expect(results[10]!.error.code).toBe('invalid');
    for (const room of rooms) {
      const { body } = await history(services[0]!, room);
      const said = publications.flatMap((one, i) =>
        one.room === room ? [[results[i]!.id, one.text]] : [],
      );
      expect(body.publications.map(({ id, text }: never) => [id, text])).toEqual(said);
    }
    services[2]!.wire.cut();
    const partly = await services[1]!.call('POST', '/v1/publications:batch', { publications });
    expect(partly.status).toBe(200);
    const ends = partly.body.results as typeof results;
    publications.forEach(({ room }, i) => {
      const end = i === 10 ? 'invalid' : room === rooms[2] ? 'unavailable' : undefined;
      expect(ends[i]!.error?.code).toBe(end);
    });
  }, 20_000);

  it('A-FWD-9 a broadcast reaches the rooms of all, once, and relabelled ones too', async () => {
    const services = await start(3);
    const rooms = await roomsAt(services, 'zone');
    const more = await roomsAt(services, 'apart', ['other']);
    const say = (at: Service, to: object, key: string) =>
      at.call('POST', '/v1/broadcasts', { to, ...gift }, { 'idempotency-key': key });
    // Who still reads its labels is named as unreached.
    await waitFor(async () => {
      const { status, body } = await say(services[0]!, { zone: 'none' }, 'k0');
      return status === 200 && body.unreached === undefined;
    });
    const zone = await say(services[0]!, { zone: 'z' }, 'k1');
    expect(zone.body).toMatchObject({ rooms: 3, verdicts: { published: 3 }, failed: 0 });
    expect(zone.body.unreached).toBeUndefined();
    expect(zone.body.fates.map(({ room }: { room: string }) => room)).toEqual([...rooms].sort());
    const repeated = await say(services[1]!, { zone: 'z' }, 'k1');
    expect(repeated.body.fates).toEqual(zone.body.fates);
    expect((await say(services[2]!, { all: true }, 'k2')).body.rooms).toBe(6);
    // Relabelled at their owners, through a service that owns none of them.
    for (const room of more)
      await services[0]!.call('PATCH', `/v1/rooms/${room}`, { labels: ['z'] });
    expect((await say(services[1]!, { zone: 'z' }, 'k3')).body.rooms).toBe(6);
    for (const room of [...rooms, ...more]) {
      const count = (await history(services[0]!, room)).body.publications.length;
      expect(count).toBe(rooms.includes(room) ? 3 : 2);
    }
  }, 20_000);

  it('A-FWD-9 who does not answer is named, and nobody is passed over in silence', async () => {
    const services = await start(3, { ownerMs: 200, tellMs: 200 });
    const rooms = await roomsAt(services, 'named');
    services[2]!.wire.cut();
    const answer = await services[0]!.call('POST', '/v1/broadcasts', {
      to: { all: true },
      ...gift,
    });
    expect(answer.status).toBe(200);
    expect(answer.body.rooms).toBe(2);
    const shards = answer.body.unreached.flatMap((one: { shards: number[] }) => one.shards);
    expect(shards).toContain(shardOf(rooms[2] as RoomId));
    expect(new Set(shards).size).toBe(shards.length);
    expect(answer.body.unreached[0].code).toBe('unavailable');
  }, 15_000);

  it('A-FWD-9 a broadcast to users with a key is sent once, and known of everywhere', async () => {
    const services = await start(3);
    const say = (at: Service) =>
      at.call(
        'POST',
        '/v1/broadcasts',
        { to: { users: ['u1'] }, kind: 'chat', text: 'x' },
        { 'idempotency-key': 'same' },
      );
    const answers = [];
    for (const service of services) answers.push((await say(service)).body.id as string);
    expect(new Set(answers).size).toBe(1);
    for (const service of services) {
      const told = await service.call('GET', `/v1/broadcasts/${answers[0]}/delivery`);
      expect([told.status, told.body.targets]).toEqual([200, 1]);
      expect((await service.call('GET', '/v1/broadcasts/none/delivery')).status).toBe(404);
    }
  }, 15_000);

  it('A-FWD-10 lists tell who is online where the owner says so, else leave it out', async () => {
    const services = await start(2, { tellMs: 200 });
    const rooms = await roomsAt(services, 'listed');
    const list = async (at: Service) =>
      Object.fromEntries(
        (await at.call('GET', '/v1/rooms')).body.rooms.map(
          ({ room, online }: { room: string; online?: number }) => [room, online],
        ),
      ) as Record<string, number | undefined>;
    expect(await list(services[0]!)).toEqual({ [rooms[0]!]: 0, [rooms[1]!]: 0 });
    services[1]!.wire.cut();
    expect(await list(services[0]!)).toEqual({ [rooms[0]!]: 0, [rooms[1]!]: undefined });
  }, 15_000);
});
