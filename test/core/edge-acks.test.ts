/** When something unacknowledged is sent again, and the books of an edge about it. */
import { describe, expect, it } from 'vitest';
import { Acks, WAITING_OF_VIEWER_MAX, type Receiver } from '../../edge/acks.js';
import {
  FAST_MS,
  SLOW_MS_MAX,
  SLOW_MS_MIN,
  TRIES_MAX,
  firstSend,
  freshPace,
  learn,
  nextStep,
} from '../../edge/core/resend.js';
import { DeliveryReports } from '../../edge/delivery-report.js';
import { edgeMeters } from '../../edge/meters.js';
import type { Outlet } from '../../edge/outlet.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { shardOf } from '../../src/shards.js';
import { deliverySubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { decodeJson, type DeliveryReport } from '../../src/wire/internal.js';
import { ManualClock } from '../kit/manual-clock.js';

describe('schedule', () => {
  /** Times at which something sent at 0 is sent again, and when it is given up. */
  function run(validMs: number, pace = freshPace()) {
    const unacked = firstSend(0, validMs);
    const resent: number[] = [];
    for (let now = 0; now < 200_000; now += 250) {
      const step = nextStep(unacked, pace, now);
      if (step === 'resend') resent.push(now);
      if (step === 'give_up') return { resent, givenUpAt: now };
    }
    return { resent, givenUpAt: undefined };
  }

  it.each([
    { validMs: 60_000, slowMs: 5000, resent: [2000, 4000, 6000, 11_000], givenUpAt: 21_000 },
    { validMs: 60_000, slowMs: 20_000, resent: [2000, 4000, 6000, 26_000], givenUpAt: 51_000 },
    { validMs: 7000, slowMs: 5000, resent: [2000, 4000, 6000], givenUpAt: 7000 },
    { validMs: 1500, slowMs: 5000, resent: [], givenUpAt: 1500 },
    { validMs: 2000, slowMs: 5000, resent: [], givenUpAt: 2000 },
  ])('R-ACK-2 three fast tries, a slow one, no more: %j', ({ validMs, slowMs, ...expected }) => {
    expect(run(validMs, { slowMs })).toEqual(expected);
    expect(expected.resent.length).toBeLessThanOrEqual(TRIES_MAX);
  });

  it('R-ACK-2 the slow delay grows for a viewer that needs it and falls for one that does not', () => {
    const pace = freshPace();
    for (let i = 0; i < 20; i++) run(600_000, pace);
    expect(pace.slowMs).toBe(SLOW_MS_MAX);
    for (let i = 0; i < 20; i++) learn(pace, firstSend(0, 1000));
    expect(pace.slowMs).toBe(SLOW_MS_MIN);
    learn(pace, { tries: 2, dueAt: 0, until: 1 });
    expect(pace.slowMs).toBe(SLOW_MS_MIN);
  });
});

describe('books', () => {
  const room = 'lobby' as RoomId;

  function start() {
    const clock = new ManualClock();
    const bus = new MemoryBus();
    const meter = new Meter();
    const meters = edgeMeters(meter);
    const acks = new Acks({ clock, meters, reports: new DeliveryReports('e1' as EdgeId, bus) });
    const told = new Map<string, unknown>();
    bus.subscribe(deliverySubject(shardOf(room)), (bytes) => {
      for (const [, id, counts] of decodeJson<DeliveryReport>(bytes).items) told.set(id, counts);
    });
    const lines: string[] = [];
    const receiver = (encoding: string): Receiver => ({
      outlet: {
        encoding,
        line: (_: string, line: string) => lines.push(line) > 0,
      } as never as Outlet,
    });
    const send = (to: Receiver, id: string, validMs: number | undefined = 60_000) =>
      acks.sent(to, { room, id, json: Buffer.from(`{"id":"${id}"}`), validMs });
    const count = (event: string) =>
      [...meter.metrics]
        .find(({ name }) => name === 'barrage_edge_reliable_total')!
        .read()
        .find(({ labels }) => labels['event'] === event)?.value ?? 0;
    return { clock, acks, told, lines, receiver, send, count };
  }

  it('R-ACK-1 R-ACK-3 lost acks: sent again in frames that move no position, then given up', async () => {
    const { clock, acks, lines, receiver, send, count, told } = start();
    send(receiver('text'), 'p1');
    for (let at = 0; at < 30_000; at += 250) clock.advance(250);
    expect(lines).toHaveLength(4);
    expect(JSON.parse(lines[0]!)).toEqual({
      ...{ type: 'frame', room, class: 'drop', resent: true, publications: [{ id: 'p1' }] },
    });
    expect([count('sent'), count('resent'), count('given_up'), acks.waiting]).toEqual([1, 4, 1, 0]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told.get('p1')).toEqual({ delivered: 1, acked: 0, resent: 4, givenUp: 1 });
  });

  it('R-ACK-1 an acknowledged one is not sent again; repeats and strangers change nothing', async () => {
    const { clock, acks, lines, receiver, send, count, told } = start();
    const [one, other] = [receiver('text'), receiver('deflate')];
    send(one, 'p1');
    send(other, 'p1');
    acks.acked(one, room, ['p1', 'p1', 'unknown']);
    acks.acked(one, 'hall' as RoomId, ['p1']);
    expect([count('acked'), acks.waiting]).toEqual([1, 1]);
    for (let at = 0; at < FAST_MS + 500; at += 250) clock.advance(250);
    expect(lines).toHaveLength(1);
    acks.acked(other, room, ['p1']);
    acks.acked(other, room, ['p1']);
    for (let at = 0; at < 60_000; at += 250) clock.advance(250);
    expect([lines.length, count('acked'), count('given_up')]).toEqual([1, 2, 0]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told.get('p1')).toEqual({ delivered: 2, acked: 2, resent: 1, givenUp: 0 });
  });

  it('R-ACK-3 what waits is bounded for each viewer and forgotten when it leaves', () => {
    const { acks, receiver, send, count } = start();
    const viewer = receiver('text');
    for (let i = 0; i < WAITING_OF_VIEWER_MAX + 5; i++) send(viewer, `p${i}`);
    expect([acks.waiting, count('over_bound')]).toEqual([WAITING_OF_VIEWER_MAX, 5]);
    acks.left(viewer, 'hall' as RoomId);
    expect(acks.waiting).toBe(WAITING_OF_VIEWER_MAX);
    acks.left(viewer, room);
    expect([acks.waiting, count('left')]).toEqual([0, WAITING_OF_VIEWER_MAX]);
    send(receiver('events'), 'p1');
    send(viewer, 'p2', 0);
    expect([acks.waiting, count('unackable')]).toEqual([0, 1]);
    acks.stop();
  });
});
