/**
 * The restart of an only pusher as an operator does it (SIGTERM, then start), with real processes, nginx
 * as the CDN and viewers by the SDK: what they see of it.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CDN_LEAVE_MS } from '../../src/wire/cdn-state.js';
import { CdnStage } from '../kit/cdn-stage.js';
import { untilTrue } from '../kit/until-true.js';

let stage: CdnStage;

beforeAll(async () => {
  stage = await CdnStage.start(1);
}, 60_000);
afterAll(() => stage?.stop());

const modeNow = async () => {
  const { cluster } = stage;
  return (await cluster.studio(cluster.rooms[0]!, 'GET', '/v1/rooms/lobby/cdn')).body as object;
};

it('R-CDN-13 the only pusher is restarted twice: viewers have no gap and no repeat, and the CDN again', async () => {
  const from = stage.speaker.said.drop;
  const [pusher] = stage.cluster.pushers;
  await stage.choose('on');
  await stage.follow(true, 15_000);
  for (let restart = 0; restart < 2; restart++) {
    const before = (await stage.manifest())!;
    const began = performance.now();
    const ending = pusher!.process.stop();
    await stage.follow(false, 5000);
    expect(await ending).toBe(0);
    expect(performance.now() - began).toBeLessThan(CDN_LEAVE_MS + 2000);
    expect(await modeNow()).toMatchObject({ mode: 'off', why: 'pusher_ends' });
    expect(await stage.manifest()).toMatchObject({ run: before.run, mode: 'off' });
    await untilTrue('all by the edge', async () => (await stage.deliveredPerSecond(1000)) > 10);
    await stage.whole(from);
    await pusher!.start();
    await stage.follow(true, 10_000);
    expect(await modeNow()).toMatchObject({ mode: 'on', why: 'chosen' });
    const after = (await stage.manifest())!;
    expect(after.run).not.toBe(before.run);
    expect(after.next).toBeGreaterThan(before.next);
    await stage.whole(from);
  }
  expect(stage.viewers.map(({ gaps }) => gaps)).toEqual(stage.viewers.map(() => []));
}, 90_000);
