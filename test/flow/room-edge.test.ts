/** What edges and a room service say to each other over the bus. */
import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import { FRAME_BYTES_MAX } from '../../src/limits.js';
import { DEFAULT_SETTINGS, edgeRules } from '../../src/room-settings.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';
import { encodeOwnerNote } from '../../src/ownership/owner-note.js';
import { ownersSubject, uplinkSubject } from '../../src/subjects.js';
import { AUDIENCE_FORGET_MS, encodeJson, type RoomSnapshot } from '../../src/wire/internal.js';
import { EDGE, Ear, ROOM, restart, startService, stopAll, user } from '../kit/room-service.js';

const notice = (text: string) => ({ kind: 'notice', text });
const other = 'other' as RoomId;

describe('uplink', () => {
  it('R-ADMIT-1 every danmaku of a crowd gets exactly one verdict, and the books balance', async () => {
    const { normal, ...others } = DEFAULT_SETTINGS.lanes;
    const lanes = { ...others, normal: { ...normal, depth: 40 } };
    const defaults = { ...DEFAULT_SETTINGS, uplinkPerSecond: 5000, uplinkBurst: 500, lanes };
    const service = await startService({ options: { defaults } });
    const total = 3000;
    for (let ref = 0; ref < total; ref += 100) {
      const items = Array.from({ length: 100 }, (_, i) => ({
        ref: ref + i,
        user: { id: `u${(ref + i) % 400}` },
        text: `t${(ref + i) % 50}`,
      }));
      service.say(...items);
      const at = service.clock.now();
      await service.until(() => service.clock.now() > at + 30);
    }
    await service.until(() => service.verdicts.length >= total);
    const at = service.clock.now();
    await service.until(() => service.clock.now() > at + 2000);
    expect(service.verdicts).toHaveLength(total);
    expect(new Set(service.verdicts.map((item) => item.ref)).size).toBe(total);
    const stats = await service.run(service.calls.stats(ROOM));
    const ended = Object.values(stats.verdicts).reduce((sum, count) => sum + count, 0);
    expect([stats.received, ended]).toEqual([total, total]);
    const published = service.verdicts.filter((item) => item.verdict === 'published');
    const ids = service.ear.publications('drop').map((each) => each.id);
    expect(published.map((item) => item.id).sort()).toEqual(ids.sort());
    const lost = (stats.verdicts.sampled_out ?? 0) + (stats.verdicts.shed ?? 0);
    const told = service.ear.frames.reduce((sum, frame) => sum + frame.shed, 0);
    expect(told).toBe(lost);
    expect(lost).toBeGreaterThan(0);
    await stopAll(service);
  });

  it('R-ADMIT-1 danmaku of an unknown room end as unknown_room', async () => {
    const service = await startService();
    service.say({ ref: 1, room: 'nowhere' });
    await service.until(() => service.verdict(1) !== undefined);
    expect(service.verdict(1)!.verdict).toBe('unknown_room');
    await stopAll(service);
  });

  it('R-ADMIT-1 what is no batch or no danmaku is counted, and its sender told when known', async () => {
    const service = await startService();
    const subject = uplinkSubject(shardOf(ROOM));
    const batches = [
      'not json',
      'null',
      '{"edge":"a.b","seq":1,"items":[]}',
      '{"edge":"e","seq":"x","items":[]}',
      `{"edge":"e","seq":1,"items":[${Array(513).fill('{}').join(',')}]}`,
    ];
    for (const batch of batches) service.bus.publish(subject, Buffer.from(batch));
    service.bus.publish(subject, Buffer.alloc(1 << 20, 32));
    const good = { room: ROOM, user: { id: 'u' }, role: 'member', kind: 'danmaku', text: 'x' };
    const items = [
      { ...good, ref: 1, room: 'a b' },
      { ...good, ref: 2, user: { id: 'a b' } },
      { ...good, ref: 3, role: 'king' },
      { ...good, ref: 4, style: { mode: 'explode' } },
      { ...good, ref: 5, text: 'x'.repeat(5000) },
      { ...good, ref: 6, kind: 'No' },
      { ...good, ref: 'seven' },
      null,
      { ...good, ref: 9 },
    ];
    service.bus.publish(subject, encodeJson({ edge: EDGE, seq: 1, at: 0, items }));
    await service.until(() => service.verdicts.length === 7);
    const invalid = service.verdicts.filter((item) => item.verdict === 'invalid');
    expect(invalid.map((item) => item.ref)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(service.verdict(9)!.verdict).toBe('published');
    const flaws = 'barrage_room_uplink_flaws_total';
    expect(service.metric(flaws, { flaw: 'unreadable' })).toBe(6);
    expect(service.metric(flaws, { flaw: 'bad_item' })).toBe(8);
    await stopAll(service);
  });

  it('A-8 holes in the batches of an edge are counted', async () => {
    const service = await startService();
    service.say({ ref: 1 });
    service.skipBatches(3);
    service.say({ ref: 2 });
    service.say({ ref: 3 });
    await service.until(() => service.verdicts.length === 3);
    expect(service.metric('barrage_room_uplink_holes_total')).toBe(3);
    await stopAll(service);
  });

  it('R-ADMIT-1 danmaku that arrive while their room is loaded wait in order, up to a bound', async () => {
    const first = await startService();
    const service = await restart(first);
    for (let batch = 0; batch < 3; batch++) {
      const items = Array.from({ length: 500 }, (_, i) => ({ ref: batch * 500 + i }));
      service.say(...items.map((item) => ({ ...item, kind: 'like' })));
    }
    await service.until(() => service.verdicts.length === 1500);
    const words = service.verdicts.map((item) => item.verdict);
    expect(words.filter((word) => word === 'counted')).toHaveLength(1000);
    expect(words.filter((word) => word === 'unavailable')).toHaveLength(500);
    expect(service.metric('barrage_room_rooms_loaded_total')).toBe(1);
    await stopAll(service);
  });
});

describe('frames', () => {
  it('W-4 frames over the size limit are split, offsets following', async () => {
    const { control, ...others } = DEFAULT_SETTINGS.lanes;
    const lanes = { ...others, control: { ...control, bytes: 1 << 20 } };
    const service = await startService({ options: { defaults: { ...DEFAULT_SETTINGS, lanes } } });
    const release = service.store.hold();
    const text = '\u5f39'.repeat(990);
    const posts = Array.from({ length: 100 }, (_, i) =>
      service.calls.publish(ROOM, notice(`${i} ${text}`)),
    );
    await service.until(() => service.store.commits.some((commit) => commit.append));
    release();
    await service.run(Promise.all(posts));
    await service.until(() => service.ear.publications('keep').length === 100);
    const frames = service.ear.frames.filter((frame) => frame.class === 'keep');
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames) {
      expect(frame.bytes).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      expect(frame.offset).toBe(frame.publications[0]!.offset);
    }
    const offsets = service.ear.publications('keep').map((each) => each.offset);
    expect(offsets).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    await stopAll(service);
  });

  it('A-8 what the bus does not take is counted, and kept publications stay readable', async () => {
    const service = await startService({
      busAnswer: (subject) => (subject.startsWith('barrage.room.') ? 'full' : undefined),
    });
    const fated = await service.run(service.calls.publish(ROOM, notice('lost on the way')));
    expect(fated).toMatchObject({ verdict: 'published', offset: 1 });
    for (let ref = 0; ref < 50; ref++) service.say({ ref, role: 'host', user: { id: `h${ref}` } });
    await service.until(() => service.verdicts.length === 50);
    expect(service.metric('barrage_room_bus_losses_total', { answer: 'full' })).toBeGreaterThan(1);
    const replay = await service.replay(1, 500);
    expect(replay.ok && replay.entries.length).toBe(51);
    await stopAll(service);
  });

  it('E-POS-1 the number of viewers alone is told at most every five seconds', async () => {
    const service = await startService();
    for (let second = 0; second < 11; second++) {
      service.report(10 + second);
      const at = service.clock.now();
      await service.until(() => service.clock.now() >= at + 1000);
    }
    const online = service.ear.frames.map((frame) => frame.online);
    expect(online[0]).toBe(10);
    expect(online.length).toBeGreaterThanOrEqual(2);
    expect(online.length).toBeLessThanOrEqual(3);
    expect(service.ear.publications()).toEqual([]);
    await stopAll(service);
  });
});

describe('calls of edges', () => {
  it('E-POS-1 a snapshot is the room as later frames continue it', async () => {
    const service = await startService();
    const { calls } = service;
    await service.run(calls.publish(ROOM, notice('kept')));
    await service.run(calls.publish(ROOM, { kind: 'chat', text: 'dropped' }));
    await service.run(calls.impose(ROOM, 'bans', { user: user('b'), until: 0 }));
    service.report(3);
    await service.until(() => service.ear.frames.some((frame) => frame.online === 3));
    const snapshot = (await service.snapshot()) as unknown as RoomSnapshot;
    expect(snapshot).toMatchObject({
      ok: true,
      room: ROOM,
      status: 'open',
      offset: 1,
      online: 3,
      rules: {
        ...edgeRules(DEFAULT_SETTINGS),
        viewerKinds: expect.arrayContaining(DEFAULT_SETTINGS.viewerKinds.slice()),
      },
      banned: [['b', 0]],
      tick: service.ear.frames.at(-1)!.tick,
    });
    expect(snapshot.epochs).toEqual([[snapshot.epoch, 1]]);
    expect(snapshot.recent.map(([offset]) => offset)).toEqual([1, 0]);
    const missing = await service.snapshot('none' as RoomId);
    expect(missing).toMatchObject({ ok: false, code: 'unknown_room' });
    await stopAll(service);
  });

  it('E-POS-4 a replay is contiguous from the offset asked for, or empty', async () => {
    const service = await startService({
      options: { defaults: { ...DEFAULT_SETTINGS, logCount: 100 } },
    });
    for (let i = 1; i <= 150; i++) await service.run(service.calls.publish(ROOM, notice(`${i}`)));
    const offsets = async (from: number, limit: number) => {
      const answer = await service.replay(from, limit);
      return answer.ok ? answer.entries.map(([offset]) => offset) : [];
    };
    expect(await offsets(140, 3)).toEqual([140, 141, 142]);
    expect(await offsets(149, 50)).toEqual([149, 150]);
    expect(await offsets(1, 50)).toEqual([]);
    expect(await offsets(151, 50)).toEqual([]);
    await stopAll(service);
  });

  it('B-3 what is no call is answered, not thrown', async () => {
    const service = await startService();
    for (const call of [{}, { call: 'replay', room: ROOM, from: -1, limit: 2 }, null, 'x']) {
      const subject = `barrage.shard.${shardOf(ROOM)}.call`;
      const answer = await service.bus.request(subject, encodeJson(call), 1000);
      expect(JSON.parse(Buffer.from(answer).toString())).toMatchObject({ ok: false });
    }
    expect(service.metric('barrage_room_edge_calls_total', { call: 'unreadable' })).toBe(4);
    await stopAll(service);
  });
});

describe('audience', () => {
  it('R-TICK-9 the edges` reports are summed, and a silent edge is forgotten', async () => {
    const service = await startService();
    const online = async () => (await service.run(service.calls.read(ROOM))).online;
    service.report(100, 'a');
    service.report(50, 'b');
    await service.until(() => service.metric('barrage_room_online') === 150);
    expect(await online()).toBe(150);
    service.report(70, 'a');
    await service.until(() => service.metric('barrage_room_online') === 120);
    const silent = service.clock.now();
    while (service.clock.now() < silent + AUDIENCE_FORGET_MS + 1000) {
      service.report(70, 'a');
      const at = service.clock.now();
      await service.until(() => service.clock.now() >= at + 500);
    }
    expect(await online()).toBe(70);
    service.report(0, 'a');
    await service.until(() => service.metric('barrage_room_online') === 0);
    expect(await online()).toBe(0);
    await stopAll(service);
  });

  it('E-OUT-5 a room with viewers is taken in by their report alone, and its edges told', async () => {
    const service = await restart(await startService());
    expect(service.metric('barrage_room_rooms')).toBe(0);
    service.report(5);
    await service.until(() => service.ear.frames.length === 1);
    expect(service.metric('barrage_room_rooms')).toBe(1);
    expect(service.ear.notes[0]).toEqual({ note: 'owner' });
    expect(service.ear.frames[0]).toMatchObject({ class: 'drop', online: 5, publications: [] });
    await stopAll(service);
  });
});

describe('memory', () => {
  it('R-KEEP-2 a room nobody uses is parked, and goes on where it was', async () => {
    const service = await startService({ options: { parkAfterMs: 5000 } });
    const { calls } = service;
    const ids = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const kept = await service.run(calls.publish(ROOM, notice(`${round}`)));
      const dropped = await service.run(calls.publish(ROOM, { kind: 'chat', text: `${round}` }));
      ids.add(kept.id).add(dropped.id);
      expect(kept.offset).toBe(round + 1);
      service.say({ ref: round, kind: 'like' });
      await service.until(() => service.verdict(round) !== undefined);
      service.clock.advance(10_000);
      await service.until(() => service.metric('barrage_room_rooms') === 0);
    }
    expect(ids.size).toBe(6);
    expect((await service.run(calls.stats(ROOM))).likes).toBe(3);
    const ticks = service.ear.frames.map((frame) => frame.tick);
    expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
    expect(new Set(service.ear.frames.map((frame) => frame.epoch)).size).toBe(1);
    await stopAll(service);
  });

  it('R-KEEP-2 many rooms are looked after in steps, and every one of them gets its turn', async () => {
    const service = await startService({ options: { parkAfterMs: 5000 } });
    const names = Array.from({ length: 230 }, (_, i) => `many-${i}` as RoomId);
    for (const room of names) await service.run(service.calls.create({ room }));
    expect(service.metric('barrage_room_rooms')).toBe(231);
    const left: number[] = [];
    for (let i = 0; i < 10_000 && left.at(-1) !== 0; i++) {
      service.clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
      left.push(service.metric('barrage_room_rooms'));
    }
    const atOnce = left.slice(1).map((count, i) => left[i]! - count);
    expect(left.at(-1)).toBe(0);
    expect(Math.max(...atOnce)).toBeLessThanOrEqual(60);
    await stopAll(service);
  });

  it('R-KEEP-2 a room with viewers is not parked', async () => {
    const service = await startService({ options: { parkAfterMs: 2000 } });
    for (let i = 0; i < 8; i++) {
      service.report(1);
      const at = service.clock.now();
      await service.until(() => service.clock.now() >= at + 1000);
    }
    expect(service.metric('barrage_room_rooms')).toBe(1);
    await stopAll(service);
  });

  it('A-3 rooms in memory are bounded: idle ones make way, else the call is refused', async () => {
    const service = await startService({ options: { roomsMax: 1 } });
    service.report(1);
    await service.until(() => service.ear.frames.length === 1);
    await expect(service.run(service.calls.create({ room: other }))).rejects.toMatchObject({
      code: 'unavailable',
    });
    service.report(0);
    const at = service.clock.now();
    await service.until(() => service.clock.now() > at + 1000);
    expect((await service.run(service.calls.create({ room: other }))).room).toBe(other);
    expect(service.metric('barrage_room_rooms')).toBe(1);
    await stopAll(service);
  });

  it('O-3 a stop sends and answers all that waits, and gives the shards back', async () => {
    const service = await startService();
    const posts = [
      service.calls.publish(ROOM, notice('kept')),
      service.calls.publish(ROOM, { kind: 'chat', text: 'dropped' }),
    ];
    service.say(...Array.from({ length: 200 }, (_, ref) => ({ ref })));
    await new Promise((resolve) => setImmediate(resolve));
    await service.run(service.rooms.stop());
    const fates = await Promise.all(posts);
    expect(fates.map((fated) => fated.verdict)).toEqual(['published', 'published']);
    await service.until(() => service.verdicts.length === 200);
    const later = await startService({
      clock: service.clock,
      store: service.store,
      options: { ensure: [], member: 'another' },
    });
    expect(later.metric('barrage_room_shards')).toBe(SHARD_COUNT);
    expect((await later.run(later.calls.stats(ROOM))).offset).toBe(1);
    await stopAll(later);
  });

  it('R-ADMIT-1 R-OWN-5 what waits in a room that is lost to another ends as unavailable', async () => {
    const first = await startService({ options: { leaseMs: 3000 } });
    const posts = Array.from({ length: 300 }, (_, ref) => ({ ref, user: { id: `u${ref}` } }));
    first.say(...posts);
    const epoch = await first.store.inner.acquire(shardOf(ROOM), 'one', 60_000);
    const taken = { note: 'taken', lease: shardOf(ROOM), epoch: epoch!, owner: 'two' } as const;
    first.bus.publish(ownersSubject('rooms'), encodeOwnerNote(taken));
    await first.until(() => first.verdicts.length === 300);
    const words = first.verdicts.map(({ verdict }) => verdict);
    expect(words.filter((word) => word === 'unavailable').length).toBeGreaterThan(0);
    await stopAll(first);
  });

  it('S-5 R-OWN-1 a second owner waits for its share, ready without one, and takes all over at the end', async () => {
    const first = await startService({ options: { leaseMs: 3000 } });
    const { clock, store, bus } = first;
    const options = { member: 'two', leaseMs: 3000, ensure: [] };
    const second = await startService({ clock, store, options });
    // Ready to take calls for others; a call here for a room that is not its own is refused.
    expect(second.rooms.isReady()).toBe(true);
    await expect(second.run(second.calls.read(ROOM))).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterMs: 1000,
    });
    const shards = () => [first, second].map((each) => each.metric('barrage_room_shards'));
    expect(shards()).toEqual([SHARD_COUNT, 0]);
    await first.until(() => shards().every((count) => count === SHARD_COUNT / 2));
    const at = clock.now();
    for (let ms = 500; ms <= 6000; ms += 500) await first.until(() => clock.now() >= at + ms);
    expect(shards()).toEqual([SHARD_COUNT / 2, SHARD_COUNT / 2]);
    await first.run(first.rooms.stop());
    await second.until(() => second.metric('barrage_room_shards') === SHARD_COUNT);
    const ear = new Ear(second.bus, ROOM);
    await second.run(second.calls.publish(ROOM, notice('mine now')));
    await second.until(() => ear.publications().length === 1);
    expect(bus.isUp()).toBe(true);
    await stopAll(second);
  });
});
