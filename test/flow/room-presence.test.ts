/** A room service and scripted edges over one bus: who is there, what is asked, what outlives an owner. */
import { afterEach, expect, it } from 'vitest';
import type { BarrageError } from '../../src/errors.js';
import type { EdgeId, RoomId, UserId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { SetDigest } from '../../src/sketch/set-digest.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { hashUser } from '../../src/sketch/user-hash.js';
import { shardOf } from '../../src/shards.js';
import { presenceAskSubject, presenceSubject } from '../../src/subjects.js';
import { decodeJson, encodeJson } from '../../src/wire/internal.js';
import type { PresenceAsk, PresenceReport, PresentUser } from '../../src/wire/presence.js';
import {
  ROOM,
  restart,
  startService,
  stopAll,
  takeOver,
  user,
  type RoomService,
} from '../kit/room-service.js';

type News = Omit<PresenceReport, 'edge' | 'run' | 'seq'>;

/** Speaks to the room service as an edge does, and hears what it is asked. */
class ScriptedPresence {
  readonly asks: PresenceAsk[] = [];
  seq = 0;

  constructor(
    readonly edge: string,
    readonly bus: Bus,
    readonly run = 1,
  ) {
    bus.subscribe(presenceAskSubject(edge as EdgeId), (bytes) => {
      this.asks.push(decodeJson<PresenceAsk>(bytes));
    });
  }

  say(news: News, room: RoomId = ROOM): void {
    const report: PresenceReport = { edge: this.edge, run: this.run, seq: ++this.seq, ...news };
    this.bus.publish(presenceSubject(shardOf(room)), encodeJson(report));
  }

  changed(...users: readonly (string | PresentUser)[]): void {
    const rows = users.map((each): PresentUser =>
      typeof each === 'string' ? [user(each), 1] : each,
    );
    this.say({ changes: [[ROOM, rows]] });
  }

  left(...users: readonly string[]): void {
    this.changed(...users.map((id): PresentUser => [user(id), 0]));
  }

  list(...users: readonly string[]): void {
    const rows = users.map((id): PresentUser => [user(id), 1]);
    this.say({ list: { room: ROOM, part: 0, parts: 1, users: rows } });
  }

  digest(...users: readonly string[]): void {
    const digest = new SetDigest();
    for (const id of users) digest.toggle(id, 1);
    const rooms: [RoomId, number, string][] = [[ROOM, users.length, digest.text]];
    this.say({ digest: { part: 0, parts: 1, rooms: users.length === 0 ? [] : rooms } });
  }

  get wanted(): string[] {
    return this.asks.flatMap(({ rooms = [], digest }) => [
      ...rooms.map(([room, kept]) => `${room} ${kept}`),
      ...(digest === true ? ['digest'] : []),
    ]);
  }
}

const running: RoomService[] = [];

afterEach(() => stopAll(...running.splice(0)));

async function started(make: Promise<RoomService>): Promise<RoomService> {
  const service = await make;
  running.push(service);
  return service;
}

async function usersOf(service: RoomService): Promise<string[]> {
  const { members } = await service.run(service.calls.presence.members(ROOM, '', 200));
  return members.map((member) => member.user);
}

/** Time goes on while these edges are alive. */
async function live(service: RoomService, ms: number, ...edges: readonly ScriptedPresence[]) {
  for (let left = ms; left > 0; left -= 500) {
    for (const { edge } of edges) service.report(1, edge);
    await service.run(Promise.resolve());
    service.clock.advance(Math.min(500, left));
  }
  await service.run(new Promise<void>((resolve) => setImmediate(resolve)));
}

it('R-PRES-1, R-PRES-8 users of two edges are one list', async () => {
  const service = await started(startService());
  const [one, two] = [
    new ScriptedPresence('e1', service.bus),
    new ScriptedPresence('e2', service.bus),
  ];
  one.changed([user('ann'), 1, 'Ann', 7, null], 'bob');
  two.changed([user('ann'), 2, 'Ann', 7, null], 'cid');
  await service.until(() => service.metric('barrage_room_users') === 3);
  const page = await service.run(service.calls.presence.members(ROOM, '', 2));
  expect(page).toMatchObject({
    users: 3,
    next: 'bob',
    members: [
      { user: 'ann', name: 'Ann', level: 7, connections: 3, since: expect.any(Number) },
      { user: 'bob', connections: 1 },
    ],
  });
  const rest = await service.run(service.calls.presence.members(ROOM, 'bob', 2));
  expect(rest).toEqual({ users: 3, members: [expect.objectContaining({ user: 'cid' })] });
  expect(await service.run(service.calls.presence.member(ROOM, user('ann')))).toMatchObject({
    present: true,
    connections: 3,
  });
  expect(await service.run(service.calls.presence.member(ROOM, user('dan')))).toEqual({
    present: false,
    user: 'dan',
    connections: 0,
  });
});

it('R-PRES-3 a hole is noticed at once and closed by what the edge answers', async () => {
  const service = await started(startService());
  const edge = new ScriptedPresence('e1', service.bus);
  edge.changed('ann', 'bob');
  edge.digest('ann', 'bob');
  await service.until(() => service.metric('barrage_room_users') === 2);
  await live(service, 1500, edge);
  const before = edge.asks.length;
  edge.seq++;
  edge.changed('dan');
  await service.until(() => edge.asks.length > before);
  expect(edge.wanted.slice(before)).toEqual(['digest']);
  expect(service.metric('barrage_room_presence_holes_total')).toBe(1);
  edge.digest('bob', 'cid', 'dan');
  await service.until(() => edge.wanted.at(-1) === `${ROOM} list`);
  edge.list('bob', 'cid', 'dan');
  await service.until(() => service.metric('barrage_room_presence_repairs_total') === 2);
  await live(service, 6000, edge);
  expect(await usersOf(service)).toEqual(['bob', 'cid', 'dan']);
});

it('R-PRES-3 reports that come again or late change nothing', async () => {
  const service = await started(startService());
  const edge = new ScriptedPresence('e1', service.bus);
  edge.changed('ann');
  edge.left('ann');
  edge.changed('bob');
  edge.seq = 0;
  edge.changed('ann');
  edge.changed('ann');
  await service.until(
    () => service.metric('barrage_room_presence_reports_total', { end: 'stale' }) === 2,
  );
  await live(service, 6000, edge);
  expect(await usersOf(service)).toEqual(['bob']);
  service.bus.publish(presenceSubject(shardOf(ROOM)), Buffer.from('{"edge":7}'));
  await service.until(
    () => service.metric('barrage_room_presence_reports_total', { end: 'unreadable' }) === 1,
  );
});

it('R-PRES-2, R-PRES-3 the users of a silent edge have gone after the linger, a reconnect stays', async () => {
  const service = await started(startService());
  const [one, two] = [
    new ScriptedPresence('e1', service.bus),
    new ScriptedPresence('e2', service.bus),
  ];
  one.changed('ann', 'bob');
  two.changed('cid');
  await service.until(() => service.metric('barrage_room_users') === 3);
  await live(service, 4500, two);
  expect(service.metric('barrage_room_presence_edges_forgotten_total')).toBe(1);
  two.changed('bob');
  await live(service, 6000, two);
  expect(await usersOf(service)).toEqual(['bob', 'cid']);
});

it('R-PRES-3 an edge that started again has only whom it names now', async () => {
  const service = await started(startService());
  new ScriptedPresence('e1', service.bus, 1).changed('ann', 'bob');
  await service.until(() => service.metric('barrage_room_users') === 2);
  const again = new ScriptedPresence('e1', service.bus, 2);
  again.changed('bob');
  await service.until(() => again.wanted.includes('digest'));
  again.digest('bob');
  await service.until(() => again.wanted.includes(`${ROOM} list`));
  again.list('bob');
  await live(service, 6000, again);
  expect(await usersOf(service)).toEqual(['bob']);
  again.left('bob');
  again.digest();
  await live(service, 6000, again);
  expect(await usersOf(service)).toEqual([]);
});

it('R-PRES-5, R-PRES-7 above presenceMax only numbers: 409 with the rule, counts and sketch go on', async () => {
  const service = await started(startService());
  await service.run(service.calls.changeLimits(ROOM, { presenceMax: 3 }, false));
  const [one, two] = [
    new ScriptedPresence('e1', service.bus),
    new ScriptedPresence('e2', service.bus),
  ];
  one.changed('ann', 'bob');
  two.changed('cid', 'dan');
  await service.until(() => one.wanted.includes(`${ROOM} counts`));
  expect(two.wanted).toContain(`${ROOM} counts`);
  const seen = new UniqueCount();
  for (let i = 0; i < 50; i++) seen.add(hashUser(`u${i}`));
  two.say({ counts: [[ROOM, 50, Buffer.from(seen.encode()).toString('base64')]] });
  await service.until(() => service.metric('barrage_room_users') === 52);
  const stats = await service.run(service.calls.stats(ROOM));
  expect(stats).toMatchObject({ presence: 'counts', users: 52, uniqueUsers: 54 });
  const refused = await service
    .run(service.calls.presence.members(ROOM, '', 10))
    .catch((error: BarrageError) => error);
  expect(refused).toMatchObject({ code: 'conflict', rule: 'presenceMax 3' });
  two.say({ counts: [[ROOM, 0, 'no sketch']] });
  await service.until(() => one.wanted.at(-1) === `${ROOM} list`);
  one.list('ann', 'bob');
  await service.until(() => service.metric('barrage_room_users') === 2);
  expect(await usersOf(service)).toEqual(['ann', 'bob']);
  expect((await service.run(service.calls.stats(ROOM))).uniqueUsers).toBe(54);
});

it('R-PRES-4 after a restart who is still there did not come anew, who is not has left', async () => {
  const first = await startService();
  await first.run(first.calls.changeLimits(ROOM, { enterNotices: true, enterEveryMs: 0 }, false));
  const edge = new ScriptedPresence('e1', first.bus);
  edge.changed('ann', 'bob');
  await first.until(() => first.ear.publications().length === 2);
  const before = await first.run(first.calls.presence.member(ROOM, user('ann')));
  const stats = await first.run(first.calls.stats(ROOM));
  expect(stats.uniqueUsers).toBe(2);
  first.clock.advance(3000);
  const second = await started(restart(first));
  const later = new ScriptedPresence('e1', second.bus);
  later.seq = 500;
  second.report(2, 'e1');
  await second.until(() => later.wanted.includes('digest'));
  later.digest('ann', 'cid');
  await second.until(() => later.wanted.includes(`${ROOM} list`));
  later.list('ann', 'cid');
  await second.until(() => second.ear.publications().length === 1);
  expect(second.ear.publications()[0]).toMatchObject({ kind: 'enter', user: { id: 'cid' } });
  expect(await usersOf(second)).toEqual(['ann', 'bob', 'cid']);
  await live(second, 14_000, later);
  expect(await usersOf(second)).toEqual(['ann', 'cid']);
  const after = await second.run(second.calls.presence.member(ROOM, user('ann')));
  expect(after).toMatchObject({ present: true, since: (before as { since: number }).since });
  const now = await second.run(second.calls.stats(ROOM));
  expect(now).toMatchObject({ uniqueUsers: 3, uniqueSince: stats.uniqueSince });
});

it('R-PRES-4, R-PRES-7 an owner lost without a word leaves what it stored within five seconds', async () => {
  const first = await startService();
  const edge = new ScriptedPresence('e1', first.bus);
  edge.changed('ann');
  await first.until(() =>
    first.store.commits.some(({ records }) => records?.has('presence:user:ann')),
  );
  edge.changed('bob');
  await live(first, 6000, edge);
  const stored = first.store.commits.flatMap(({ records }) => [...(records ?? [])]);
  expect(stored.map(([name]) => name)).toContain('presence:user:bob');
  const second = await started(takeOver(first));
  const later = new ScriptedPresence('e1', second.bus);
  later.list('ann', 'bob');
  await second.until(() => second.metric('barrage_room_users') === 2);
  expect((await second.run(second.calls.stats(ROOM))).uniqueUsers).toBe(2);
  await live(second, 1000, later);
  later.left('ann', 'bob');
  await live(second, 12_000, later);
  const kept = await second.store.inner.load(ROOM);
  const names = [...(kept?.records.keys() ?? [])].filter((name) => name.startsWith('presence:'));
  expect(names).toEqual(['presence:unique']);
  expect(await usersOf(second)).toEqual([]);
});

it('R-PRES-9 who comes is announced when the room wants it, who reconnects is not', async () => {
  const service = await started(startService());
  const edge = new ScriptedPresence('e1', service.bus);
  edge.changed('early');
  await service.until(() => service.metric('barrage_room_users') === 1);
  await service.run(
    service.calls.changeLimits(ROOM, { enterNotices: true, enterEveryMs: 0 }, false),
  );
  edge.changed([user('ann'), 1, 'Ann', 12, 'gold']);
  await service.until(() => service.ear.publications().length === 1);
  edge.left('ann');
  edge.changed('ann');
  edge.changed('bob');
  await service.until(() => service.ear.publications().length === 2);
  expect(service.ear.publications()).toMatchObject([
    { kind: 'enter', lane: 'low', user: { id: 'ann', name: 'Ann', level: 12, badge: 'gold' } },
    { kind: 'enter', user: { id: 'bob' } },
  ]);
});

it('R-PRES-1 a room that is not in memory is taken in and then told', async () => {
  const service = await started(startService({ options: { parkAfterMs: 1000 } }));
  await service.until(() => service.metric('barrage_room_rooms') === 0);
  const edge = new ScriptedPresence('e1', service.bus);
  edge.changed('ann');
  await service.until(() => edge.wanted.includes(`${ROOM} list`));
  edge.list('ann');
  await service.until(() => service.metric('barrage_room_users') === 1);
  await live(service, 5000, edge);
  expect(service.metric('barrage_room_rooms')).toBe(1);
  expect(await usersOf(service)).toEqual(['ann' as UserId]);
});
