/**
 * The CDN mode of rooms over several room services and a real edge: what viewers, pushers and other
 * services hear of it. Pushers are played by their beats; the real ones are in cdn-service.test.ts.
 */
import { afterEach, expect, it } from 'vitest';
import { CDNS_SHARD } from '../../room/cdn/desk.js';
import type { RoomId } from '../../src/ids.js';
import { shardOf } from '../../src/shards.js';
import { cdnSubject, cdnSumsSubject, pushersSubject } from '../../src/subjects.js';
import { decodeCdnNote, type CdnFact, type CdnNote } from '../../src/wire/cdn.js';
import type { CdnSpec } from '../../src/wire/cdn-state.js';
import { encodeJson } from '../../src/wire/internal.js';
import { RoomCluster, type ClusterOptions } from '../kit/room-cluster.js';
import { untilTrue } from '../kit/until-true.js';

const ROOM = 'lobby' as RoomId;
const A: CdnSpec = { id: 'a', url: 'https://a.example/', weight: 1 };
const B: CdnSpec = { id: 'b', url: 'https://b.example/', weight: 1 };
const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(names: readonly string[], more: ClusterOptions = {}) {
  const cdn = { sources: [A], pollMs: 1000, segmentMs: 1000 };
  const cluster = await RoomCluster.start(names, { rooms: [ROOM], cdn, ...more });
  ends.push(() => cluster.stop());
  const notes: CdnNote[] = [];
  const hearing = cluster.bus.subscribe(cdnSubject(shardOf(ROOM)), (bytes) => {
    notes.push(decodeCdnNote(bytes));
  });
  ends.push(() => hearing.cancel());
  return { cluster, notes };
}

const until = (holds: () => boolean | Promise<boolean>, what: string) =>
  untilTrue(what, async () => holds());

/** A pusher that has the room's shard; its end is asked for. */
function pusher({ bus, clock }: RoomCluster): () => void {
  const beat = encodeJson({ member: 'p', shards: [shardOf(ROOM)] });
  bus.publish(pushersSubject(), beat);
  const beating = clock.every(200, () => bus.publish(pushersSubject(), beat));
  ends.push(() => beating.cancel());
  return () => beating.cancel();
}

const choose = async (cluster: RoomCluster, cdn: 'off' | 'on' | 'auto') =>
  (await cluster.ownerOf(ROOM)).rooms.calls.changeLimits(ROOM, { cdn }, false);
const viewOf = async (cluster: RoomCluster) =>
  (await cluster.ownerOf(ROOM)).rooms.calls.cdn.room(ROOM);
const modes = (notes: readonly CdnNote[]) => notes.map(({ rooms }) => rooms[0]![1]);

it('R-CDN-4, E-POLL-5 on and off are told to viewers once, to those who come, and to pushers in time', async () => {
  const { cluster, notes } = await start(['one']);
  pusher(cluster);
  const early = await cluster.viewer(ROOM, 'early');
  await choose(cluster, 'on');
  const fact: CdnFact = {
    ...{ mode: 'on', pollMs: 1000, segmentMs: 1000, manifest: 'lobby/manifest.json' },
    sources: [{ id: 'a', url: A.url, weight: 100 }],
  };
  await until(() => early.publications.some(({ kind }) => kind === 'cdn'), 'the publication');
  const told = early.publications.filter(({ kind }) => kind === 'cdn');
  expect(told).toMatchObject([{ lane: 'control', data: fact }]);
  expect(told[0]!.offset).toBeGreaterThan(0);
  // Pushers heard of it well before viewers did.
  expect(modes(notes).slice(0, 2)).toEqual(['on', 'on']);
  const late = await cluster.viewer(ROOM, 'late');
  expect(await late.line('joined')).toMatchObject({ cdn: fact });
  await until(() => notes.length >= 3, 'announcements');
  expect(modes(notes)).not.toContain('off');
  // Who polls hears of it in the first answer, in further ones as all do.
  const url = `http://127.0.0.1:${cluster.edge.port}/v1/rooms/${ROOM}/publications`;
  const polled = (await (await fetch(url)).json()) as { cdn?: unknown; cursor: string };
  expect(polled.cdn).toEqual(fact);
  const next = await (await fetch(`${url}?cursor=${polled.cursor}&waitMs=0`)).json();
  expect(next).not.toHaveProperty('cdn');
  expect(await viewOf(cluster)).toMatchObject({ choice: 'on', mode: 'on', why: 'chosen' });
  await choose(cluster, 'off');
  await until(() => early.publications.filter(({ kind }) => kind === 'cdn').length === 2, 'off');
  expect(early.publications.at(-1)).toMatchObject({ data: { mode: 'off' } });
  await until(() => modes(notes).filter((mode) => mode === 'off').length >= 5, 'off for 5 s');
  expect(await (await fetch(url)).json()).not.toHaveProperty('cdn');
  const after = await cluster.viewer(ROOM, 'after');
  expect(await after.line('joined')).toMatchObject({ cdn: null });
});

it('R-CDN-4 what is taken back before viewers heard of it is taken back from pushers too', async () => {
  const { cluster, notes } = await start(['one']);
  pusher(cluster);
  const viewer = await cluster.viewer(ROOM, 'ann');
  await choose(cluster, 'on');
  await until(() => notes.length > 0, 'an announcement');
  await choose(cluster, 'off');
  await until(() => modes(notes).at(-1) === 'off', 'the end');
  await cluster.publish(ROOM, { kind: 'notice', text: 'after' });
  await until(() => viewer.publications.at(-1)?.text === 'after', 'the notice');
  expect(viewer.publications.filter(({ kind }) => kind === 'cdn')).toEqual([]);
});

it('R-CDN-3 nobody writes files: the room stays where it is, and goes when somebody does', async () => {
  const { cluster, notes } = await start(['one']);
  await choose(cluster, 'on');
  await new Promise((resolve) => cluster.clock.after(1200, () => resolve(undefined)));
  expect(await viewOf(cluster)).toMatchObject({ choice: 'on', mode: 'off', written: false });
  expect(notes).toEqual([]);
  pusher(cluster);
  await until(async () => (await viewOf(cluster)).mode === 'on', 'on');
  expect(await viewOf(cluster)).toMatchObject({ written: true });
});

it('R-CDN-13 the only pusher says that it ends: off at once, on again when one writes, no stay between', async () => {
  const { cluster } = await start(['one'], { settings: { cdnStayMs: 60_000 } });
  const end = pusher(cluster);
  await choose(cluster, 'on');
  await until(async () => (await viewOf(cluster)).mode === 'on', 'on');
  end();
  const last = { member: 'p', shards: [shardOf(ROOM)], isLast: true };
  cluster.bus.publish(pushersSubject(), encodeJson(last));
  const began = performance.now();
  await until(async () => (await viewOf(cluster)).mode === 'off', 'off');
  expect(performance.now() - began).toBeLessThan(2500);
  expect(await viewOf(cluster)).toMatchObject({ why: 'pusher_ends', written: false });
  pusher(cluster);
  await until(async () => (await viewOf(cluster)).mode === 'on', 'on again');
  expect(await viewOf(cluster)).toMatchObject({ why: 'chosen', written: true });
});

it('R-CDN-2 auto follows the audience', async () => {
  const settings = { cdnOnAbove: 2, cdnOffBelow: 1, cdnStayMs: 1000 };
  const { cluster } = await start(['one'], { settings });
  pusher(cluster);
  const first = await cluster.viewer(ROOM, 'first');
  await until(async () => (await viewOf(cluster)).online === 1, 'one viewer');
  expect(await viewOf(cluster)).toMatchObject({ choice: 'auto', mode: 'off', why: 'start' });
  const second = await cluster.viewer(ROOM, 'second');
  await until(async () => (await viewOf(cluster)).mode === 'on', 'on');
  expect(await viewOf(cluster)).toMatchObject({ why: 'audience' });
  second.cut();
  first.cut();
  await until(async () => (await viewOf(cluster)).mode === 'off', 'off');
  expect(await viewOf(cluster)).toMatchObject({ why: 'audience', online: 0 });
});

it('R-CDN-11 auto follows the egress that the audience asks for, marks changed while it runs', async () => {
  const settings = { cdnStayMs: 1000, userPerSecond: 1000, userBurst: 1000, budgetPerSecond: 1000 };
  const { cluster } = await start(['one'], { settings });
  pusher(cluster);
  const viewers = await Promise.all(['u', 'v'].map((user) => cluster.viewer(ROOM, user)));
  await until(async () => (await viewOf(cluster)).online === 2, 'two viewers');
  const change = async (limits: Record<string, number>) =>
    (await cluster.ownerOf(ROOM)).rooms.calls.changeLimits(ROOM, limits, false);
  await expect(change({ cdnEgressOnAbove: 4000 })).rejects.toMatchObject({
    ...{ code: 'invalid', field: 'cdnEgressOnAbove', rule: 'above cdnEgressOffBelow (536870912)' },
  });
  let n = 0;
  const say = () => {
    const text = `${n} a danmaku of some length`.padEnd(90, '.');
    viewers[0]!.say({ type: 'send', room: ROOM, id: `d${n++}`, kind: 'danmaku', text });
  };
  const saying = cluster.clock.every(20, say);
  ends.push(() => saying.cancel());
  await until(async () => (await viewOf(cluster)).egressBytesPerSecond > 1500, 'the demand');
  expect(await viewOf(cluster)).toMatchObject({ mode: 'off', why: 'start' });
  await change({ cdnEgressOnAbove: 1000, cdnEgressOffBelow: 500 });
  await until(async () => (await viewOf(cluster)).mode === 'on', 'on');
  expect(await viewOf(cluster)).toMatchObject({ why: 'egress', online: 2 });
  const told = () => viewers.map((v) => v.publications.filter(({ kind }) => kind === 'cdn').length);
  await until(() => told().join() === '1,1', 'the publication');
  // Both turn to the files: the edge sends them no droppables, and the room does not come back.
  for (const viewer of viewers) viewer.say({ type: 'receive', room: ROOM, classes: 'keep' });
  const shown = () => viewers[1]!.publications.filter(({ kind }) => kind === 'danmaku').length;
  await new Promise((resolve) => cluster.clock.after(500, () => resolve(undefined)));
  const [before, said] = [shown(), n];
  await new Promise((resolve) => cluster.clock.after(2500, () => resolve(undefined)));
  expect(n - said).toBeGreaterThan(50);
  expect(shown()).toBe(before);
  const view = await viewOf(cluster);
  expect(view).toMatchObject({ mode: 'on', why: 'egress' });
  expect(view.egressBytesPerSecond).toBeGreaterThan(1000);
  // It falls silent, and is over the lower mark no longer.
  saying.cancel();
  await change({ cdnEgressOnAbove: 2 ** 40, cdnEgressOffBelow: 2 ** 39 });
  // A service that has measured for less than 23 s calls nothing low.
  const isOff = async () => (await viewOf(cluster)).mode === 'off';
  await new Promise((resolve) => cluster.clock.after(9000, () => resolve(undefined)));
  await until(isOff, 'off');
  expect(await viewOf(cluster)).toMatchObject({ why: 'egress' });
}, 60_000);

it('R-CDN-12, E-CDN-4 viewers of an edge of a region are told the region and its weights', async () => {
  const elsewhere: CdnSpec = { id: 'c', url: 'https://c.example/', weight: 1, notRegions: ['eu'] };
  const cdn = { sources: [A, B, elsewhere], pollMs: 1000, segmentMs: 1000 };
  const { cluster } = await start(['one'], { cdn, region: 'eu' });
  pusher(cluster);
  const viewers = await Promise.all(['u', 'v', 'w'].map((user) => cluster.viewer(ROOM, user)));
  expect(await viewers[0]!.line('joined')).toMatchObject({ region: 'eu', cdn: null });
  await choose(cluster, 'on');
  const last = () => viewers[0]!.publications.findLast(({ kind }) => kind === 'cdn')?.data;
  await until(() => last() !== undefined, 'the publication');
  expect(last()).toMatchObject({ mode: 'on', regions: { eu: [100, 100, null] } });
  // One of them fails in this region; viewers of another report that it serves them.
  const report = { missed: 0, delayMs: 0 };
  const sum = { source: 'a', reports: 9, missed: 0, bytes: 0, delayMs: 0, delays: 0 };
  cluster.bus.publish(
    cdnSumsSubject(),
    encodeJson({ edge: 'edge-us', region: 'us', sums: [{ ...sum, ok: 300, failed: 0 }] }),
  );
  for (const viewer of viewers) {
    viewer.say({ type: 'report', room: ROOM, cdn: { source: 'a', ok: 0, failed: 30, ...report } });
  }
  await until(() => JSON.stringify(last()).includes('"eu":[0,100,null]'), 'the fall in the region');
  expect(last()).toMatchObject({ sources: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] });
  expect((last() as { sources: { weight: number }[] }).sources[0]!.weight).toBeGreaterThan(0);
  expect(await viewOf(cluster)).toMatchObject({ regions: { eu: [0, 100, null] } });
  const late = await cluster.viewer(ROOM, 'late');
  const joined = await late.line('joined');
  expect(joined).toMatchObject({ region: 'eu', cdn: { regions: { eu: [0, 100, null] } } });
  expect(joined['cdn']).toEqual(last());
  // Who polls hears of both in the first answer, and not again.
  const url = `http://127.0.0.1:${cluster.edge.port}/v1/rooms/${ROOM}/publications`;
  const polled = (await (await fetch(url)).json()) as { cursor: string };
  expect(polled).toMatchObject({ region: 'eu', cdn: { regions: { eu: [0, 100, null] } } });
  const next = await (await fetch(`${url}?cursor=${polled.cursor}&waitMs=0`)).json();
  expect(next).not.toHaveProperty('region');
});

it('R-CDN-5 a new owner goes on in the mode of the old one and tells viewers nothing twice', async () => {
  const { cluster, notes } = await start(['one', 'two'], { leaseMs: 1000 });
  pusher(cluster);
  const viewer = await cluster.viewer(ROOM, 'ann');
  await choose(cluster, 'on');
  await until(() => viewer.publications.some(({ kind }) => kind === 'cdn'), 'the publication');
  const owner = await cluster.ownerOf(ROOM);
  const before = notes.at(-1)!.epoch;
  owner.kill();
  await until(() => notes.at(-1)!.epoch > before, 'the new owner announces');
  expect(modes(notes)).not.toContain('off');
  const { mode, since, why } = await viewOf(cluster);
  expect([mode, why]).toEqual(['on', 'chosen']);
  expect(since).toBeLessThan(Date.now());
  await cluster.publish(ROOM, { kind: 'notice', text: 'on we go' });
  await until(() => viewer.publications.at(-1)?.text === 'on we go', 'the notice');
  expect(viewer.publications.filter(({ kind }) => kind === 'cdn')).toHaveLength(1);
  const late = await cluster.viewer(ROOM, 'late');
  expect(await late.line('joined')).toMatchObject({ cdn: { mode: 'on' } });
});

it('R-CDN-6, R-CDN-10 a table set by a call holds in all services, is told to viewers and kept', async () => {
  const { cluster } = await start(['one', 'two']);
  pusher(cluster);
  const viewer = await cluster.viewer(ROOM, 'ann');
  await choose(cluster, 'on');
  await until(() => viewer.publications.some(({ kind }) => kind === 'cdn'), 'the publication');
  const keeper = cluster.members.find(({ rooms }) => rooms.shards.isMine(CDNS_SHARD))!;
  const other = cluster.members.find((member) => member !== keeper)!;
  await expect(other.rooms.calls.cdn.setCdns([B])).rejects.toMatchObject({ code: 'unavailable' });
  await expect(keeper.rooms.calls.cdn.setCdns([B, B])).rejects.toMatchObject({
    ...{ code: 'invalid', field: 'cdns' },
  });
  await keeper.rooms.calls.cdn.setCdns([A, { ...B, weight: 3 }]);
  const ids = async (member = other) =>
    (await member.rooms.calls.cdn.cdns()).cdns.map(({ spec, weight }) => `${spec.id} ${weight}`);
  await until(async () => (await ids()).length === 2, 'the table elsewhere');
  expect(await ids()).toEqual(['a 33', 'b 100']);
  expect(other.rooms.cdn.inRegion('')).toEqual(keeper.rooms.cdn.inRegion(''));
  await until(
    () => JSON.stringify(viewer.publications.at(-1)?.data ?? {}).includes(B.url),
    'the viewers',
  );
  // Whoever starts later has it from the store, before it serves any room.
  const third = await cluster.join('three');
  expect(await ids(third)).toEqual(['a 33', 'b 100']);
});

it('R-CDN-8, E-CDN-1 viewers report that a CDN fails them: its share is gone at once', async () => {
  const cdn = { sources: [A, B], pollMs: 1000, segmentMs: 1000 };
  const { cluster } = await start(['one'], { cdn });
  pusher(cluster);
  const sums: unknown[] = [];
  const hearing = cluster.bus.subscribe(cdnSumsSubject(), (bytes) => {
    sums.push(JSON.parse(Buffer.from(bytes).toString()));
  });
  ends.push(() => hearing.cancel());
  const viewers = await Promise.all(['u', 'v', 'w'].map((user) => cluster.viewer(ROOM, user)));
  await choose(cluster, 'on');
  const report = { ok: 0, failed: 30, missed: 0, delayMs: 0 };
  for (const viewer of viewers) {
    viewer.say({ type: 'report', room: ROOM, cdn: { source: 'a', ...report } });
    viewer.say({ type: 'report', room: ROOM, cdn: { source: 'b', ...report, ok: 30, failed: 0 } });
    // Flaws are told and are no reason to end a viewer; too many reports are passed over.
    viewer.say({ type: 'report', room: ROOM, cdn: { source: 'a', ...report, ok: -1 } });
    expect(await viewer.line('error')).toMatchObject({ code: 'invalid', field: 'cdn.ok' });
  }
  const weights = async () =>
    (await viewOf(cluster)).sources.map(({ id, weight }) => `${id} ${weight}`).join();
  const began = performance.now();
  await until(async () => (await weights()) === 'a 0,b 100', 'the fall');
  expect(performance.now() - began).toBeLessThan(3500);
  expect(JSON.stringify(sums)).toContain('"source":"a","reports":');
  await until(
    () => JSON.stringify(viewers[0]!.publications.at(-1)?.data ?? {}).includes('"weight":0'),
    'the viewers',
  );
  for (let i = 0; i < 8; i++) {
    viewers[0]!.say({ type: 'report', room: ROOM, cdn: { source: 'a', ...report } });
  }
  const metric = () =>
    [...cluster.edgeMeter.metrics]
      .find(({ name }) => name === 'barrage_edge_cdn_reports_total')!
      .read()
      .find(({ labels }) => JSON.stringify(labels).includes('too_soon'))!.value;
  await until(() => metric() >= 7, 'the bound');
});

it('D-DISP-14 every service tells viewers that no edge lets in of rooms on the CDN, whoever owns them', async () => {
  const { cluster } = await start(['one', 'two']);
  pusher(cluster);
  const facts = () => cluster.members.map(({ rooms }) => rooms.cdn.factIn(ROOM, ''));
  expect(facts()).toEqual([undefined, undefined]);
  await choose(cluster, 'on');
  const fact: CdnFact = {
    ...{ mode: 'on', pollMs: 1000, segmentMs: 1000, manifest: 'lobby/manifest.json' },
    sources: [{ id: 'a', url: A.url, weight: 100 }],
  };
  await until(() => facts().every((each) => each !== undefined), 'both know');
  expect(facts()).toEqual([fact, fact]);
  await choose(cluster, 'off');
  await until(() => facts().every((each) => each === undefined), 'both know the end');
});
