/** Room services that share rooms, before a real edge: joining, leaving, loss, and what viewers see. */
import { afterEach, describe, expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import { shardOf } from '../../src/shards.js';
import { until } from '../kit/edge.js';
import { RoomCluster, type ClusterMember } from '../kit/room-cluster.js';
import type { Viewer } from '../kit/viewer.js';

const ROOM = 'lobby';
let cluster: RoomCluster;
afterEach(() => cluster.stop());

function counts(): number[] {
  return cluster.living.map((member) => member.shards).sort((a, b) => a - b);
}

/** Publishes one keepable after another until told to stop; ids in order of their acknowledgement. */
function keepPublishing(room = ROOM) {
  let isOn = true;
  let longestMs = 0;
  const acknowledged: string[] = [];
  const done = (async () => {
    for (let i = 0; isOn; i++) {
      const began = performance.now();
      const { id } = await cluster.publish(room, { kind: 'notice', lane: 'high', text: `n${i}` });
      acknowledged.push(id);
      longestMs = Math.max(longestMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    acknowledged,
    longestMs: () => longestMs,
    stop: async () => {
      isOn = false;
      await done;
    },
  };
}

/** Every acknowledged publication came once, in order, without a hole in the offsets. */
async function expectAll(viewer: Viewer, acknowledged: readonly string[]): Promise<void> {
  const seen = () => viewer.publications.filter((each) => each['offset'] !== undefined);
  await until(() => seen().some((each) => each['id'] === acknowledged.at(-1)), 'the last one');
  expect(seen().map((each) => each['id'])).toEqual(acknowledged);
  const offsets = viewer.keepableOffsets;
  expect(offsets).toEqual(offsets.map((_, i) => offsets[0]! + i));
}

describe('members', () => {
  it('R-OWN-1 three share the shards evenly, and again when one joins or leaves', async () => {
    cluster = await RoomCluster.start(['a', 'b', 'c']);
    expect(counts()).toEqual([21, 21, 22]);
    await cluster.join('d');
    await cluster.balanced();
    expect(counts()).toEqual([16, 16, 16, 16]);
    await cluster.leave(cluster.members[0]!);
    await cluster.balanced();
    expect(counts()).toEqual([21, 21, 22]);
    expect(cluster.members.map((each) => each.metric('barrage_room_shards_lost_total'))).toEqual([
      0, 0, 0, 0,
    ]);
  });
});

describe('a planned hand-over', () => {
  it('R-OWN-6 under load loses no acknowledged publication and no danmaku, and is short', async () => {
    // Were a lease waited for, it would show.
    const leaseMs = 20_000;
    cluster = await RoomCluster.start(['a', 'b', 'c'], { rooms: [ROOM], leaseMs });
    const viewer = await cluster.viewer(ROOM, 'ann');
    const speaker = await cluster.viewer(ROOM, 'bob');
    const publishing = keepPublishing();
    let said = 0;
    const saying = setInterval(() => {
      speaker.say({ type: 'send', room: ROOM, id: `s${said}`, kind: 'like' });
      said++;
    }, 5);
    await until(() => publishing.acknowledged.length >= 20 && said >= 20);
    for (let turn = 0; turn < 2; turn++) {
      const before = publishing.acknowledged.length;
      await cluster.leave(await cluster.ownerOf(ROOM));
      await until(() => publishing.acknowledged.length >= before + 20);
    }
    clearInterval(saying);
    await publishing.stop();
    await expectAll(viewer, publishing.acknowledged);
    const verdicts = () => speaker.lines.filter((line) => line['type'] === 'verdict');
    await until(() => verdicts().length === said, 'all verdicts');
    const words = new Set(verdicts().map((line) => line['verdict'] as string));
    expect([...words].filter((word) => word !== 'counted' && word !== 'rate_limited')).toEqual([]);
    const stats = await (await cluster.ownerOf(ROOM)).rooms.calls.stats(ROOM as RoomId);
    expect(stats.likes).toBe(verdicts().filter((line) => line['verdict'] === 'counted').length);
    expect(publishing.longestMs()).toBeLessThan(leaseMs / 4);
  });

  it('R-OWN-7 the next owner takes in rooms with viewers unasked', async () => {
    cluster = await RoomCluster.start(['a', 'b'], { rooms: [ROOM] });
    const viewer = await cluster.viewer(ROOM, 'ann');
    const owner = await cluster.ownerOf(ROOM);
    const other = cluster.members.find((each) => each !== owner)!;
    expect(other.metric('barrage_room_online')).toBe(0);
    await until(() => owner.metric('barrage_room_online') === 1);
    const loaded = other.metric('barrage_room_rooms_loaded_total');
    await cluster.leave(owner);
    await until(() => other.metric('barrage_room_rooms_loaded_total') > loaded, 'the room');
    expect(other.metric('barrage_room_online')).toBe(1);
    await cluster.publish(ROOM, { kind: 'notice', lane: 'control', text: 'here' });
    await until(() => viewer.publications.some((each) => each['text'] === 'here'));
  });
});

describe('an unplanned loss', () => {
  it('R-OWN-3 R-OWN-5 a lost owner is replaced, nothing acknowledged is lost, its return does no harm', async () => {
    const leaseMs = 600;
    cluster = await RoomCluster.start(['a', 'b', 'c'], { rooms: [ROOM], leaseMs });
    const viewer = await cluster.viewer(ROOM, 'ann');
    const publishing = keepPublishing();
    await until(() => publishing.acknowledged.length >= 20);
    const lost = await cluster.ownerOf(ROOM);
    lost.kill();
    const before = publishing.acknowledged.length;
    await until(() => publishing.acknowledged.length >= before + 10, 'the next owner');
    await comeBack(lost);
    await until(() => lost.shards > 0, 'a share for who came back');
    await cluster.balanced();
    expect(lost.metric('barrage_room_shards_lost_total')).toBeGreaterThan(0);
    await publishing.stop();
    await expectAll(viewer, publishing.acknowledged);
    const lostFrames = [...cluster.edgeMeter.metrics].find(
      (metric) => metric.name === 'barrage_edge_frames_lost_total',
    )!;
    const stale = lostFrames.read().find((sample) => sample.labels['why'] === 'stale');
    expect(stale?.value).toBeGreaterThan(0);
    expect(viewer.publications.filter((each) => each['text'] === 'stale')).toEqual([]);
  });

  /** What it still had to send leaves under its old epoch. */
  async function comeBack(lost: ClusterMember): Promise<void> {
    lost.isBusCut = false;
    const stale = { kind: 'chat', lane: 'normal', text: 'stale' } as const;
    const fated = lost.rooms.calls.publish(ROOM as RoomId, stale).catch(() => undefined);
    const kept = { kind: 'notice', lane: 'control', text: 'stale' } as const;
    await expect(lost.rooms.calls.publish(ROOM as RoomId, kept)).rejects.toMatchObject({
      code: expect.stringMatching(/unavailable|store_failed/) as string,
    });
    await fated;
    lost.isStoreCut = false;
    lost.isGone = false;
  }

  it('R-OWN-4 a store out of reach stops only what is to be kept, for as long as it lasts', async () => {
    const leaseMs = 500;
    cluster = await RoomCluster.start(['a', 'b'], { rooms: [ROOM], leaseMs });
    const viewer = await cluster.viewer(ROOM, 'ann');
    const owner = await cluster.ownerOf(ROOM);
    const { calls } = owner.rooms;
    const room = ROOM as RoomId;
    for (const member of cluster.members) member.isStoreCut = true;
    const end = performance.now() + 4 * leaseMs;
    for (let i = 0; performance.now() < end; i++) {
      const text = `drop ${i}`;
      const dropped = await calls.publish(room, { kind: 'chat', lane: 'normal', text });
      expect(dropped.verdict).toBe('published');
      await expect(
        calls.publish(room, { kind: 'notice', lane: 'control', text: `keep ${i}` }),
      ).rejects.toMatchObject({ code: 'store_failed', retryAfterMs: 1000 });
      await until(() => viewer.publications.some((each) => each['text'] === text), text);
    }
    await expect(calls.read(`none-${shardOf(room)}` as RoomId)).rejects.toThrow();
    expect(counts()).toEqual([32, 32]);
    for (const member of cluster.members) member.isStoreCut = false;
    const kept = await calls.publish(room, { kind: 'notice', lane: 'control', text: 'kept' });
    expect(kept).toMatchObject({ verdict: 'published', offset: 1 });
    await until(() => viewer.publications.some((each) => each['text'] === 'kept'));
    expect(viewer.keepableOffsets).toEqual([1]);
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs));
    expect(await cluster.ownerOf(ROOM)).toBe(owner);
    expect(owner.metric('barrage_room_shards_lost_total')).toBe(0);
  });
});
