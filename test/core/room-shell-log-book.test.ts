/** The accounting of a room's log, the recent window and the split of frames. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitTexts } from '../../room/frame-runs.js';
import {
  appendToBook,
  chunksFrom,
  evenChunks,
  openBook,
  type LogBook,
} from '../../room/log-book.js';
import { Recent } from '../../room/recent.js';
import { EPOCHS_MAX, withEpoch } from '../../room/records.js';
import type { EpochStart } from '../../src/words.js';

const bounds = { logCount: 200, logBytes: 10_000 };

function firstOf(book: LogBook): number {
  return book.chunks[0]?.[0] ?? book.next;
}

describe('log book', () => {
  it('R-KEEP-7 is never over its bounds, exact in bytes, and trims oldest first', () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 60 }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(sizes, (groups) => {
        let book = openBook(1, []);
        const held = new Map<number, number>();
        for (const group of groups) {
          group.forEach((size, i) => held.set(book.next + i, size));
          const change = appendToBook(book, group, bounds);
          book = change.book;
          for (const offset of held.keys()) {
            if (offset < (change.trimBelow ?? 0)) held.delete(offset);
          }
          const bytes = [...held.values()].reduce((sum, size) => sum + size, 0);
          expect([book.count, book.bytes]).toEqual([held.size, bytes]);
          expect(book.count).toBeLessThanOrEqual(bounds.logCount);
          expect(book.bytes).toBeLessThanOrEqual(bounds.logBytes);
          if (held.size > 0) expect(firstOf(book)).toBe(Math.min(...held.keys()));
        }
      }),
    );
  });

  it('R-KEEP-7 trims in chunks, not at each append, and little more than it must', () => {
    let book = openBook(1, []);
    let trims = 0;
    const wide = { logCount: 6400, logBytes: 1 << 30 };
    for (let i = 0; i < 20_000; i++) {
      const change = appendToBook(book, [10], wide);
      book = change.book;
      if (change.trimBelow !== undefined) trims++;
    }
    expect(trims).toBeLessThanOrEqual(14_000 / 100 + 1);
    expect(book.count).toBeGreaterThan(6400 - 101);
    expect(book.chunks.length).toBeLessThanOrEqual(66);
  });

  it('R-KEEP-7 keeps the newest when the bound shrinks under one large chunk', () => {
    const book = openBook(10_001, [[1, 10_000, 100_000]]);
    const change = appendToBook(book, [10], { logCount: 100, logBytes: 1 << 20 });
    expect(change.trimBelow).toBe(9902);
    expect(change.book.count).toBe(100);
  });

  it('R-KEEP-7 stored chunks are used as far as they describe the log', () => {
    const chunks = [
      [1, 10, 100],
      [11, 10, 200],
      [21, 10, 300],
    ] as const;
    expect(chunksFrom(chunks, 11, 40)).toEqual([chunks[1], chunks[2]]);
    expect(chunksFrom(chunks, 5, 40)).toEqual([]);
    expect(chunksFrom(chunks, 1, 25)).toEqual([chunks[0], chunks[1]]);
    const even = evenChunks(31, 1000, 4096);
    expect(even[0]![0]).toBe(31);
    expect(even.reduce((sum, chunk) => sum + chunk[1], 0)).toBe(1000);
    expect(even.reduce((sum, chunk) => sum + chunk[2], 0)).toBeGreaterThanOrEqual(4096);
    expect(evenChunks(1, 0, 0)).toEqual([]);
  });
});

describe('recent window', () => {
  it('R-KEEP-6 holds the newest, replaces and removes by offset and id', () => {
    const recent = new Recent(3);
    for (let i = 1; i <= 10; i++) recent.push(`p${i}`, i % 2 === 0 ? i : 0, `{"id":"p${i}","k":1}`);
    expect(recent.entries.map((entry) => entry[0])).toEqual([8, 0, 10]);
    recent.replace(8, 'tombstone');
    recent.remove('p9');
    expect(recent.entries).toEqual([
      [0, '{"id":"p7","k":1}'],
      [8, 'tombstone'],
      [10, '{"id":"p10","k":1}'],
    ]);
    expect([recent.offsetOf('p9'), recent.offsetOf('p2'), recent.offsetOf('x')]).toEqual([
      0,
      2,
      undefined,
    ]);
    recent.resize(1);
    expect(recent.entries).toHaveLength(1);
    recent.resize(0);
    recent.push('p11', 0, '{}');
    expect(recent.entries).toEqual([]);
  });

  it('R-KEEP-6 forgets ids beyond its bound', () => {
    const recent = new Recent(0);
    for (let i = 0; i < 5000; i++) recent.push(`p${i}`, i, '{}');
    expect(recent.offsetOf('p0')).toBeUndefined();
    expect(recent.offsetOf('p4999')).toBe(4999);
  });
});

describe('epochs and frames', () => {
  it('R-KEEP-2 an epoch is entered once, and only the newest are kept', () => {
    let epochs: readonly EpochStart[] = [];
    for (let epoch = 1; epoch <= 100; epoch++) {
      epochs = withEpoch(epochs, epoch, epoch * 10);
      expect(withEpoch(epochs, epoch, epoch * 10 + 5)).toBe(epochs);
    }
    expect(epochs).toHaveLength(EPOCHS_MAX);
    expect(epochs.at(-1)).toEqual([100, 1000]);
  });

  it('W-4 texts are split in order, each part within the bound unless one text is larger', () => {
    const texts = fc.array(fc.string({ maxLength: 80 }), { maxLength: 50 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 10, max: 300 }), (all, bytesMax) => {
        const parts = splitTexts(all, bytesMax);
        expect(parts.flat()).toEqual(all);
        for (const part of parts) {
          const bytes = part.reduce((sum, text) => sum + Buffer.byteLength(text) + 5, 0);
          expect(part.length === 1 || bytes <= bytesMax).toBe(true);
          expect(part.length).toBeGreaterThan(0);
        }
      }),
    );
  });
});
