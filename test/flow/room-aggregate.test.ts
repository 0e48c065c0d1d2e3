/** Limits, aggregation and the admission level through the room's service, its bus and its store. */
import { describe, expect, it } from 'vitest';
import { LEVEL_FULL } from '../../src/admission-level.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { shardOf } from '../../src/shards.js';
import { uplinkSubject } from '../../src/subjects.js';
import { encodeUplink, type UplinkItem } from '../../src/wire/internal.js';
import {
  ROOM,
  restart,
  startService,
  stopAll,
  takeOver,
  user,
  type RoomService,
} from '../kit/room-service.js';

/** A batch of an edge of this name, having left `ago` milliseconds before now. */
function batch(
  service: RoomService,
  edge: string,
  items: readonly Partial<UplinkItem>[],
  { seq = 1, ago = 0 } = {},
): void {
  const whole = items.map((item, i) => {
    const said = {
      room: ROOM,
      user: { id: 'u' },
      role: 'member',
      kind: 'danmaku',
      ref: i,
      text: 'x',
    };
    return { ...said, ...item };
  });
  const at = service.clock.now() - ago;
  service.bus.publish(uplinkSubject(shardOf(ROOM)), encodeUplink({ edge, seq, at, items: whole }));
}

async function statsOf(service: RoomService) {
  return service.run(service.calls.stats(ROOM));
}

describe('limits', () => {
  it("R-LIMIT-4 a user's quotas hold across edges, because the room judges", async () => {
    const service = await startService();
    const kindLimits = { chat: { perSecond: 0.01, burst: 3 } };
    await service.run(
      service.calls.changeLimits(ROOM, { kindLimits, repeatTextMs: 60_000 }, false),
    );
    for (let i = 0; i < 4; i++) {
      const items = [{ kind: 'chat', text: `a${i}` }];
      batch(service, 'edge-a', items, { seq: i + 1 });
      batch(service, 'edge-b', [{ kind: 'chat', text: `b${i}` }], { seq: i + 1 });
    }
    await service.until(() => service.metric('barrage_room_verdicts_total') >= 8);
    const { verdicts } = await statsOf(service);
    expect([verdicts.published, verdicts.rate_limited]).toEqual([3, 5]);
    batch(service, 'edge-a', [{ text: 'same', user: { id: 'v' } }], { seq: 5 });
    batch(service, 'edge-b', [{ text: 'SAME', user: { id: 'v' } }], { seq: 5 });
    await service.until(() => service.metric('barrage_room_verdicts_total') >= 10);
    expect((await statsOf(service)).verdicts.repeated).toBe(1);
    await stopAll(service);
  });

  it.each([
    [{ kindLimits: { chat: { perSecond: 0, burst: 1 } } }, 'kindLimits.chat.perSecond'],
    [{ kindLimits: { chat: { perSecond: 1, burst: 1.5 } } }, 'kindLimits.chat.burst'],
    [{ kindLimits: { Chat: { perSecond: 1, burst: 1 } } }, 'kindLimits.Chat'],
    [{ kindLimits: { chat: { perSecond: 1 } } }, 'kindLimits.chat.burst'],
    [{ kindLimits: [] }, 'kindLimits'],
    [{ repeatTextMs: 600_001 }, 'repeatTextMs'],
    [{ emojiTop: 0 }, 'emojiTop'],
    [
      {
        lanes: { ...DEFAULT_SETTINGS.lanes, low: { ...DEFAULT_SETTINGS.lanes.low, shed: 'last' } },
      },
      'lanes.low.shed',
    ],
    [
      {
        lanes: {
          ...DEFAULT_SETTINGS.lanes,
          high: { ...DEFAULT_SETTINGS.lanes.high, shed: 'oldest' },
        },
      },
      'lanes.high.shed',
    ],
  ])('R-SET-4 a flaw is refused by path: %j', async (patch, field) => {
    const service = await startService();
    const change = service.calls.changeLimits(ROOM, patch as never, false);
    await expect(service.run(change)).rejects.toMatchObject({ code: 'invalid', field });
    await stopAll(service);
  });
});

describe('overload', () => {
  it('R-OVER-5 batches that wait on their way lower the level told with the frames', async () => {
    const service = await startService();
    let seq = 0;
    const say = (ago: number) => {
      const items = Array.from({ length: 20 }, (_, i) => ({
        ...{ user: { id: `u${seq}-${i}` }, text: `t${seq}-${i}` },
      }));
      batch(service, 'edge-a', items, { seq: ++seq, ago });
    };
    say(0);
    await service.until(() => service.metric('barrage_room_uplink_batches_total') === seq);
    service.clock.advance(1100);
    for (let second = 0; second < 4; second++) {
      for (let i = 0; i < 5; i++) {
        say(300);
        await service.until(() => service.metric('barrage_room_uplink_batches_total') === seq);
        service.clock.advance(220);
      }
    }
    await service.until(() => service.ear.frames.some((frame) => frame.admission < LEVEL_FULL));
    expect((await statsOf(service)).admission).toBeLessThanOrEqual(1);
    await stopAll(service);
  });

  it('R-OVER-1 edges know whom the level does not hold back', async () => {
    const service = await startService();
    const { calls } = service;
    const sanction = { user: user('vip'), until: 0 };
    await service.run(calls.impose(ROOM, 'allowed', sanction));
    await service.until(() => service.ear.notes.length === 1);
    expect(service.ear.notes[0]).toEqual({ note: 'allow', user: 'vip', until: 0 });
    expect(await service.snapshot()).toMatchObject({ allowed: [['vip', 0]] });
    await service.run(calls.lift(ROOM, 'allowed', user('vip')));
    await service.until(() => service.ear.notes.length === 2);
    expect(service.ear.notes[1]).toEqual({ note: 'disallow', user: 'vip' });
    expect(await service.snapshot()).toMatchObject({ allowed: [] });
    await stopAll(service);
  });
});

describe('combos', () => {
  const gift = { kind: 'gift', user: { id: user('u') }, data: { gift: 'rose', price: 10 } };

  async function give(service: RoomService, times: number): Promise<void> {
    for (let i = 0; i < times; i++) await service.run(service.calls.publish(ROOM, gift));
  }

  function combosOf(service: RoomService) {
    return service.ear.publications().filter(({ kind }) => kind === 'combo');
  }

  it('R-AGG-3 R-AGG-4 a run goes on after a restart and is closed once, for good', async () => {
    const service = await startService();
    await service.run(service.calls.changeLimits(ROOM, { comboMs: 20_000 }, false));
    await give(service, 3);
    await service.until(() => combosOf(service).length > 0);
    const after = await restart(service);
    await give(after, 2);
    await after.until(() => combosOf(after).length > 0);
    expect(combosOf(after).at(-1)!.data).toMatchObject({ gift: 'rose', count: 5 });
    after.clock.advance(20_000);
    const isFinal = ({ data }: { data?: unknown }) => (data as { final?: boolean }).final === true;
    await after.until(() => combosOf(after).some(isFinal));
    const page = await after.run(after.calls.history(ROOM, 1, 100));
    const kept = page.publications.filter(({ kind }) => kind === 'combo');
    expect(kept.map(({ data }) => data)).toMatchObject([{ gift: 'rose', count: 5, final: true }]);
    expect(page.publications.filter(({ kind }) => kind === 'gift').length).toBe(5);
    await stopAll(after);
  });

  it('R-AGG-4 after a kill gifts past the stored count are counted from the log', async () => {
    const service = await startService();
    await service.run(service.calls.changeLimits(ROOM, { comboMs: 60_000 }, false));
    await give(service, 2);
    service.clock.advance(6000);
    await service.until(() => service.store.commits.some((each) => each.records?.has('counters')));
    await give(service, 4);
    const heir = await takeOver(service);
    await give(heir, 1);
    const counts = () => combosOf(heir).map(({ data }) => (data as { count: number }).count);
    await heir.until(() => counts().includes(7));
    expect(Math.max(...counts())).toBe(7);
    await stopAll(heir);
  });
});

describe('told as one', () => {
  it('R-AGG-5 enter notices of a studio end as counted and reach viewers as one', async () => {
    const service = await startService();
    const enter = (id: string) => ({ kind: 'enter', user: { id: user(id) } });
    const fates = await service.run(
      Promise.all(['a', 'b', 'c', 'd'].map((id) => service.calls.publish(ROOM, enter(id)))),
    );
    expect(fates.map(({ verdict }) => verdict)).toEqual(Array(4).fill('counted'));
    await service.until(() => service.ear.publications().length > 0);
    expect(service.ear.publications()).toMatchObject([
      { kind: 'enter', count: 4, data: { names: ['a', 'b', 'c'] } },
    ]);
    await stopAll(service);
  });

  it('R-AGG-6 a storm of emoji ends as counted and is told by its most said', async () => {
    const service = await startService();
    const patch = { emojiPerSecond: 1, emojiEveryMs: 500 };
    await service.run(service.calls.changeLimits(ROOM, patch, false));
    const items = Array.from({ length: 50 }, (_, i) => ({
      ...{ ref: i, user: { id: `u${i}` }, text: i % 3 === 0 ? '🎉' : '666' },
    }));
    batch(service, 'edge-a', items);
    await service.until(() => service.ear.publications().some(({ kind }) => kind === 'emoji'));
    const storm = service.ear.publications().find(({ kind }) => kind === 'emoji')!;
    expect(storm).toMatchObject({
      count: 49,
      data: {
        top: [
          { text: '666', count: 33 },
          { text: '🎉', count: 16 },
        ],
      },
    });
    await stopAll(service);
  });
});
