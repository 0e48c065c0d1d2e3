/**
 * The vectors on thin viewers and on the delay of the CDN, against the SDK's own modules and the pusher's
 * writer of segments. Those on manifests are with the others in client-conformance.test.ts.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SteadyDelay } from '../../client/core/cdn-delay.js';
import { Thinness } from '../../client/core/thinness.js';
import { lineOf } from '../../cdn-pusher/core/lines.js';
import { Segment } from '../../cdn-pusher/core/segment.js';
import { PUSHER_DEFAULTS } from '../../cdn-pusher/options.js';
import { hashOf } from '../../cdn-pusher/press.js';
import type { RoomId } from '../../src/ids.js';
import { decodeManifest } from '../../src/wire/cdn.js';
import { readParts } from '../kit/part-reader.js';

// The vectors' shapes are described beside them.
function vectorsOf(name: string): any {
  const file = new URL(`../../client/conformance/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8'));
}

const parts = vectorsOf('parts');

it.each(Object.entries<any>(parts.segments))(
  'K-CONF-1, C-SEG-1 parts: the pusher makes the segment "%s" of these frames',
  (_, { frames, file, entry }) => {
    const { sequence, tick, online } = entry;
    const [first, ...rest] = (frames as string[][]).map((texts, i) => {
      const lines = texts.map((text) => lineOf(Buffer.from(text), PUSHER_DEFAULTS.kinds)!);
      const bytes = lines.reduce((sum, line) => sum + line.bytes.byteLength + 1, 0);
      return { place: { epoch: 1, tick: i, frames: 1 }, online, lines, bytes, heardAt: tick };
    });
    const segment = new Segment(tick, first!);
    for (const frame of rest) segment.add(frame);
    const writer = { room: 'lobby' as RoomId, epoch: 5, run: 'run', ranges: true };
    const sealed = segment.seal(sequence, writer, { shed: 0 });
    expect(sealed.body.toString()).toBe(file);
    expect({ ...sealed.entry, hash: hashOf(sealed.body) }).toEqual(entry);
    // What a manifest may say of a segment is the wire's to tell.
    const head = { version: 1, room: 'lobby', epoch: 5, run: 'run', at: tick, until: tick };
    const counts = { first: sequence, next: sequence + 1, shed: 0 };
    const manifest = { ...head, ...counts, mode: 'on', segmentMs: 1000, ranges: true };
    const bytes = Buffer.from(JSON.stringify({ ...manifest, segments: [entry] }));
    expect(decodeManifest(bytes).segments).toEqual([entry]);
  },
);

it.each<any>(parts.cases)('K-CONF-1, K-CDN-11 parts: $name', async (vector) => {
  const { file, entry } = parts.segments[vector.segment];
  const { held, ...read } = await readParts(vector, Buffer.from(file), entry);
  expect(read).toEqual(vector.expected);
  expect(held).toBe(0);
});

it.each<any>(vectorsOf('thin').cases)('K-CONF-1, K-CDN-12 thin: $name', (vector) => {
  const { segmentMs, savesData, steps } = vector;
  const thinness = new Thinness('auto', () => savesData);
  for (const { at, times, everyMs, tookMs, share, priority } of steps) {
    for (let i = 0; i < times; i++) {
      thinness.took(tookMs ?? Infinity, segmentMs, share, at + i * everyMs);
    }
    expect(thinness.priority ?? 2, `after ${at}`).toBe(priority);
  }
});

it.each<any>(vectorsOf('delay').cases)('K-CONF-1, K-CDN-10 delay: $name', (vector) => {
  const { startMs, cdnDelayMaxMs, steps } = vector;
  const delay = new SteadyDelay(vector, cdnDelayMaxMs);
  expect(delay.ms).toBe(startMs);
  for (const { at, times, everyMs, lateness, delayMs, lines, late } of steps) {
    const batch = (lateness as [number, number][]).flatMap(([ms, count]) => Array(count).fill(ms));
    for (let i = 0; i < times; i++) delay.came(batch, at + i * everyMs);
    expect(delay.ms, `after ${at}`).toBeCloseTo(delayMs, 3);
    expect([delay.lines, delay.late], `after ${at}`).toEqual([lines, late]);
  }
});
