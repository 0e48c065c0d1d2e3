/**
 * Owns the look at an LMDB file before it is mapped: the library ends the whole process on a file
 * that is not its own, or cut short, instead of refusing it. Knows only the head of the format.
 *
 * Each of the first two pages: 24 bytes of page head · 24 magic u32 · 28 version u32 · 48 page size
 * u32 · 88 root of the free list u64 · 136 root of the data u64 · 152 transaction u64 (little endian)
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0xbeefc0de;
const META_BYTES = 160;
/** The root of an empty tree. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

interface Meta {
  readonly transaction: bigint;
  readonly roots: readonly bigint[];
}

/** What is wrong with the file at `path`; undefined when it is missing, empty or looks whole. */
export function flawOfFile(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    return size === 0 ? undefined : flawOf(file, size);
  } finally {
    closeSync(file);
  }
}

function flawOf(file: number, size: number): string | undefined {
  const head = Buffer.alloc(META_BYTES);
  readSync(file, head, 0, META_BYTES, 0);
  if (head.readUInt32LE(24) !== MAGIC) return 'is not a store';
  const pageBytes = head.readUInt32LE(48);
  const metas = [readMeta(file, 0), readMeta(file, pageBytes)];
  const [one, two] = metas;
  if (one === undefined || two === undefined) return 'is damaged: a head page is unreadable';
  const newest = two.transaction > one.transaction ? two : one;
  const pages = BigInt(Math.floor(size / pageBytes));
  const isWhole = newest.roots.every((root) => root === NO_PAGE || root < pages);
  return isWhole ? undefined : 'is damaged: it was cut short';
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(file, page, 0, META_BYTES, at) < META_BYTES) return undefined;
  if (page.readUInt32LE(24) !== MAGIC) return undefined;
  return {
    transaction: page.readBigUInt64LE(152),
    roots: [page.readBigUInt64LE(88), page.readBigUInt64LE(136)],
  };
}
