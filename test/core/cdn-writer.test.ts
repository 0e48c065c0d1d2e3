/** What carrying out a room's plans costs when the origin refuses them. */
import { expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import { BarrageError } from '../../src/errors.js';
import { silentLog } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { lineOf } from '../../cdn-pusher/core/lines.js';
import { RoomSegments } from '../../cdn-pusher/core/room-segments.js';
import { pusherMeters } from '../../cdn-pusher/meters.js';
import { PUSHER_DEFAULTS, SEGMENT_RULES } from '../../cdn-pusher/options.js';
import type { Origin, OriginFile } from '../../cdn-pusher/origin.js';
import { PatientOrigin } from '../../cdn-pusher/patient-origin.js';
import { RoomWriter } from '../../cdn-pusher/room-writer.js';
import { ManualClock } from '../kit/manual-clock.js';
import { untilTrue } from '../kit/until-true.js';

const room = 'lobby' as RoomId;
const nothing = () => 0;

/** Refuses segments as long as it is told to; keeps all that was tried. */
class RefusingOrigin implements Origin {
  readonly encodings = ['gzip', 'br'] as const;
  readonly ranges = true;
  readonly tried: { readonly name: string; readonly file: OriginFile }[] = [];
  isDown = true;

  put(name: string, file: OriginFile): Promise<void> {
    this.tried.push({ name, file });
    return this.isDown ? Promise.reject(new BarrageError('unavailable', 'no')) : Promise.resolve();
  }
  putManifest = () => Promise.resolve('written' as const);
  get = () => Promise.resolve(undefined);
  remove = () => Promise.resolve();
  list = () => Promise.resolve([]);
  close = () => Promise.resolve();
}

it('C-SEG-4 a segment the origin refuses is compressed once, however often it is tried; the next anew', async () => {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const meters = pusherMeters(new Meter(), {
    ...{ rooms: nothing, owned: nothing, backlogSegments: nothing },
    ...{ backlogBytes: nothing, ringBytes: nothing },
  });
  const refusing = new RefusingOrigin();
  const patience = { ...PUSHER_DEFAULTS.patience, retries: 0 };
  const origin = new PatientOrigin(refusing, patience, { clock, random, meters });
  const named = { room, epoch: 5, run: 'run', ranges: true };
  const rules = { ...SEGMENT_RULES, retryMs: 1, retryMsMax: 1 };
  const fresh = { manifest: undefined, leftovers: [] };
  const segments = new RoomSegments(named, rules, fresh, clock.now());
  const of = { room, epoch: 5, segments, fenced: () => undefined };
  const writer = new RoomWriter(of, { origin, clock, random, meters, log: silentLog });
  const say = (tick: number) => {
    const now = clock.now();
    const text = JSON.stringify({ id: `p${tick}`, kind: 'danmaku', lane: 'normal', at: now });
    const line = lineOf(Buffer.from(text), {})!;
    const place = { epoch: 1, tick, frames: 1 };
    const frame = { place, online: 1, lines: [line], bytes: line.bytes.byteLength + 1 };
    segments.frame({ ...frame, heardAt: now }, now);
    segments.close(now);
  };
  const until = (what: string, holds: () => boolean) =>
    untilTrue(what, async () => {
      clock.advance(5);
      writer.step();
      await new Promise((resolve) => setImmediate(resolve));
      return holds();
    });
  say(1);
  await until('several tries', () => refusing.tried.length >= 5);
  say(2);
  refusing.isDown = false;
  await until('both written', () => segments.backlog.segments === 0);
  await writer.stop();
  const first = refusing.tried.filter(({ name }) => name === refusing.tried[0]!.name);
  expect(first.length).toBeGreaterThanOrEqual(6);
  expect(new Set(first.map(({ file }) => file.compressed[1]!.bytes)).size).toBe(1);
  const others = refusing.tried.filter(({ name }) => name !== first[0]!.name);
  expect(others).toHaveLength(1);
  expect(others[0]!.file.bytes.equals(first[0]!.file.bytes)).toBe(false);
});
