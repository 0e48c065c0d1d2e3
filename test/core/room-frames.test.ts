/** What a room tells everyone though nothing is said: how many watch, what was left out. */
import { describe, expect, it } from 'vitest';
import { Frames } from '../../room/frames.js';
import { roomMeters } from '../../room/meters.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { Meter } from '../../src/telemetry/meter.js';
import { roomId } from '../contract/store-suite.js';

const zero = () => 0;
const gauges = { rooms: zero, online: zero, users: zero, commitsWaiting: zero };
const START = 1_000_000;

/** Frames of a room that told `online` viewers just now. */
function toldAt(online: number): Frames {
  const head = { room: roomId('room'), epoch: 1, admission: 0, open: 0, now: START };
  const frames = new Frames(head, new MemoryBus(), roomMeters(new Meter(), gauges));
  frames.drop({ tick: 1, online, admission: 0, lost: 0 }, ['{}'], START);
  return frames;
}

describe('a change of the number of viewers alone', () => {
  it.each([
    { from: 3, to: 4, afterMs: 5000 },
    { from: 20_000, to: 19_000, afterMs: 5000 },
    { from: 99_000, to: 100_000, afterMs: 25_000 },
    { from: 100_000, to: 4, afterMs: 5000 },
    { from: 240_000, to: 240_001, afterMs: 60_000 },
    { from: 9_000_000, to: 10_000_000, afterMs: 60_000 },
  ])('R-NEWS-1 from $from to $to is told after $afterMs ms', ({ from, to, afterMs }) => {
    const news = { online: to, admission: 0, lost: 0 };
    expect(toldAt(from).newsAt(news)).toBe(START + afterMs);
  });

  it.each([
    { what: 'no change', online: 7 },
    { what: 'that the last one went', online: 0 },
  ])('R-NEWS-1 $what is not told', ({ online }) => {
    expect(toldAt(7).newsAt({ online, admission: 0, lost: 0 })).toBe(Infinity);
  });
});

it.each([
  { what: 'a loss', admission: 0, lost: 1 },
  { what: 'an admission level', admission: 1, lost: 0 },
])('R-NEWS-1 $what is told within a second, whatever the audience', ({ admission, lost }) => {
  expect(toldAt(1_000_000).newsAt({ online: 1_000_000, admission, lost })).toBe(START + 1000);
});
