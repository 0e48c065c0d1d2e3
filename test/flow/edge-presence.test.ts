/** What an edge with real viewers tells of its users, and what it answers when asked. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Presence } from '../../edge/presence.js';
import { edgeMeters } from '../../edge/meters.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import type { EdgeId, RoomId, UserId } from '../../src/ids.js';
import { SetDigest } from '../../src/sketch/set-digest.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';
import { presenceAskSubject, presenceSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { encodeJson } from '../../src/wire/internal.js';
import {
  PRESENCE_DIGEST_MS,
  decodePresenceReport,
  type PresenceAsk,
  type PresenceReport,
} from '../../src/wire/presence.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { ManualClock } from '../kit/manual-clock.js';
import { Viewer } from '../kit/viewer.js';

const LOBBY = 'lobby' as RoomId;
const EDGE = 'edge-1' as EdgeId;

/** Everything an edge reported, and the users of the lobby as these reports have it. */
class Reports {
  readonly all: PresenceReport[] = [];
  readonly users = new Map<string, number>();

  constructor(bus: MemoryBus) {
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      bus.subscribe(presenceSubject(shard), (bytes) => {
        const report = decodePresenceReport(bytes)!;
        this.all.push(report);
        for (const [, users] of report.changes ?? []) {
          for (const [user, connections] of users) {
            if (connections === 0) this.users.delete(user);
            else this.users.set(user, connections);
          }
        }
      });
    }
  }
}

describe('with real viewers', () => {
  let kit: EdgeKit;
  let reports: Reports;

  beforeEach(async () => {
    kit = await startEdgeKit();
    reports = new Reports(kit.bus);
  });
  afterEach(() => kit.stop());

  it('R-PRES-1, R-PRES-6 sockets, event streams and polls of users are told, guests are not', async () => {
    const token = tokenFor('ann', { name: 'Ann', level: 3 });
    const first = await Viewer.connect(kit.port, { room: 'lobby', token });
    const second = await Viewer.connect(kit.port, { room: 'lobby', token });
    const guest = await Viewer.connect(kit.port, { room: 'lobby' });
    await Promise.all([first, second, guest].map((viewer) => viewer.line('joined')));
    const ears = new AbortController();
    const url = `http://127.0.0.1:${kit.port}/v1/rooms/lobby`;
    const events = await fetch(`${url}/events?token=${tokenFor('bob')}`, { signal: ears.signal });
    await events.body!.getReader().read();
    await fetch(`${url}/publications?token=${tokenFor('cid')}`);
    await fetch(`${url}/publications?token=${tokenFor('cid')}`);
    await until(() => reports.users.size === 3, 'three users');
    expect([...reports.users].sort()).toEqual([
      ['ann', 2],
      ['bob', 1],
      ['cid', 1],
    ]);
    const told = reports.all.flatMap(({ changes = [] }) => changes.flatMap(([, users]) => users));
    expect(told).toContainEqual(['ann', 2, 'Ann', 3, null]);
    await first.close();
    ears.abort();
    await until(() => reports.users.get('ann') === 1 && !reports.users.has('bob'), 'two leave');
    await second.close();
    await guest.close();
    await until(() => reports.users.size === 1, 'one is left');
    expect(kit.metric('barrage_edge_presence_reports_total', 'sent')).toBe(reports.all.length);
  });

  it('R-PRES-1 an edge that stops takes leave of everybody', async () => {
    const viewer = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor('ann') });
    await until(() => reports.users.size === 1, 'it is there');
    await fetch(
      `http://127.0.0.1:${kit.port}/v1/rooms/lobby/publications?token=${tokenFor('bob')}`,
    );
    await until(() => reports.users.size === 2, 'both are there');
    await kit.edge.stop();
    await until(() => reports.users.size === 0, 'nobody is there');
    await viewer.until(() => viewer.closed !== undefined);
  });
});

describe('asked by the owner', () => {
  function start() {
    const bus = new MemoryBus();
    const clock = new ManualClock();
    const meters = edgeMeters(new Meter());
    const presence = new Presence({ edge: EDGE, bus, clock, meters });
    const reports = new Reports(bus);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const ask = async (asked: PresenceAsk) => {
      const before = reports.all.length;
      bus.publish(presenceAskSubject(EDGE), encodeJson(asked));
      await turn();
      await turn();
      return reports.all.slice(before);
    };
    const enter = (id: string) =>
      presence.enter(LOBBY, { user: { id: id as UserId }, role: 'member' });
    const leave = (id: string) =>
      presence.leave(LOBBY, { user: { id: id as UserId }, role: 'member' });
    return { bus, clock, presence, reports, ask, enter, leave, turn, meters };
  }
  const shard = shardOf(LOBBY);

  it('R-PRES-1 joins at once leave as one batch, numbered without holes', async () => {
    const { clock, reports, enter, leave, turn } = start();
    for (let i = 0; i < 1200; i++) enter(`u${i}`);
    for (let i = 0; i < 200; i++) leave(`u${i}`);
    clock.advance(100);
    await turn();
    expect(reports.all.map(({ changes }) => changes![0]![1].length)).toEqual([500, 500, 200]);
    expect(reports.all.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(reports.users.size).toBe(1000);
    // What follows is told by digests, one in PRESENCE_DIGEST_MS.
    clock.advance(PRESENCE_DIGEST_MS - 200);
    await turn();
    expect(reports.all.filter(({ changes }) => changes !== undefined)).toHaveLength(3);
    expect(reports.all.length).toBeLessThanOrEqual(4);
  });

  it('R-PRES-1 digests of all shards are spread over their time, one of each', async () => {
    const { clock, presence, reports, turn } = start();
    const rooms = Array.from({ length: 500 }, (_, i) => `room-${i}` as RoomId);
    for (const room of rooms) {
      presence.enter(room, { user: { id: `in-${room}` as UserId }, role: 'member' });
    }
    clock.advance(200);
    await turn();
    const before = reports.all.length;
    const steps: number[] = [];
    for (let step = 0; step < 50; step++) {
      const seen = reports.all.length;
      clock.advance(PRESENCE_DIGEST_MS / 50);
      await turn();
      steps.push(reports.all.length - seen);
    }
    const shards = new Set(rooms.map(shardOf));
    expect(reports.all.length - before).toBe(shards.size);
    expect(Math.max(...steps)).toBeLessThanOrEqual(Math.ceil(SHARD_COUNT / 16));
  });

  it('R-PRES-3 a digest now and then, and a list in parts on request, hold who is here', async () => {
    const { clock, reports, enter, turn, ask } = start();
    for (let i = 0; i < 600; i++) enter(`u${i}`);
    clock.advance(PRESENCE_DIGEST_MS);
    await turn();
    const digest = new SetDigest();
    for (let i = 0; i < 600; i++) digest.toggle(`u${i}`, 1);
    const told = { part: 0, parts: 1, rooms: [[LOBBY, 600, digest.text]] };
    expect(reports.all.at(-1)?.digest).toEqual(told);
    const lists = await ask({ shard, rooms: [[LOBBY, 'list']] });
    expect(lists.map(({ list }) => [list!.part, list!.parts, list!.users.length])).toEqual([
      [0, 2, 500],
      [1, 2, 100],
    ]);
    expect((await ask({ shard, digest: true })).map((report) => report.digest)).toEqual([told]);
  });

  it('R-PRES-3 nobody of a room is an answer too', async () => {
    const { ask } = start();
    expect(await ask({ shard, rooms: [[LOBBY, 'list']], digest: true })).toMatchObject([
      { list: { part: 0, parts: 1, users: [] } },
      { digest: { part: 0, parts: 1, rooms: [] } },
    ]);
  });

  it('R-PRES-5, R-PRES-7 told to, it reports numbers and a sketch until the list is wanted again', async () => {
    const { clock, reports, enter, leave, turn, ask } = start();
    for (let i = 0; i < 300; i++) enter(`u${i}`);
    clock.advance(100);
    await turn();
    const [first] = await ask({ shard, rooms: [[LOBBY, 'counts']] });
    const seenBy = (report: PresenceReport | undefined) =>
      UniqueCount.decode(Buffer.from(report!.counts![0]![2]!, 'base64')).count();
    expect(first?.counts![0]!.slice(0, 2)).toEqual([LOBBY, 300]);
    expect(Math.abs(seenBy(first) - 300)).toBeLessThan(20);
    const before = reports.all.length;
    for (let i = 300; i < 400; i++) enter(`u${i}`);
    for (let i = 0; i < 50; i++) leave(`u${i}`);
    clock.advance(1000);
    await turn();
    expect(reports.all.slice(before).map(({ counts }) => counts)).toEqual([[[LOBBY, 350]]]);
    clock.advance(PRESENCE_DIGEST_MS);
    await turn();
    const later = reports.all.slice(before + 1);
    expect(later.some(({ changes }) => changes !== undefined)).toBe(false);
    expect(Math.abs(seenBy(later.find(({ counts }) => counts !== undefined)) - 400)).toBeLessThan(
      25,
    );
    expect(later.find((report) => report.digest)?.digest?.rooms).toEqual([[LOBBY, 350, '']]);
    const [list] = await ask({ shard, rooms: [[LOBBY, 'list']] });
    expect(list?.list?.users).toHaveLength(350);
    leave('u399');
    clock.advance(100);
    await turn();
    expect(reports.all.at(-1)?.changes).toEqual([[LOBBY, [['u399', 0]]]]);
  });

  it('R-PRES-3 what is no question is counted and nothing more', async () => {
    const { bus, turn, reports, meters } = start();
    bus.publish(presenceAskSubject(EDGE), Buffer.from('{"shard":-1}'));
    await turn();
    expect(meters.presenceReports.get('unreadable')).toBe(1);
    expect(reports.all).toEqual([]);
  });
});
