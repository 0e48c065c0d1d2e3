/**
 * A real cluster with one of its servers gone, or out of reach for one process: what goes on, what is
 * refused and how it is told, and that everything goes on by itself afterwards. docs/degraded.md.
 */
import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/words.js';
import { startCluster, type Cluster, type Member } from '../kit/cluster.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { untilTrue } from '../kit/until-true.js';

const ROOMS = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'];
const NEVER_MS = 60_000;
let cluster: Cluster;
let viewers: SdkViewer[] = [];
let posts = 0;

beforeAll(async () => {
  cluster = await startCluster({ rooms: 2, edges: 2, create: ROOMS });
}, 60_000);
afterAll(() => cluster.stop(), 30_000);
afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.close();
  await healthy();
});

/** Everything is reached again, nothing changes hands any more, and every room is posted to through every service. */
async function healthy(): Promise<void> {
  const members = [...cluster.rooms, ...cluster.edges];
  await untilTrue('all are ready', async () =>
    (await Promise.all(members.map(readiness))).every(({ status }) => status === 200),
  );
  await untilTrue('each has its share', async () => {
    const shares = cluster.rooms.map((each) => metric(each, 'barrage_room_shards'));
    return (await Promise.all(shares)).every((share) => share === 32);
  });
  for (const service of cluster.rooms) await postToAll(service);
}

/** Acknowledged for each room, asked for again until then; the texts. */
async function postToAll(service: Member, withinMs?: number): Promise<string[]> {
  const texts = ROOMS.map((room) => `${room} ${++posts}`);
  await Promise.all(
    ROOMS.map((room, i) =>
      untilTrue(
        `${room} is posted to`,
        async () => [200, 201].includes((await post(service, room, texts[i]!)).status),
        withinMs,
      ),
    ),
  );
  return texts;
}

function post(service: Member, room: string, text: string) {
  const body = { kind: 'notice', text };
  const key = { 'idempotency-key': text.replace(/\W/g, '-') };
  return cluster.studio(service, 'POST', `/v1/rooms/${room}/publications`, body, key);
}

function operationsPort({ role, port, process }: Member): number {
  return role === 'edge' ? Number(process.ready['operationsPort']) : port;
}

async function readiness(member: Member): Promise<{ status: number; reasons: string[] }> {
  const answer = await fetch(`http://127.0.0.1:${operationsPort(member)}/readyz`);
  return { status: answer.status, ...((await answer.json()) as { reasons: string[] }) };
}

async function metric(member: Member, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${operationsPort(member)}/metrics`);
  const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

async function watch(edge: number, room = 'alpha', role: Role = 'member'): Promise<SdkViewer> {
  const name = `user-${viewers.length}-${++posts}`;
  const viewer = new SdkViewer({
    ...{
      url: cluster.edgeUrls[edge]!,
      room,
      WebSocket,
      token: cluster.token(name, [room], { role }),
    },
    heartbeatMs: NEVER_MS,
  });
  viewers.push(viewer);
  return viewer.live();
}

/** Of one room only, in order and without repeats. */
function expectWhole(viewer: SdkViewer, texts: readonly string[]): void {
  const seen = viewer.texts.filter((text) => texts.includes(text));
  expect(seen).toEqual(texts);
  expect(viewer.gaps.filter((gap) => gap.class === 'keep')).toEqual([]);
}

const stayed = (viewer: SdkViewer, states: number) =>
  expect(viewer.states.slice(states).map(({ name }) => name)).toEqual([]);

describe('Redis', () => {
  it(
    'X-DEGR-1 gone: danmaku go on, posts answer 503, nothing acknowledged is lost',
    { timeout: 40_000 },
    async () => {
      const [speaker, watcher] = [await watch(0), await watch(1)];
      const [service] = cluster.rooms;
      const before = (await postToAll(service!)).slice(0, 1);
      await cluster.redis.kill();
      await untilTrue('it is noticed', async () => {
        return (await metric(service!, 'barrage_redis_connected')) === 0;
      });
      for (const room of ROOMS) {
        const refused = await post(service!, room, `refused ${room}`);
        expect(refused.status).toBe(503);
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      for (let i = 0; i < 5; i++) {
        const said = await speaker.stream.send({ text: `still here ${i}` });
        expect(said.verdict).toBe('published');
      }
      await watcher.until('it is delivered', () => watcher.texts.includes('still here 4'));
      const host = await watch(0, 'alpha', 'host');
      // What a host says is keepable: it cannot be logged, so it is not said.
      expect((await host.stream.send({ text: 'by a host' })).verdict).toBe('unavailable');
      await cluster.redis.restart();
      const after = (await postToAll(service!)).slice(0, 1);
      await watcher.until('the new one', () => watcher.texts.includes(after[0]!));
      expectWhole(watcher, [...before, ...after]);
    },
  );

  it(
    'X-DEGR-5 out of reach for one room service: it says so, its rooms are posted to through the other',
    { timeout: 40_000 },
    async () => {
      const [cut, other] = [cluster.rooms[0]!, cluster.rooms[1]!];
      const watcher = await watch(0);
      await cut.redisProxy!.refuse();
      cut.redisProxy!.cut();
      try {
        await untilTrue('it says so', async () => (await readiness(cut)).status === 503);
        // Leases run 2 s: within these and half a second, and a second for a slow machine.
        const texts = await postToAll(other, 3500);
        await watcher.until('it is told', () => watcher.texts.includes(texts[0]!));
      } finally {
        await cut.redisProxy!.heal();
      }
    },
  );
});

describe('NATS', () => {
  it(
    'X-DEGR-2 gone: viewers stay, danmaku are unavailable, all is told afterwards',
    { timeout: 60_000 },
    async () => {
      const [speaker, watcher] = [await watch(0), await watch(1)];
      const [service] = cluster.rooms;
      const before = (await postToAll(service!)).slice(0, 1);
      await watcher.until('the first', () => watcher.texts.includes(before[0]!));
      const states = [speaker.states.length, watcher.states.length];
      const shards = await Promise.all(
        cluster.rooms.map((each) => metric(each, 'barrage_room_shards_handed_over_total')),
      );
      const [nats] = cluster.nats;
      const meanwhile: string[] = [];
      await nats!.kill();
      try {
        for (const member of [...cluster.rooms, ...cluster.edges]) {
          await untilTrue(`${member.name} says so`, async () => {
            return (await readiness(member)).reasons.includes('the bus is down');
          });
          expect(await metric(member, 'barrage_bus_up')).toBe(0);
        }
        expect((await speaker.stream.send({ text: 'anyone?' })).verdict).toBe('unavailable');
        const answers = await Promise.all(
          ROOMS.map((room) => post(service!, room, `meanwhile in ${room}`)),
        );
        // Its own rooms go on; those of the other cannot be reached.
        const odd = answers.filter(({ status }) => status !== 200 && status !== 201);
        expect(odd.filter(({ status }) => status !== 503).map(({ body }) => body)).toEqual([]);
        for (const { status, headers } of answers) {
          if (status === 503) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        }
        if (answers[0]!.status < 300) meanwhile.push('meanwhile in alpha');
        // Longer than it takes to give up on a member that is alone without it.
        await new Promise((resolve) => setTimeout(resolve, 2500));
      } finally {
        await nats!.restart();
      }
      const after = (await postToAll(service!)).slice(0, 1);
      await watcher.until('the new one', () => watcher.texts.includes(after[0]!));
      expectWhole(watcher, [...before, ...meanwhile, ...after]);
      stayed(speaker, states[0]!);
      stayed(watcher, states[1]!);
      await untilTrue('danmaku go on', async () => {
        return (await speaker.stream.send({ text: `again ${++posts}` })).verdict === 'published';
      });
      const now = await Promise.all(
        cluster.rooms.map((each) => metric(each, 'barrage_room_shards_handed_over_total')),
      );
      expect(now).toEqual(shards);
    },
  );

  it.each([true, false])(
    'X-DEGR-3 out of reach for one edge (silently: %s): its viewers stay and miss nothing',
    { timeout: 60_000 },
    async (isSilent) => {
      const [cut, other] = [await watch(0), await watch(1)];
      const states = [cut.states.length, other.states.length];
      const [edge, whole] = cluster.edges;
      if (isSilent) edge!.natsProxy!.stall();
      else {
        await edge!.natsProxy!.refuse();
        edge!.natsProxy!.cut();
      }
      await untilTrue('it says so', async () => (await readiness(edge!)).status === 503);
      expect((await readiness(whole!)).status).toBe(200);
      const texts = [(await postToAll(cluster.rooms[0]!))[0]!];
      await other.until('the others get it', () => other.texts.includes(texts[0]!));
      expect(cut.texts).not.toContain(texts[0]);
      expect((await cut.stream.send({ text: 'hello?' })).verdict).toBe('unavailable');
      await edge!.natsProxy!.heal();
      await cut.until('it comes after all', () => cut.texts.includes(texts[0]!));
      texts.push((await postToAll(cluster.rooms[1]!))[0]!);
      for (const viewer of [cut, other]) {
        await viewer.until('the next', () => viewer.texts.includes(texts[1]!));
        expectWhole(viewer, texts);
      }
      stayed(cut, states[0]!);
      stayed(other, states[1]!);
    },
  );

  it.each([true, false])(
    'X-DEGR-4 out of reach for one room service (silently: %s): others have its shards in 3 s',
    { timeout: 60_000 },
    async (isSilent) => {
      const [cut, other] = [cluster.rooms[0]!, cluster.rooms[1]!];
      const viewer = await watch(0);
      expect(await metric(cut, 'barrage_room_shards')).toBe(32);
      if (isSilent) cut.natsProxy!.stall();
      else {
        await cut.natsProxy!.refuse();
        cut.natsProxy!.cut();
      }
      try {
        await untilTrue('it says so', async () => (await readiness(cut)).status === 503);
        const since = performance.now();
        await untilTrue('the other has all', async () => {
          return (await metric(other, 'barrage_room_shards')) === 64;
        });
        expect(performance.now() - since).toBeLessThan(3000);
        const texts = await postToAll(other, 1000);
        await viewer.until('viewers get it', () => viewer.texts.includes(texts[0]!));
        const said = await viewer.stream.send({ text: 'and danmaku' });
        expect(said.verdict).toBe('published');
      } finally {
        await cut.natsProxy!.heal();
      }
      await untilTrue('it has its share again', async () => {
        return (await metric(cut, 'barrage_room_shards')) === 32;
      });
    },
  );
});

describe('ending', () => {
  it.each(['redis', 'both'] as const)(
    'X-ROLL-2 a process ends in order while servers stand still: %s',
    { timeout: 60_000 },
    async (away) => {
      const member = cluster.rooms[0]!;
      const [nats] = cluster.nats;
      const viewer = await watch(0);
      if (away === 'both') nats!.freeze();
      cluster.redis.freeze();
      try {
        const ends = [member, cluster.edges[0]!].map((each) => each.process.stop(10_500));
        expect(await Promise.all(ends)).toEqual([0, 0]);
      } finally {
        nats!.resume();
        cluster.redis.resume();
      }
      await Promise.all([member.start(), cluster.edges[0]!.start()]);
      await viewer.live(20_000);
    },
  );
});
