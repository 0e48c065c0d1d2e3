/** The decisions of the CDN pusher, without bus, origin or clock. */
import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import type { Manifest } from '../../src/wire/cdn.js';
import { decodeCdnNote, decodeManifest } from '../../src/wire/cdn.js';
import { Announced } from '../../src/cdn-announced.js';
import { FrameRing } from '../../cdn-pusher/core/frame-ring.js';
import { lineOf } from '../../cdn-pusher/core/lines.js';
import { placeAfter } from '../../cdn-pusher/core/place.js';
import { leasesToHear } from '../../cdn-pusher/core/roles.js';
import { RoomSegments, type Resumption } from '../../cdn-pusher/core/room-segments.js';
import type { Plan, SegmentRules, TakenFrame } from '../../cdn-pusher/core/types.js';
import { SEGMENT_RULES } from '../../cdn-pusher/options.js';

const START = 1_763_670_000_000;
const HASH = `sha256-${'A'.repeat(43)}=`;
const FRESH: Resumption = { manifest: undefined, leftovers: [] };
const room = 'lobby' as RoomId;
const textOf = (id: string, lane = 'normal', kind = 'danmaku') =>
  `{"id":"${id}","kind":"${kind}","lane":"${lane}","at":${START},"text":"弹幕 ${id}"}`;

function frameOf(tick: number, texts: readonly string[], heardAt = START): TakenFrame {
  const lines = texts.map((text) => lineOf(Buffer.from(text), { combo: 0 })!);
  const bytes = lines.reduce((sum, line) => sum + line.bytes.byteLength + 1, 0);
  return { place: { epoch: 1, tick, frames: 1 }, online: 7, lines, bytes, heardAt };
}

function segmentsOf(rules: Partial<SegmentRules> = {}, from = FRESH): RoomSegments {
  const writer = { room, epoch: 5, run: 'run', ranges: true };
  return new RoomSegments(writer, { ...SEGMENT_RULES, leadMs: 0, ...rules }, from, START);
}

/** Carries out all that is wanted at a time; what was done, in order. */
function work(of: RoomSegments, now: number): Plan[] {
  const done: Plan[] = [];
  for (let plan = of.plan(now); plan !== undefined; plan = of.plan(now)) {
    done.push(plan);
    of.done(now, plan.act === 'segment' ? HASH : '');
  }
  return done;
}

const written = (plans: readonly Plan[]) =>
  plans.flatMap((plan) => (plan.act === 'segment' ? [plan.segment] : []));
const manifestIn = (plans: readonly Plan[]): Manifest =>
  plans.flatMap((plan) => (plan.act === 'manifest' ? [plan.manifest] : [])).at(-1)!;

describe('segments', () => {
  it('C-SEG-1 lines keep their bytes, come by priority, and are told by part', () => {
    const of = segmentsOf();
    const [a, b, c, d] = [
      textOf('a', 'low'),
      textOf('b'),
      textOf('c', 'low', 'combo'),
      textOf('d'),
    ];
    of.frame(frameOf(1, [a, b]), START + 10);
    of.frame(frameOf(2, [c, d]), START + 20);
    of.step(START + 1000);
    const [segment] = written(work(of, START + 1000));
    expect(segment!.body.toString()).toBe(`${c}\n${b}\n${d}\n${a}\n`);
    const ends = [c, `${b}${d}-`, a].map((text) => Buffer.byteLength(text) + 1);
    const end = (parts: number) => ends.slice(0, parts).reduce((sum, one) => sum + one, 0);
    expect(segment!.entry.parts).toEqual([
      { priority: 0, count: 1, end: end(1) },
      { priority: 1, count: 2, end: end(2) },
      { priority: 2, count: 1, end: end(3) },
    ]);
    expect(segment!.entry).toMatchObject({ count: 4, bytes: segment!.body.byteLength, online: 7 });
  });

  it('C-SEG-2 a segment ends at its tick or when it is full, never inside a frame', () => {
    const of = segmentsOf({ segmentCount: 3 });
    of.frame(frameOf(1, [textOf('a'), textOf('b')]), START + 900);
    of.step(START + 999);
    expect(of.backlog.segments).toBe(0);
    of.frame(frameOf(2, [textOf('c'), textOf('d')]), START + 999);
    expect(of.backlog.segments).toBe(1);
    of.frame(frameOf(3, [textOf('e')]), START + 1001);
    of.step(START + 1999);
    expect(of.backlog.segments).toBe(1);
    of.step(START + 2000);
    const entries = written(work(of, START + 2000)).map(({ entry }) => [entry.tick, entry.count]);
    expect(entries).toEqual([
      [START + 1000, 4],
      [START + 2000, 1],
    ]);
  });

  it('C-SEG-2 a clock that was set back does not hold a segment open', () => {
    const of = segmentsOf();
    of.frame(frameOf(1, [textOf('a')]), START);
    of.step(START - 3_600_000);
    expect(of.backlog.segments).toBe(1);
  });

  it('C-SEG-3 names carry tick, sequence, epoch and run, and go on where the manifest ends', () => {
    const of = segmentsOf();
    of.frame(frameOf(1, [textOf('a')]), START);
    of.step(START + 1000);
    const plans = work(of, START + 1000);
    expect(written(plans)[0]!.name).toBe(`${START + 1000}-1-5-run.jsonl`);
    const next = segmentsOf({}, { manifest: manifestIn(plans), leftovers: [] });
    next.frame(frameOf(2, [textOf('b')]), START + 1000);
    next.step(START + 2000);
    expect(written(work(next, START + 2000))[0]!.name).toBe(`${START + 2000}-2-5-run.jsonl`);
  });

  it('C-SEG-5 the segment goes before the manifest, the deletion comes last and late', () => {
    const of = segmentsOf();
    of.frame(frameOf(1, [textOf('a')]), START);
    of.step(START + 1000);
    expect(work(of, START + 1000).map(({ act }) => act)).toEqual(['segment', 'manifest']);
    const gone = START + 1000 + SEGMENT_RULES.windowMs;
    expect(manifestIn(work(of, gone - 1)).segments).toHaveLength(1);
    const without = work(of, gone + SEGMENT_RULES.manifestEveryMs);
    expect(manifestIn(without).segments).toHaveLength(0);
    const removeAt = gone + SEGMENT_RULES.manifestEveryMs + SEGMENT_RULES.retentionMs;
    const before = work(of, removeAt - 1).map(({ act }) => act);
    expect(before).not.toContain('remove');
    expect(work(of, removeAt).map(({ act }) => act)).toContain('remove');
  });

  it('C-SEG-5 one that is late is named as long as any other, and leftovers are swept', () => {
    const of = segmentsOf({}, { ...FRESH, leftovers: ['old.jsonl'] });
    of.frame(frameOf(1, [textOf('a')]), START);
    of.step(START + 1000);
    const late = START + 3 * SEGMENT_RULES.windowMs;
    expect(manifestIn(work(of, late)).segments).toHaveLength(1);
    const still = work(of, late + SEGMENT_RULES.manifestEveryMs);
    expect(manifestIn(still).segments).toHaveLength(1);
    const swept = work(of, START + SEGMENT_RULES.retentionMs);
    expect(swept).toContainEqual({ act: 'remove', name: 'old.jsonl' });
  });

  it('C-SEG-6 a recall takes a line out until its segment has been tried', () => {
    const of = segmentsOf();
    of.frame(frameOf(1, [textOf('a'), textOf('b')]), START);
    expect(of.recall('a')).toBe(true);
    of.step(START + 1000);
    of.plan(START + 1000);
    of.failed(START + 1000, 0);
    expect(of.recall('b')).toBe(false);
    const [segment] = written(work(of, START + 1001));
    expect(segment!.body.toString()).toBe(`${textOf('b')}\n`);
  });

  it('C-SEG-7 frames are taken once and in order', () => {
    const of = segmentsOf();
    expect(of.frame(frameOf(3, [textOf('a')]), START)).toBe(true);
    expect(of.frame(frameOf(3, [textOf('a')]), START)).toBe(false);
    expect(of.frame(frameOf(2, [textOf('b')]), START)).toBe(false);
    const last = { epoch: 4, tick: 9, frames: 2 };
    expect(placeAfter(last, { epoch: 4, tick: 9 })).toEqual({ epoch: 4, tick: 9, frames: 3 });
    expect(placeAfter(last, { epoch: 4, tick: 10 })).toEqual({ epoch: 4, tick: 10, frames: 1 });
    expect(placeAfter(last, { epoch: 5, tick: 1 })).toEqual({ epoch: 5, tick: 1, frames: 1 });
    expect(placeAfter(last, { epoch: 4, tick: 8 })).toBeUndefined();
    expect(placeAfter(last, { epoch: 3, tick: 99 })).toBeUndefined();
  });
});

describe('what waits', () => {
  it('C-PUSH-5 the oldest goes, one in flight never, and the next segment tells it', () => {
    const of = segmentsOf({ backlogSegments: 2 });
    work(of, START);
    for (let i = 1; i <= 2; i++) {
      of.frame(frameOf(i, [textOf(`a${i}`), textOf(`b${i}`)]), START + i * 1000);
      of.close(START + i * 1000);
    }
    const flying = of.plan(START + 2500);
    for (let i = 3; i <= 4; i++) {
      of.frame(frameOf(i, [textOf(`a${i}`)]), START + i * 1000);
      of.close(START + i * 1000);
    }
    expect(of.backlog.segments).toBe(2);
    expect(flying?.act === 'segment' && flying.segment.entry.sequence).toBe(1);
    of.done(START + 4000, HASH);
    const plans = work(of, START + 4000);
    expect(written(plans).map(({ entry }) => [entry.sequence, entry.shed])).toEqual([[2, 3]]);
    expect(manifestIn(plans)).toMatchObject({ shed: 3, next: 3, until: START + 4000 });
  });

  it('C-PUSH-5 one that was tried and given up is deleted later and its news are told', () => {
    const gap = { from: START - 50, to: START };
    const of = segmentsOf({}, { ...FRESH, gap });
    of.frame(frameOf(1, [textOf('a')]), START);
    of.close(START);
    const tried = of.plan(START);
    of.failed(START, 0);
    of.shedOldest(START);
    of.frame(frameOf(2, [textOf('b')]), START + 10);
    of.close(START + 10);
    const [next] = written(work(of, START + 10));
    expect(next!.entry).toMatchObject({ sequence: 2, shed: 1, gap });
    const name = tried?.act === 'segment' ? tried.segment.name : '';
    const swept = work(of, START + SEGMENT_RULES.retentionMs);
    expect(swept).toContainEqual({ act: 'remove', name });
  });

  it('C-ORIG-4 failures are waited out with full jitter up to a bound', () => {
    const of = segmentsOf();
    for (let i = 0; i < 20; i++) {
      const now = START + i * 10_000;
      expect(of.plan(now)).toBeDefined();
      of.failed(now, 0.99);
    }
    const last = START + 190_000;
    expect(of.plan(last + SEGMENT_RULES.retryMsMax * 0.98)).toBeUndefined();
    expect(of.plan(last + SEGMENT_RULES.retryMsMax)).toBeDefined();
  });
});

describe('taking over', () => {
  const manifest = (through: number | undefined, until: number) =>
    ({
      ...{ epoch: 4, mode: 'on', until, segments: [], next: 3 },
      ...(through !== undefined && { through: { epoch: 1, tick: through, frames: 1 } }),
    }) as unknown as Manifest;
  const bounds = { ageMs: 5000, items: 100, bytes: 100_000 };

  it('C-PUSH-3 the ring gives what follows the last frame written, whole when they overlap', () => {
    const ring = new FrameRing(bounds, START);
    for (let tick = 1; tick <= 4; tick++)
      ring.push(frameOf(tick, [textOf(`${tick}`)], START + tick));
    const { frames, gap } = ring.after(manifest(2, START - 999), START + 1001);
    expect(frames.map(({ place }) => place.tick)).toEqual([3, 4]);
    expect(gap).toBeUndefined();
  });

  it('C-PUSH-4 a ring that begins later tells from when to when', () => {
    const ring = new FrameRing(bounds, START);
    ring.push(frameOf(9, [textOf('9')], START + 10));
    expect(ring.after(manifest(2, START - 700), START + 1001).gap).toEqual({
      from: START - 700,
      to: START,
    });
    expect(ring.after(manifest(2, START + 1001), START + 1001).gap).toBeUndefined();
    expect(ring.after(undefined, START + 1001).gap).toBeUndefined();
  });

  it('C-PUSH-4 a gap is told in whole milliseconds, whatever the clock counts in', () => {
    const ring = new FrameRing(bounds, START + 0.25);
    ring.push(frameOf(9, [textOf('9')], START + 10.5));
    const told = ring.after(manifest(2, START - 700), START + 1001.5).gap;
    expect(told).toEqual({ from: START - 700, to: START + 1 });
    const of = segmentsOf({}, { ...FRESH, gap: told! });
    of.frame(frameOf(9, [textOf('9')]), START + 20.75);
    of.step(START + 1000.5);
    const read = decodeManifest(Buffer.from(JSON.stringify(manifestIn(work(of, START + 1000.5)))));
    expect(read.segments[0]!.gap).toEqual(told);
  });

  it('C-PUSH-7 a manifest of the future tells nothing of what is missing: the gap is told', () => {
    const ring = new FrameRing(bounds, START);
    const hour = 3_600_000;
    expect(ring.after(manifest(2, START + hour), START + 2000).gap).toEqual({
      from: START,
      to: START + hour,
    });
  });

  it('C-PUSH-4 what was let go for age or size moves the beginning', () => {
    const ring = new FrameRing({ ...bounds, items: 3 }, START);
    for (let tick = 1; tick <= 6; tick++)
      ring.push(frameOf(tick, [textOf(`${tick}`)], START + tick));
    expect(ring.frames).toHaveLength(3);
    expect(ring.after(manifest(2, START), START + 1001).gap).toEqual({
      from: START,
      to: START + 3,
    });
    ring.trim(START + 60_000);
    expect(ring.frames).toHaveLength(0);
    expect(ring.bytes).toBe(0);
  });

  it('C-PUSH-3 every lease has one owner and one standby, and the standby is the next owner', () => {
    const leases = Array.from({ length: 64 }, (_, i) => 64 + i);
    const members = ['a', 'b', 'c', 'd'];
    const heard = members.map((member) => leasesToHear(member, leases, members));
    for (const lease of leases) {
      expect(heard.filter((set) => set.has(lease))).toHaveLength(2);
    }
    expect(leasesToHear('a', leases, ['a']).size).toBe(64);
    expect(leasesToHear('x', leases, members).size).toBe(0);
  });
});

describe('what comes in', () => {
  it('C-PUSH-1 lines need an id and a time on one line', () => {
    expect(lineOf(Buffer.from(textOf('a')), {})).toMatchObject({ id: 'a', at: START, priority: 1 });
    expect(lineOf(Buffer.from(textOf('a', 'low')), {})?.priority).toBe(2);
    expect(lineOf(Buffer.from(textOf('a', 'low', 'like')), { like: 0 })?.priority).toBe(0);
    for (const bad of ['{', 'null', '[]', '{"id":1,"at":2}', '{"id":"a"}', '{"id":"a",\n"at":1}']) {
      expect(lineOf(Buffer.from(bad), {}), bad).toBeUndefined();
    }
  });

  it('C-PUSH-1 notes and manifests that are none are refused by field', () => {
    const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
    expect(decodeCdnNote(bytes({ epoch: 1, rooms: [['r', 'on']] })).rooms).toEqual([['r', 'on']]);
    for (const bad of [{}, { epoch: -1, rooms: [] }, { epoch: 1, rooms: [['r/r', 'on']] }]) {
      expect(() => decodeCdnNote(bytes(bad))).toThrowError(
        expect.objectContaining({ code: 'invalid' }),
      );
    }
    expect(() => decodeManifest(bytes({ version: 2 }))).toThrow('manifest');
    expect(() => decodeManifest(Buffer.from('x'))).toThrow('JSON');
  });

  it('C-PUSH-6 a room is off when it says so or is not heard of, and older owners are not heard', () => {
    const announced = new Announced();
    expect(announced.hear(1, { epoch: 2, rooms: [[room, 'on']] }, START)).toBe(true);
    expect(announced.hear(1, { epoch: 1, rooms: [[room, 'off']] }, START)).toBe(false);
    expect(announced.modes(1, START)).toEqual([[room, 'on']]);
    const isOn = (shard: number, at: number) => announced.isOn(shard, room, at);
    expect([isOn(1, START), isOn(2, START), isOn(1, START + 15_000)]).toEqual([true, false, false]);
    expect(announced.modes(1, START + 15_000)).toEqual([[room, 'off']]);
    expect(announced.modes(1, START + 15_000)).toEqual([]);
  });
});
