/** How much an edge lets through: the table of its decisions, and that it settles. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SmoothRate } from '../../edge/core/smooth-rate.js';
import {
  NO_SHEDDING,
  SHED_STEP_MS,
  stepShedding,
  type ShedLevel,
  type ShedMarks,
} from '../../edge/core/shedding.js';

const MARKS: ShedMarks = {
  ...{ egressSoftBytes: 100, egressHardBytes: 200, lagSoftMs: 50, lagHardMs: 200 },
};
const OFF: ShedMarks = { egressSoftBytes: 0, egressHardBytes: 0, lagSoftMs: 0, lagHardMs: 0 };

const step = (
  offeredBytes: number,
  droppableBytes: number,
  { lagMs = 0, level = 'none' as ShedLevel, lagShare = 1, marks = MARKS } = {},
) => stepShedding({ level, share: 1, lagShare }, { offeredBytes, droppableBytes, lagMs }, marks);

describe('egress', () => {
  it.each([
    ['below the soft mark all of it', 99, 99, 1],
    ['at the mark all of it', 100, 100, 1],
    ['above it a part, the bytes between the marks', 200, 200, 0.75],
    ['three times the hard mark', 600, 600, (100 + (100 * 5) / 6) / 600],
    ['keepable frames are not touched', 600, 500, (100 + (100 * 5) / 6 - 100) / 500],
    ['when those alone are too much, no droppable one', 900, 300, 0],
    ['nothing droppable, nothing to thin out', 900, 0, 1],
  ])('E-SHED-1 %s', (_, offered, droppable, share) => {
    expect(step(offered, droppable).share).toBeCloseTo(share, 9);
  });

  it('E-SHED-1 off unless both marks are set', () => {
    expect(step(1e12, 1e12, { marks: OFF, lagMs: 1e6 })).toEqual(NO_SHEDDING);
  });

  it('E-SHED-1 whatever is offered, what leaves lies between the marks and rises with it', () => {
    const load = fc.double({ min: 101, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(load, load, (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        const out = (offered: number) => offered * step(offered, offered).share;
        expect(out(less)).toBeGreaterThanOrEqual(100 - 1e-6);
        expect(out(more)).toBeLessThanOrEqual(200 + 1e-6);
        expect(out(more)).toBeGreaterThanOrEqual(out(less) - 1e-6);
      }),
    );
  });
});

describe('levels', () => {
  it.each<[string, ShedLevel, number, number, ShedLevel]>([
    ['above the soft mark', 'none', 101, 0, 'soft'],
    ['a little below it stays', 'soft', 95, 0, 'soft'],
    ['a little below it does not begin', 'none', 95, 0, 'none'],
    ['well below it ends', 'soft', 89, 0, 'none'],
    ['above the hard mark', 'soft', 201, 0, 'hard'],
    ['a little below it stays hard', 'hard', 190, 0, 'hard'],
    ['well below it is soft again', 'hard', 150, 0, 'soft'],
    ['late', 'none', 0, 51, 'soft'],
    ['very late', 'none', 0, 201, 'hard'],
    ['less late stays', 'soft', 0, 30, 'soft'],
    ['on time', 'soft', 0, 20, 'none'],
  ])('E-SHED-2 %s', (_, level, offered, lagMs, wanted) => {
    expect(step(offered, offered, { level, lagMs }).level).toBe(wanted);
  });
});

describe('lateness', () => {
  it('E-SHED-2 thins out bit by bit, fast when very late, holds in between, comes back', () => {
    expect(step(0, 0, { lagMs: 60 }).share).toBeCloseTo(0.97);
    expect(step(0, 0, { lagMs: 500 }).share).toBeCloseTo(0.8);
    expect(step(0, 0, { lagMs: 30, lagShare: 0.5 }).lagShare).toBe(0.5);
    expect(step(0, 0, { lagMs: 5, lagShare: 0.5 }).lagShare).toBeCloseTo(0.515);
    expect(step(0, 0, { lagMs: 1e6, lagShare: 0.02 }).lagShare).toBe(0.02);
    expect(step(0, 0, { lagMs: 5, lagShare: 0.99 }).lagShare).toBe(1);
  });

  it('E-SHED-2 a loop whose lateness follows its load settles between the marks', () => {
    let state = NO_SHEDDING;
    const lags: number[] = [];
    for (let i = 0; i < 600; i++) {
      // Work for 2.5 cores: late by what does not fit.
      const lagMs = Math.max(0, state.share * 2.5 - 0.8) * 400;
      state = stepShedding(state, { offeredBytes: 0, droppableBytes: 0, lagMs }, MARKS);
      lags.push(lagMs);
    }
    const settled = lags.slice(100);
    expect(Math.max(...settled)).toBeLessThan(MARKS.lagHardMs);
    expect(Math.max(...settled.slice(-100)) - Math.min(...settled.slice(-100))).toBeLessThan(40);
    expect(state.share).toBeGreaterThan(0.25);
  });
});

/** The books of an edge that sends `offered(t)` bytes a second, a fifth of it keepable. */
function simulate(seconds: number, offered: (second: number) => number) {
  const sent = new SmoothRate(0, 0);
  const thinned = new SmoothRate(0, 0);
  const droppable = new SmoothRate(0, 0);
  const books = { sent: 0, thinned: 0, droppable: 0, kept: 0 };
  let state = NO_SHEDDING;
  const out: { at: number; perSecond: number; level: ShedLevel }[] = [];
  for (let now = SHED_STEP_MS; now <= seconds * 1000; now += SHED_STEP_MS) {
    const bytes = (offered(now / 1000) * SHED_STEP_MS) / 1000;
    const kept = bytes / 5;
    const dropped = (bytes - kept) * (1 - state.share);
    const left = bytes - dropped;
    books.sent += left;
    books.kept += kept;
    books.thinned += dropped;
    books.droppable += bytes - kept - dropped;
    const rates = [sent.next(books.sent, now), thinned.next(books.thinned, now)] as const;
    const drops = droppable.next(books.droppable, now);
    const offeredBytes = (rates[0] + rates[1]) * 1000;
    const droppableBytes = (drops + rates[1]) * 1000;
    const load = { offeredBytes, droppableBytes, lagMs: 0 };
    state = stepShedding(state, load, MARKS);
    out.push({ at: now, perSecond: (left * 1000) / SHED_STEP_MS, level: state.level });
  }
  return { out, state };
}

it('E-SHED-3 three times the hard mark settles between the marks within three seconds', () => {
  const { out } = simulate(30, (second) => (second < 5 ? 50 : 600));
  expect(out.filter(({ at }) => at < 5000).every(({ perSecond }) => perSecond === 50)).toBe(true);
  for (const { at, perSecond } of out) {
    if (at < 8000) continue;
    expect(perSecond).toBeGreaterThanOrEqual(100);
    expect(perSecond).toBeLessThanOrEqual(200);
  }
});

it('E-SHED-3 it ends within seconds when the load does, and does not flap at a mark', () => {
  const after = simulate(20, (second) => (second < 10 ? 600 : 50));
  expect(after.state).toMatchObject({ level: 'none', share: 1 });
  const last = after.out.filter(({ at }) => at > 15_000);
  expect(last.every(({ perSecond, level }) => perSecond === 50 && level === 'none')).toBe(true);
  const swaying = simulate(60, (second) => 100 + 4 * Math.sin(second * 9));
  const changes = swaying.out.filter(
    ({ level }, i) => i > 0 && level !== swaying.out[i - 1]!.level,
  );
  expect(changes.length).toBeLessThanOrEqual(1);
});
