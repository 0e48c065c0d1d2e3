/** What every origin must do; run against each of them. */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST_VERSION, type Manifest } from '../../src/wire/cdn.js';
import type { RoomId } from '../../src/ids.js';
import type { Origin, OriginFile } from '../../cdn-pusher/origin.js';

export interface OriginCase {
  readonly origin: Origin;
  /** A second process at the same origin. */
  readonly other: Origin;
  /** It cannot list what is there. */
  readonly cannotList?: true;
  stop(): Promise<void>;
}

const long = () => AbortSignal.timeout(10_000);

export function fileOf(text: string, origin: Origin): OriginFile {
  const bytes = Buffer.from(text);
  const compressed = origin.encodings.map((encoding) => ({
    encoding,
    bytes: encoding === 'br' ? brotliCompressSync(bytes) : gzipSync(bytes),
  }));
  const cacheControl = 'public, max-age=1';
  return { bytes, compressed, contentType: 'text/plain; charset=utf-8', cacheControl };
}

export function manifestText(epoch: number, next: number): string {
  const manifest: Manifest = {
    ...{ version: MANIFEST_VERSION, room: 'r' as RoomId, epoch, run: 'run', at: 1, mode: 'on' },
    ...{ segmentMs: 1000, ranges: true, first: next, next, shed: 0, until: 0, segments: [] },
  };
  return JSON.stringify(manifest);
}

export function originSuite(name: string, open: () => Promise<OriginCase>): void {
  describe(`origin: ${name}`, () => {
    let of: OriginCase;
    let origin: Origin;
    beforeAll(async () => {
      of = await open();
      origin = of.origin;
    }, 60_000);
    afterAll(async () => {
      await of?.origin.close();
      await of?.other.close();
      await of?.stop();
    });
    const put = (at: string, epoch: number, by = origin) =>
      by.putManifest(at, fileOf(manifestText(epoch, epoch), by), epoch, long());
    const epochAt = async (at: string) =>
      (JSON.parse((await origin.get(at, long()))!.toString()) as Manifest).epoch;

    it('C-ORIG-1 gives back what was put, byte for byte, and puts the same again', async () => {
      const text = '{"id":"1","text":"弹幕"}\n'.repeat(50);
      await origin.put('r/one.jsonl', fileOf(text, origin), long());
      await origin.put('r/one.jsonl', fileOf(text, origin), long());
      expect((await origin.get('r/one.jsonl', long()))?.toString()).toBe(text);
      expect(await origin.get('r/none.jsonl', long())).toBeUndefined();
    });

    it('C-ORIG-1 lists the plain files of a room and removes them with their compressed forms', async () => {
      await origin.put('s/one.jsonl', fileOf('1\n', origin), long());
      await origin.put('s/two.jsonl', fileOf('2\n', origin), long());
      await origin.put('t/other.jsonl', fileOf('3\n', origin), long());
      const listed = of.cannotList ? [] : ['one.jsonl', 'two.jsonl'];
      expect([...(await origin.list('s', long()))].sort()).toEqual(listed);
      expect(await origin.list('nobody', long())).toEqual([]);
      await origin.remove('s/one.jsonl', long());
      await origin.remove('s/one.jsonl', long());
      expect(await origin.get('s/one.jsonl', long())).toBeUndefined();
      expect([...(await origin.list('s', long()))]).toEqual(listed.slice(1));
      expect((await origin.get('t/other.jsonl', long()))?.toString()).toBe('3\n');
    });

    it('C-ORIG-2 a manifest of an older epoch never replaces a newer one', async () => {
      expect(await put('m/manifest.json', 5)).toBe('written');
      expect(await put('m/manifest.json', 5)).toBe('written');
      expect(await put('m/manifest.json', 6, of.other)).toBe('written');
      expect(await put('m/manifest.json', 5)).toBe('fenced');
      expect(await epochAt('m/manifest.json')).toBe(6);
      expect(await put('m/manifest.json', 7)).toBe('written');
      expect(await put('m/manifest.json', 6, of.other)).toBe('fenced');
      expect(await epochAt('m/manifest.json')).toBe(7);
    });

    it('C-ORIG-2 what is no manifest fences nobody', async () => {
      await origin.put('n/manifest.json', fileOf('not json', origin), long());
      expect(await put('n/manifest.json', 3)).toBe('written');
      expect(await epochAt('n/manifest.json')).toBe(3);
    });
  });
}
