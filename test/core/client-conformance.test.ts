/** Our own decoder against the vectors that writers of other SDKs are given; and the SDK's size. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { CdnReader, readCdnFact } from '../../client/core/cdn-reader.js';
import { endOfBye, endOfClose, endOfError, endOfStatus } from '../../client/core/closing.js';
import { EventReader, parseLine, parseLines } from '../../client/core/lines.js';
import { Place, type Taken } from '../../client/core/place.js';
import type { Line, Publication } from '../../client/types.js';

const path = (name: string) => fileURLToPath(new URL(`../../client/${name}`, import.meta.url));
// The vectors' shapes are described beside them.
const casesOf = (name: string): any[] =>
  JSON.parse(readFileSync(path(`conformance/${name}.json`), 'utf8')).cases;

function take(place: Place, line: Line): Taken {
  if (line.type === 'joined' || line.type === 'publications') return place.takeWindow(line);
  return line.type === 'frame' ? place.takeFrame(line) : { fresh: [] };
}

const idsOf = (publications: readonly Publication[]) => publications.map(({ id }) => id);

it.each(casesOf('socket'))('K-CONF-1 socket: $name', ({ since, steps }) => {
  const place = new Place(since);
  for (const { text, shown, position, hole, gap, ack, flaw } of steps) {
    if (flaw === true) {
      expect(() => parseLines(text)).toThrow();
      continue;
    }
    const lines = parseLines(text);
    const taken = lines.map((line) => take(place, line));
    expect(idsOf(taken.flatMap(({ fresh }) => fresh))).toEqual(shown);
    expect(place.position).toEqual(position);
    expect(taken.some((one) => one.hole === true)).toBe(hole ?? false);
    expect(taken.some((one) => one.gap === true)).toBe(gap ?? false);
    const all: Publication[] = lines.flatMap((line) => line['publications'] ?? []);
    expect(idsOf(all.filter((one) => one.ack === true))).toEqual(ack ?? []);
  }
});

it.each(casesOf('events'))('K-CONF-1 events: $name', (vector) => {
  const place = new Place();
  const reader = new EventReader();
  const events = vector.pieces.flatMap((piece: string) => reader.push(piece));
  expect(events.map(({ event }: { event: string }) => event)).toEqual(vector.events);
  expect(events.at(-1).id).toBe(vector.lastId);
  const taken: Taken[] = events.map(({ data }: { data: string }) => take(place, parseLine(data)));
  expect(idsOf(taken.flatMap(({ fresh }) => fresh))).toEqual(vector.shown);
  expect([place.position, place.cursor]).toEqual([vector.position, vector.cursor]);
});

it.each(casesOf('polls'))('K-CONF-1 polls: $name', ({ since, steps }) => {
  const place = new Place(since);
  for (const { answer, shown, cursor, gap } of steps) {
    const taken = take(place, answer);
    expect(idsOf(taken.fresh)).toEqual(shown);
    expect([place.cursor, taken.gap]).toEqual([cursor, gap ?? false]);
  }
});

it.each(casesOf('cdn'))('K-CONF-1 cdn: $name', (vector) => {
  const { fact, region, weights, manifestUrl, steps } = vector;
  const read = readCdnFact(fact, region);
  if (weights !== undefined) {
    const own = (read?.sources ?? []).map(({ id, weight }) => [id, weight]);
    expect(Object.fromEntries(own)).toEqual(weights);
  }
  if (read === undefined) return expect(Object.keys(weights)).toEqual([]);
  const reader = new CdnReader(read, () => 0.5);
  if (manifestUrl !== undefined) expect(reader.manifestUrl).toBe(manifestUrl);
  for (const { manifest, now, is, fetch, missed, shed } of steps) {
    const taken = reader.takeManifest(manifest, now);
    expect(taken.is).toBe(is);
    expect(taken.segments.map(({ sequence }) => sequence)).toEqual(fetch);
    expect([taken.missed, taken.shed]).toEqual([missed, shed ?? 0]);
  }
});

it.each(casesOf('ends'))('K-CONF-1 ends: $name', ({ bye, close, error, status, end }) => {
  const ends = [
    bye && endOfBye(bye),
    close && endOfClose(close[0], close[1]),
    error && endOfError(error),
    status && endOfStatus(status[0], status[1], status[2] ?? undefined),
  ].filter((one) => one !== undefined);
  expect(ends).toHaveLength(1);
  expect(ends[0]).toMatchObject(end);
});

it('K-SIZE-1 the SDK is at most 15 KB, minified and gzipped, and needs nothing else', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [path('index.ts')],
    ...{ bundle: true, minify: true, format: 'esm', write: false, metafile: true },
  });
  expect(Object.keys(metafile.inputs).every((file) => /(^|\/)client\//.test(file))).toBe(true);
  expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThanOrEqual(15_000);
});
