/**
 * Keepable means kept, through the whole service as its own process: posts, kill -9, restart, resume.
 */
import { afterEach, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

let service: Service | undefined;

afterEach(async () => {
  await service?.stop().catch(() => undefined);
  service = undefined;
});

interface Acked {
  readonly offset: number;
  readonly id: string;
  readonly n: number;
}

/** Posts one after the other until the service dies; collects what was acknowledged. */
async function postUntilDeath(to: Service, first: number, acked: Acked[]): Promise<void> {
  for (let n = first; ; n++) {
    try {
      const answer = await to.studio('POST', '/v1/rooms/lobby/publications', {
        kind: 'gift',
        text: `gift ${n}`,
      });
      if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
      acked.push({ offset: answer.body.offset, id: answer.body.id, n });
    } catch {
      return;
    }
  }
}

it('R-KEEP-4 all acknowledged survives kill -9 and reaches a resuming viewer once, in order', async () => {
  const random = seededRandom(20261120);
  const acked: Acked[] = [];
  service = await startService();
  const first = await Viewer.connect(service.viewerPort, { room: 'lobby' });
  const joined = await first.line('joined');
  const since = { epoch: joined['epoch'] as number, offset: joined['offset'] as number };
  await first.close();

  for (let round = 0; round < 3; round++) {
    const writers = [0, 1, 2].map((w) => postUntilDeath(service!, (round * 3 + w) * 10_000, acked));
    await new Promise((resolve) => setTimeout(resolve, 150 + random.below(250)));
    await service.kill();
    await Promise.all(writers);
    service = await startService({ folder: service.folder });
  }

  expect(acked.length).toBeGreaterThan(30);
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { replay: 10_000 });
  const back = await Viewer.connect(service.viewerPort, { room: 'lobby', since });
  const again = await back.line('joined');
  expect(again['recovered']).toBe(true);
  const offsets = back.keepableOffsets;
  expect(offsets).toEqual(offsets.map((_, i) => since.offset + 1 + i));
  const seen = new Map(back.publications.map((p) => [p['offset'] as number, p['text'] as string]));
  for (const { offset, n } of acked) expect(seen.get(offset)).toBe(`gift ${n}`);
  expect(new Set(acked.map((a) => a.offset)).size).toBe(acked.length);
  await back.close();
}, 60_000);

it('R-KEEP-2 offsets rise by one across a restart and positions of before still resume', async () => {
  service = await startService();
  const post = (text: string) =>
    service!.studio('POST', '/v1/rooms/lobby/publications', { kind: 'notice', text });
  const one = (await post('one')).body;
  const viewer = await Viewer.connect(service.viewerPort, { room: 'lobby' });
  await viewer.line('joined');
  const position = viewer.position;
  expect(position).toEqual({ epoch: one.epoch, offset: one.offset });
  viewer.cut();
  await service.stop(true);

  service = await startService({ folder: service.folder });
  const two = (await post('two')).body;
  expect(two.offset).toBe(one.offset + 1);
  expect(two.epoch).toBeGreaterThan(one.epoch);
  const back = await Viewer.connect(service.viewerPort, { room: 'lobby', since: position });
  const joined = await back.line('joined');
  expect(joined['recovered']).toBe(true);
  expect(back.publications.map((p) => p['text'])).toEqual(['two']);
});

it('E-POS-2 a position of a wiped store is answered recovered: false', async () => {
  service = await startService();
  const post = (to: Service, text: string) =>
    to.studio('POST', '/v1/rooms/lobby/publications', { kind: 'notice', text });
  const old = (await post(service, 'before')).body;
  await service.stop();

  service = await startService();
  await post(service, 'after');
  const back = await Viewer.connect(service.viewerPort, {
    room: 'lobby',
    since: { epoch: old.epoch - 1, offset: old.offset },
  });
  const joined = await back.line('joined');
  expect(joined['recovered']).toBe(false);
  expect(back.publications.map((p) => p['text'])).toEqual(['after']);
});

it('R-KEEP-5 a repeated post with its key publishes once, also after a restart', async () => {
  service = await startService();
  const body = { kind: 'gift', text: 'rocket' };
  const key = { 'idempotency-key': 'order-17' };
  const path = '/v1/rooms/lobby/publications';
  const first = await service.studio('POST', path, body, key);
  const repeat = await service.studio('POST', path, body, key);
  expect(repeat.body).toEqual({ ...first.body, repeated: true });
  const other = await service.studio('POST', path, { kind: 'gift', text: 'car' }, key);
  expect(other.status).toBe(422);
  expect(other.body.error.code).toBe('idempotency_mismatch');
  await service.kill();

  service = await startService({ folder: service.folder });
  const later = await service.studio('POST', path, body, key);
  expect(later.body).toEqual({ ...first.body, repeated: true });
  const history = await service.studio('GET', path);
  expect(history.body.publications.map((p: { text: string }) => p.text)).toEqual(['rocket']);
});

it('R-KEEP-8 sanctions, limits and likes survive a restart', async () => {
  service = await startService();
  await service.studio('PUT', '/v1/rooms/lobby/mutes/mina', { forMs: 600_000, reason: 'noise' });
  await service.studio('PUT', '/v1/rooms/lobby/bans/bela', {});
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { slowModeMs: 7000 });
  await service.stop(true);

  service = await startService({ folder: service.folder });
  const limits = await service.studio('GET', '/v1/rooms/lobby/limits');
  expect(limits.body.own).toEqual({ slowModeMs: 7000 });
  expect(limits.body.effective.slowModeMs).toBe(7000);
  const mina = await Viewer.connect(service.viewerPort, {
    room: 'lobby',
    token: service.token('mina'),
  });
  await mina.line('joined');
  mina.say({ type: 'send', room: 'lobby', id: 1, text: 'hello' });
  expect((await mina.line('verdict'))['verdict']).toBe('muted');
  const bela = await Viewer.connect(service.viewerPort, {
    room: 'lobby',
    token: service.token('bela'),
  });
  expect((await bela.line('error'))['code']).toBe('banned');
});
