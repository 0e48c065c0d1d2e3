/** Speaking: verdicts of sends, what the edge refuses itself, what happens when nobody answers. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../kit/manual-clock.js';
import { Uplink, type Settled } from '../../edge/uplink.js';
import { edgeMeters } from '../../edge/meters.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import type { EdgeId, RoomId, UserId } from '../../src/ids.js';
import { UPLINK_PENDING_MAX } from '../../src/limits.js';
import { Meter } from '../../src/telemetry/meter.js';
import { VERDICTS } from '../../src/verdict.js';
import { ADMIT_ALL } from '../../src/wire/envelope.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { jsonOf } from '../kit/http-viewer.js';
import { ScriptedOwner } from '../kit/scripted-room.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  kit = await startEdgeKit();
});
afterEach(() => kit.stop());

async function speaker(user = 'ann'): Promise<Viewer> {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', token: tokenFor(user) });
  await viewer.line('joined');
  return viewer;
}

const verdicts = (viewer: Viewer) => viewer.lines.filter(({ type }) => type === 'verdict');

it('E-SAY-1 every send gets exactly one verdict with its id, whatever its end', async () => {
  const viewer = await speaker();
  const ends = VERDICTS.slice(0, 10);
  kit.owner.answer = ({ text }) => ({ verdict: ends[Number(text)]!, id: 'p', retryAfterMs: 7 });
  ends.forEach((_, i) =>
    viewer.say({ type: 'send', room: 'lobby', id: `id-${i}`, text: String(i) }),
  );
  viewer.say({ type: 'send', room: 'elsewhere', id: 10, text: 'x' });
  viewer.say({ type: 'send', room: 'lobby', id: 11, text: '' });
  viewer.say({ type: 'send', room: 'lobby', id: 12, text: 'a\u0000b' });
  viewer.say({ type: 'send', room: 'lobby', id: 13, kind: 'gift' });
  await viewer.until(() => verdicts(viewer).length >= 14);
  expect(new Set(verdicts(viewer).map(({ id }) => id)).size).toBe(14);
  ends.forEach((verdict, i) => {
    const line = verdicts(viewer).find(({ id }) => id === `id-${i}`);
    expect(line).toMatchObject({ room: 'lobby', verdict, publication: 'p', retryAfterMs: 7 });
  });
  const of = (id: number) => verdicts(viewer).find((line) => line['id'] === id);
  expect(of(10)).toMatchObject({ verdict: 'not_joined', room: 'elsewhere' });
  expect(of(11)).toMatchObject({ verdict: 'invalid', field: 'text' });
  expect(of(12)).toMatchObject({ verdict: 'invalid', rule: 'no control characters' });
  expect(of(13)).toMatchObject({ verdict: 'forbidden', field: 'kind' });
  const total = VERDICTS.reduce(
    (sum, verdict) => sum + kit.metric('barrage_edge_verdicts_total', verdict),
    0,
  );
  expect(total).toBe(14);
  await viewer.close();
});

it('E-SAY-1 what travels up is what was said, with who said it', async () => {
  const viewer = await Viewer.connect(kit.port, {
    room: 'lobby',
    token: tokenFor('ann', { name: 'Ann', level: 7, badge: 'fan', role: 'moderator' }),
  });
  await viewer.line('joined');
  const style = { mode: 'top', color: '#ff0000', size: 25 };
  viewer.say({
    type: 'send',
    room: 'lobby',
    id: 1,
    kind: 'chat',
    text: '你好',
    style,
    data: { a: [1] },
  });
  await viewer.line('verdict');
  const { ref: _, ...said } = kit.owner.said[0]!;
  expect(said).toEqual({
    room: 'lobby',
    user: { id: 'ann', name: 'Ann', level: 7, badge: 'fan' },
    role: 'moderator',
    kind: 'chat',
    text: '你好',
    style,
    data: { a: [1] },
  });
  expect(kit.owner.batches[0]).toMatchObject({ edge: 'edge-1', seq: 1 });
  await viewer.close();
});

it('E-SAY-3 rules, bans and closing that arrive as notes are refused at the edge at once', async () => {
  const viewer = await speaker();
  const say = async (id: number, text: string) => {
    viewer.say({ type: 'send', room: 'lobby', id, text });
    return viewer.line('verdict', (line) => line['id'] === id);
  };
  expect(await say(1, 'long enough')).toMatchObject({ verdict: 'published' });
  kit.lobby.note({ note: 'rules', rules: { ...kit.lobby.rules, textCharacters: 3 } });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await say(2, 'long enough')).toMatchObject({ verdict: 'invalid', rule: 'maxLength 3' });
  kit.lobby.note({ note: 'status', status: 'closed' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await say(3, 'abc')).toMatchObject({ verdict: 'closed' });
  expect(kit.owner.said.length).toBe(1);
});

it('E-SAY-5 the admission level of the frames samples ordinary danmaku by user at the edge', async () => {
  kit.lobby.admission = 0;
  const viewer = await speaker();
  const host = await Viewer.connect(kit.port, {
    room: 'lobby',
    token: tokenFor('boss', { role: 'host' }),
  });
  await host.line('joined');
  const say = async (who: Viewer, id: number) => {
    who.say({ type: 'send', room: 'lobby', id, text: 'hi' });
    return (await who.line('verdict', (line) => line['id'] === id))['verdict'];
  };
  expect(await say(viewer, 1)).toBe('published');
  kit.lobby.drop(['a frame tells the level']);
  await viewer.line('frame');
  expect(await say(viewer, 2)).toBe('sampled_out');
  expect(await say(host, 2)).toBe('published');
  kit.lobby.admission = ADMIT_ALL;
  kit.lobby.drop(['all again']);
  await viewer.until(() => viewer.lines.filter(({ type }) => type === 'frame').length === 2);
  expect(await say(viewer, 3)).toBe('published');
  await Promise.all([viewer.close(), host.close()]);
});

it('E-SAY-4 with the bus down sends and POSTs are unavailable at once', async () => {
  const viewer = await speaker();
  await kit.bus.drain();
  viewer.say({ type: 'send', room: 'lobby', id: 1, text: 'hi' });
  expect(await viewer.line('verdict')).toMatchObject({
    verdict: 'unavailable',
    retryAfterMs: 1000,
  });
  const answer = await fetch(`http://127.0.0.1:${kit.port}/v1/rooms/lobby/danmaku`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenFor('ann')}` },
    body: '{"text":"hi"}',
  });
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  expect(kit.edge.isReady()).toBe(false);
  await viewer.close();
});

it('E-SAY-4 a POST whose verdict does not come is answered 503 after its wait', async () => {
  kit.owner.answer = () => undefined;
  const answer = await fetch(`http://127.0.0.1:${kit.port}/v1/rooms/lobby/danmaku`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenFor('ann')}` },
    body: '{"text":"hi"}',
  });
  expect(answer.status).toBe(503);
  expect((await jsonOf(answer)).verdict).toBe('unavailable');
}, 15_000);

it('E-SAY-6 the first danmaku of a shard leaves at once, those within 5 ms of it together', async () => {
  const clock = new ManualClock();
  const bus = new MemoryBus();
  const owner = new ScriptedOwner(bus);
  const uplink = new Uplink({ edge: 'e' as EdgeId, bus, clock, meters: edgeMeters(new Meter()) });
  const say = (text: string) =>
    uplink.say(
      'lobby' as RoomId,
      { user: { id: 'ann' as UserId }, role: 'member', kind: 'danmaku', text },
      () => undefined,
    );
  const batches = () => owner.batches.map(({ items }) => items.map(({ text }) => text).join(' '));
  say('one');
  await until(() => owner.batches.length === 1, 'what is said alone');
  say('two');
  clock.advance(2);
  say('three');
  clock.advance(2.9);
  expect(batches()).toEqual(['one']);
  clock.advance(0.2);
  await until(() => owner.batches.length === 2, 'what was said within 5 ms');
  clock.advance(60);
  say('four');
  await until(() => owner.batches.length === 3, 'what is said after a pause');
  expect(batches()).toEqual(['one', 'two three', 'four']);
  uplink.stop();
});

it('E-SAY-4 danmaku nobody answers end as unavailable by the clock, each once, within bounds', async () => {
  const clock = new ManualClock();
  const bus = new MemoryBus();
  const owner = new ScriptedOwner(bus);
  owner.answer = ({ text }) => (text === 'heard' ? { verdict: 'published' } : undefined);
  const parts = { edge: 'e' as EdgeId, bus, clock, meters: edgeMeters(new Meter()) };
  const uplink = new Uplink(parts);
  const ends: string[] = [];
  const say = (text: string) =>
    uplink.say(
      'lobby' as RoomId,
      { user: { id: 'ann' as UserId }, role: 'member', kind: 'danmaku', text },
      ({ verdict }: Settled) => ends.push(verdict),
    );
  say('heard');
  say('lost');
  clock.advance(5);
  await until(() => ends.length === 1, 'the verdict');
  expect(owner.batches.map(({ items }) => items.length)).toEqual([1, 1]);
  clock.advance(14_000);
  expect(ends).toEqual(['published']);
  clock.advance(2000);
  expect(ends).toEqual(['published', 'unavailable']);
  for (let i = 0; i < UPLINK_PENDING_MAX; i++) say('lost');
  clock.advance(5);
  expect(ends.length).toBe(2);
  say('one too many');
  expect(ends.at(-1)).toBe('unavailable');
  expect(uplink.pending).toBe(UPLINK_PENDING_MAX);
  uplink.stop();
  expect(ends.length).toBe(UPLINK_PENDING_MAX + 3);
  expect(uplink.pending).toBe(0);
});
