/** Positions, holes, epochs and leaving: the keepable stream through real sockets. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { UserId } from '../../src/ids.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  kit = await startEdgeKit({ lingerMs: 50, ringCount: 20 });
});
afterEach(() => kit.stop());

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

async function watch(since?: { epoch: number; offset: number }): Promise<Viewer> {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', ...(since ? { since } : {}) });
  await viewer.line('joined');
  return viewer;
}

it('E-POS-1 a resuming viewer gets exactly what it missed, from the ring and from the log', async () => {
  for (let i = 1; i <= 60; i++) kit.lobby.keep([`k${i}`]);
  const first = await watch();
  for (let i = 61; i <= 100; i++) kit.lobby.keep([`k${i}`]);
  await first.until(() => first.keepableOffsets.at(-1) === 100);
  for (const offset of [100, 99, 90, 81, 80, 40, 5]) {
    const viewer = await watch({ epoch: 1, offset });
    const joined = await viewer.line('joined');
    expect(joined).toMatchObject({ recovered: true, epoch: 1, offset: 100 });
    expect(viewer.keepableOffsets).toEqual(numbers(offset + 1, 100));
    await viewer.close();
  }
  await first.close();
});

it('E-POS-2 too much missed, another stream or a lost log: the window, never a part', async () => {
  kit.lobby.rules = { ...kit.lobby.rules, replay: 30 };
  for (let i = 1; i <= 100; i++) kit.lobby.keep([`k${i}`]);
  const window = numbers(51, 100);
  for (const since of [
    { epoch: 1, offset: 69 },
    { epoch: 0, offset: 90 },
    { epoch: 1, offset: 5000 },
  ]) {
    const viewer = await watch(since);
    expect(await viewer.line('joined')).toMatchObject({ recovered: false, offset: 100 });
    expect(viewer.keepableOffsets).toEqual(window);
    await viewer.close();
  }
  kit.owner.losesLog = true;
  await new Promise((resolve) => setTimeout(resolve, 100));
  kit.lobby.recent = kit.lobby.recent.slice(-2);
  const viewer = await watch({ epoch: 1, offset: 80 });
  expect(await viewer.line('joined')).toMatchObject({ recovered: false });
  await viewer.close();
});

it('E-POS-3 whatever the timing of join and frames, no keepable is missing or repeated', async () => {
  const slow = await startEdgeKit({ sliceViewers: 3, busyShare: 0.02, paceMaxMs: 60 });
  const room = slow.owner.room('lobby');
  const viewers: Viewer[] = [];
  const shown: { readonly viewer: Viewer; readonly since: number }[] = [];
  for (let i = 1; i <= 150; i++) {
    room.keep([`a${i}`, `b${i}`]);
    if (i % 3 === 0) room.drop([`d${i}`]);
    if (i % 2 === 0) {
      const since = i % 4 === 0 && i > 20 ? room.offset - 7 : undefined;
      const position = since === undefined ? {} : { since: { epoch: 1, offset: since } };
      const viewer = await Viewer.connect(slow.port, { room: 'lobby', ...position });
      viewers.push(viewer);
      if (since !== undefined) shown.push({ viewer, since });
    }
  }
  const last = room.offset;
  await Promise.all(
    viewers.map((viewer) => viewer.until(() => viewer.keepableOffsets.at(-1) === last)),
  );
  for (const viewer of viewers) {
    const offsets = viewer.keepableOffsets;
    expect(offsets).toEqual(numbers(offsets[0]!, last));
    const ids = viewer.publications.map((publication) => publication['id']);
    expect(new Set(ids).size).toBe(ids.length);
  }
  for (const { viewer, since } of shown) expect(viewer.keepableOffsets[0]).toBe(since + 1);
  expect(slow.edge.isReady()).toBe(true);
  await slow.stop();
});

it('E-POS-3 a viewer that has seen more than this edge waits for it and gets no repeat', async () => {
  kit.lobby.keep(['a']);
  const viewer = await watch();
  kit.lobby.keep(['b', 'c'], { lost: true });
  const ahead = await watch({ epoch: 1, offset: 3 });
  expect(await ahead.line('joined')).toMatchObject({ recovered: true, offset: 3 });
  kit.lobby.keep(['d']);
  await ahead.until(() => ahead.keepableOffsets.at(-1) === 4);
  expect(ahead.keepableOffsets).toEqual([4]);
  expect(viewer.keepableOffsets).toEqual([1, 2, 3, 4]);
  await Promise.all([viewer.close(), ahead.close()]);
});

it('E-POS-4 a hole is filled from the log before anything later, repeats are passed over', async () => {
  const viewer = await watch();
  kit.lobby.keep(['a', 'b']);
  kit.lobby.keep(['c', 'd', 'e'], { lost: true });
  kit.lobby.keep(['f']);
  kit.lobby.repeat(1, 2);
  kit.lobby.repeat(5, 6);
  kit.lobby.keep(['g']);
  await viewer.until(() => viewer.keepableOffsets.at(-1) === 7);
  expect(viewer.keepableOffsets).toEqual(numbers(1, 7));
  expect(viewer.publications.map((publication) => publication['text']).join('')).toBe('abcdefg');
  expect(kit.metric('barrage_edge_holes_total', 'filled')).toBe(1);
  await viewer.close();
});

it('E-POS-4 a hole that cannot be filled ends the viewers, who resume', async () => {
  const viewer = await watch();
  kit.lobby.keep(['a']);
  await viewer.until(() => viewer.keepableOffsets.length === 1);
  kit.owner.losesLog = true;
  kit.lobby.keep(['b'], { lost: true });
  kit.lobby.keep(['c']);
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed!.code).toBe(4002);
  expect(JSON.parse(viewer.closed!.reason)).toMatchObject({ reason: 'unavailable' });
  expect(viewer.keepableOffsets).toEqual([1]);
  kit.owner.losesLog = false;
  const again = await watch(viewer.position);
  expect(await again.line('joined')).toMatchObject({ recovered: true });
  expect(again.keepableOffsets).toEqual([2, 3]);
  await again.close();
});

it('E-POS-5 frames of an older epoch are ignored and counted; a new owner is followed', async () => {
  const viewer = await watch();
  kit.lobby.keep(['a']);
  await viewer.until(() => viewer.keepableOffsets.length === 1);
  // Logged by the old owner, never sent; then the new owner takes over.
  kit.lobby.keep(['b'], { lost: true });
  kit.lobby.takeOver();
  kit.lobby.keep(['c']);
  kit.lobby.drop(['old'], { epoch: 1 });
  kit.lobby.drop(['new']);
  await viewer.until(() => viewer.publications.some(({ text }) => text === 'new'));
  expect(viewer.publications.map(({ text }) => text)).toEqual(['a', 'b', 'c', 'new']);
  expect(viewer.position).toEqual({ epoch: 2, offset: 3 });
  expect(kit.metric('barrage_edge_frames_lost_total', 'stale')).toBe(1);
  await viewer.close();
});

it('E-POS-5 a new owner whose log lacks what viewers saw has them resume', async () => {
  const viewer = await watch();
  kit.lobby.keep(['a', 'b']);
  await viewer.until(() => viewer.keepableOffsets.length === 2);
  kit.lobby.offset = 1;
  kit.lobby.takeOver();
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed!.code).toBe(4002);
  kit.lobby.keep(['other b']);
  const again = await watch(viewer.position);
  expect(await again.line('joined')).toMatchObject({ recovered: false, epoch: 2, offset: 2 });
  await again.close();
});

it('E-POS-1 a recalled publication is a tombstone in later windows and replays', async () => {
  const first = await watch();
  const [kept] = kit.lobby.keep(['bad', 'good']);
  const [dropped] = kit.lobby.drop(['worse']);
  const json = JSON.stringify({ id: kept, kind: 'recalled', lane: 'high', offset: 1, at: 1 });
  kit.lobby.note({ note: 'recall', id: kept!, offset: 1, json });
  kit.lobby.note({ note: 'recall', id: dropped!, offset: 0, json });
  await first.until(() => first.publications.length === 3);
  const window = await watch();
  expect(window.publications.map(({ kind }) => kind)).toEqual(['recalled', 'danmaku']);
  const replay = await watch({ epoch: 0, offset: 0 });
  expect(replay.publications.map(({ kind }) => kind)).toEqual(['recalled', 'danmaku']);
  await Promise.all([first.close(), window.close(), replay.close()]);
});

it('E-END-1 a kicked or banned user gets bye with its code, in one room of two only that', async () => {
  kit.owner.room('other');
  const kicked = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor('ann') });
  const banned = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor('bob') });
  const both = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor('ann') });
  await Promise.all([kicked, banned, both].map((viewer) => viewer.line('joined')));
  both.join('other', tokenFor('ann'));
  await both.line('joined', (line) => line['room'] === 'other');
  kit.lobby.note({ note: 'kick', user: 'ann' as UserId, reason: 'rude' });
  kit.lobby.note({ note: 'ban', user: 'bob' as UserId, until: 0 });
  for (const [viewer, code] of [
    [kicked, 4503],
    [banned, 4502],
  ] as const) {
    expect(await viewer.line('bye')).toMatchObject({ code });
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed!.code).toBe(code);
  }
  expect(await both.line('bye')).toMatchObject({ code: 4503, room: 'lobby' });
  both.say({ type: 'send', room: 'lobby', id: 1, text: 'still here?' });
  expect(await both.line('verdict')).toMatchObject({ verdict: 'not_joined' });
  both.say({ type: 'send', room: 'other', id: 2, text: 'yes' });
  expect(await both.line('verdict', (line) => line['id'] === 2)).toMatchObject({
    verdict: 'published',
  });
  await both.close();
});

it('E-END-1 closing a room sends its last words and ends the stay of its viewers', async () => {
  const viewer = await watch();
  kit.lobby.status = 'closed';
  kit.lobby.note({ note: 'status', status: 'closed' });
  kit.lobby.keep(['the end'], { kind: 'room' });
  expect(await viewer.line('bye')).toMatchObject({ reason: 'closed', code: 4505 });
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.publications.at(-1)).toMatchObject({ text: 'the end' });
});

it('E-END-2 a drain spreads its closes over the window, each with advice', async () => {
  const viewers = await Promise.all(numbers(1, 20).map(() => watch()));
  const times: number[] = [];
  const start = performance.now();
  const closes = viewers.map(async (viewer) => {
    await viewer.until(() => viewer.closed !== undefined);
    times.push(performance.now() - start);
  });
  await kit.edge.drain(500);
  await Promise.all(closes);
  times.sort((a, b) => a - b);
  expect(times[0]).toBeLessThan(250);
  expect(times.at(-1)).toBeGreaterThan(300);
  expect(times.at(-1)).toBeLessThan(1500);
  expect(times[10]! - times[0]!).toBeGreaterThan(100);
  for (const { closed } of viewers) {
    expect(closed!.code).toBe(4000);
    expect(JSON.parse(closed!.reason).retryAfterMs).toBeGreaterThanOrEqual(0);
  }
  expect(kit.edge.isReady()).toBe(false);
});

it('E-OUT-5 a room is listened to while it has viewers and for a linger after', async () => {
  const snapshots = () => kit.owner.calls.filter(({ call }) => call === 'snapshot').length;
  const first = await watch();
  await first.close();
  const second = await watch();
  expect(snapshots()).toBe(1);
  expect(kit.metric('barrage_edge_rooms')).toBe(1);
  await until(() => kit.owner.audience.get('lobby') === 1, 'the audience report');
  await second.close();
  await until(() => kit.metric('barrage_edge_rooms') === 0, 'the room to be let go');
  await until(() => kit.owner.audience.get('lobby') === 0, 'the last report');
  await (await watch()).close();
  expect(snapshots()).toBe(2);
});
