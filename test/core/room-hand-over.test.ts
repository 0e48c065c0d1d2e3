/** Danmaku while a shard changes hands: which batches came, what is held for the next owner. */
import { describe, expect, it } from 'vitest';
import { Audience } from '../../edge/audience.js';
import type { Hub } from '../../edge/hub.js';
import { BatchBook } from '../../room/batch-book.js';
import { HeldUplink } from '../../room/held-uplink.js';
import { roomMeters } from '../../room/meters.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { encodeOwnerNote, type OwnerNote } from '../../src/ownership/owner-note.js';
import { shardOf } from '../../src/shards.js';
import { audienceSubject, ownersSubject, uplinkSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { ManualClock } from '../kit/manual-clock.js';

const zero = () => 0;

describe('batches of an edge', () => {
  it.each([
    [
      'in order',
      [
        [1, 10],
        [2, 11],
        [3, 12],
      ],
      0,
      0,
    ],
    [
      'with a hole',
      [
        [1, 10],
        [4, 13],
      ],
      2,
      0,
    ],
    [
      'late by way of the owner before',
      [
        [5, 15],
        [3, 13],
        [4, 14],
        [6, 16],
      ],
      0,
      0,
    ],
    [
      'twice',
      [
        [1, 10],
        [2, 11],
        [1, 10],
        [2, 11],
        [3, 12],
      ],
      0,
      2,
    ],
    [
      'of an edge that began anew',
      [
        [7, 10],
        [1, 20],
        [2, 21],
        [3, 22],
      ],
      0,
      0,
    ],
    [
      'of an edge that began anew, with a hole',
      [
        [7, 10],
        [1, 20],
        [3, 22],
      ],
      1,
      0,
    ],
  ] as const)('R-OWN-6 %s', (_, batches, holes, repeats) => {
    const book = new BatchBook();
    const heard = batches.map(([seq, at]) => book.hear({ edge: 'e', seq, at }));
    expect(heard.reduce((sum, each) => sum + each.holes, 0)).toBe(holes);
    expect(heard.filter((each) => each.isRepeated)).toHaveLength(repeats);
  });

  it('R-OWN-6 what is remembered is bounded, of an edge and of all', () => {
    const book = new BatchBook();
    for (let seq = 1; seq <= 100; seq++) book.hear({ edge: 'e', seq, at: seq });
    expect(book.hear({ edge: 'e', seq: 100, at: 100 }).isRepeated).toBe(true);
    expect(book.hear({ edge: 'e', seq: 60, at: 60 }).isRepeated).toBe(false);
    for (let i = 0; i < 1000; i++) book.hear({ edge: `other-${i}`, seq: 1, at: 1 });
    expect(book.hear({ edge: 'e', seq: 100, at: 100 }).isRepeated).toBe(false);
  });
});

function setUp() {
  const bus = new MemoryBus();
  const clock = new ManualClock();
  const refused: string[] = [];
  const passed: string[] = [];
  bus.subscribe(uplinkSubject(3), (bytes) => passed.push(Buffer.from(bytes).toString()));
  const meter = new Meter();
  const gauges = { rooms: zero, online: zero, users: zero, commitsWaiting: zero };
  const meters = roomMeters(meter, gauges);
  const refuse = (bytes: Uint8Array) => void refused.push(Buffer.from(bytes).toString());
  const held = new HeldUplink({ fence: { shard: 3, epoch: 5 }, bus, clock, meters, refuse });
  const tell = (note: OwnerNote) => bus.publish(ownersSubject('rooms'), encodeOwnerNote(note));
  return { bus, clock, refused, passed, meters, held, tell };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('danmaku held for the next owner', () => {
  it('R-OWN-6 go on in order when it says that it serves', async () => {
    const { held, tell, passed, refused, meters } = setUp();
    held.hold(Buffer.from('one'));
    const next = held.nextOwner(true);
    tell({ note: 'taken', lease: 4, epoch: 9, owner: 'b' });
    tell({ note: 'taken', lease: 3, epoch: 5, owner: 'b' });
    tell({ note: 'taken', lease: 3, epoch: 6, owner: 'b' });
    await next;
    held.hold(Buffer.from('two'));
    held.passOn();
    await turn();
    expect([passed, refused]).toEqual([['one', 'two'], []]);
    expect(meters.uplinkPassedOn.value).toBe(2);
  });

  it('R-OWN-6 end as refused when no next owner comes in time, at once when there is none', async () => {
    const waiting = setUp();
    waiting.held.hold(Buffer.from('one'));
    const next = waiting.held.nextOwner(true);
    waiting.clock.advance(1000);
    await next;
    waiting.held.passOn();
    expect(waiting.refused).toEqual(['one']);
    const alone = setUp();
    alone.held.hold(Buffer.from('one'));
    await alone.held.nextOwner(false);
    alone.held.passOn();
    expect(alone.refused).toEqual(['one']);
    expect(alone.meters.uplinkFlaws.get('no_next_owner')).toBe(1);
  });

  it('R-OWN-6 are bounded in items and bytes; what is over is refused at once', () => {
    const many = setUp();
    for (let i = 0; i < 2001; i++) many.held.hold(Buffer.from(`${i}`));
    expect(many.refused).toEqual(['2000']);
    const large = setUp();
    for (let i = 0; i < 9; i++) large.held.hold(Buffer.alloc(1 << 20));
    expect(large.refused).toHaveLength(1);
    expect(large.meters.uplinkFlaws.get('hand_over_full')).toBe(1);
  });
});

describe('an edge that hears of a new owner', () => {
  it('R-OWN-7 tells it at once where it has viewers, and nothing when it has none', async () => {
    const bus = new MemoryBus();
    const clock = new ManualClock();
    const lobby = shardOf('lobby' as RoomId);
    const reports: unknown[] = [];
    for (let shard = 0; shard < 64; shard++) {
      bus.subscribe(audienceSubject(shard), (bytes) => {
        reports.push(JSON.parse(Buffer.from(bytes).toString()));
      });
    }
    const rooms = [
      { room: 'lobby', viewers: 3 },
      { room: 'stage', viewers: 2 },
    ];
    const audience = new Audience('e1' as EdgeId, { rooms } as unknown as Hub, { bus, clock });
    const take = (lease: number, note: 'taken' | 'released') => {
      const told = encodeOwnerNote({ note, lease, epoch: 2, owner: 'b' });
      bus.publish(ownersSubject('rooms'), told);
    };
    take(lobby, 'released');
    take((lobby + 1) % 64, 'taken');
    take(lobby, 'taken');
    await turn();
    await turn();
    expect(reports).toEqual([{ edge: 'e1', rooms: [['lobby', 3]] }]);
    audience.stop();
  });
});
