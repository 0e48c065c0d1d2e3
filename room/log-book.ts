/**
 * Owns the accounting of a room's log: how many publications and bytes it holds, in chunks, and what
 * to drop when it is over its bounds. Whole chunks go, so the store trims once in a while and not at
 * each append. Pure: a book is never changed, only followed by another.
 */

/** Entries that are dropped together. */
export type Chunk = readonly [first: number, count: number, bytes: number];

export interface LogBook {
  /** Offset the next appended publication gets. */
  readonly next: number;
  readonly count: number;
  readonly bytes: number;
  /** Oldest first, contiguous up to `next`; the last is still open. */
  readonly chunks: readonly Chunk[];
}

export interface LogBounds {
  readonly logCount: number;
  readonly logBytes: number;
}

export interface BookChange {
  readonly book: LogBook;
  /** Entries below this offset are to be dropped. */
  readonly trimBelow?: number;
  /** Whether the chunks worth storing (all but the open one) are others than before. */
  readonly closed: boolean;
}

const CHUNKS_MIN = 64;
/** Fewer entries are not worth a chunk of their own when their sizes are only estimated. */
const EVEN_COUNT_MIN = 16;

/** A book from chunks that are known; they must be contiguous and end at `next`. */
export function openBook(next: number, chunks: readonly Chunk[]): LogBook {
  let count = 0;
  let bytes = 0;
  for (const chunk of chunks) {
    count += chunk[1];
    bytes += chunk[2];
  }
  return { next, count, bytes, chunks };
}

/** The chunks of a stored list that still describe the log from `first` on, without a gap. */
export function chunksFrom(chunks: readonly Chunk[], first: number, next: number): Chunk[] {
  const out: Chunk[] = [];
  let at = first;
  for (const [start, count, bytes] of chunks) {
    if (start < first) continue;
    if (start !== at || start + count > next) break;
    out.push([start, count, bytes]);
    at = start + count;
  }
  return out;
}

/** `count` entries from `first` on whose single sizes are not known, in chunks of like size. */
export function evenChunks(first: number, count: number, bytes: number): Chunk[] {
  const parts = Math.min(CHUNKS_MIN, Math.ceil(count / EVEN_COUNT_MIN));
  const chunks: Chunk[] = [];
  for (let i = 0; i < parts; i++) {
    const from = Math.floor((count * i) / parts);
    const to = Math.floor((count * (i + 1)) / parts);
    chunks.push([first + from, to - from, Math.ceil((bytes * (to - from)) / count)]);
  }
  return chunks;
}

/** The book after publications of these sizes (bytes) were appended, trimmed to its bounds. */
export function appendToBook(
  book: LogBook,
  sizes: readonly number[],
  bounds: LogBounds,
): BookChange {
  const chunks = book.chunks.map(([first, count, bytes]): [number, number, number] => [
    first,
    count,
    bytes,
  ]);
  let { next, count, bytes } = book;
  let closed = false;
  for (const size of sizes) {
    let open = chunks.at(-1);
    if (open === undefined || isFull(open, bounds)) {
      closed ||= open !== undefined;
      open = [next, 0, 0];
      chunks.push(open);
    }
    open[1]++;
    open[2] += size;
    next++;
    count++;
    bytes += size;
  }
  let trimBelow: number | undefined;
  while (chunks.length > 0 && (count > bounds.logCount || bytes > bounds.logBytes)) {
    const oldest = chunks[0]!;
    const cut = cutOf(oldest, count, bounds);
    count -= cut[1];
    bytes -= cut[2];
    trimBelow = cut[0] + cut[1];
    if (cut[1] === oldest[1]) chunks.shift();
    else chunks[0] = [trimBelow, oldest[1] - cut[1], oldest[2] - cut[2]];
    closed = true;
  }
  const after: LogBook = { next, count, bytes, chunks };
  return trimBelow === undefined ? { book: after, closed } : { book: after, closed, trimBelow };
}

function isFull([, count, bytes]: Chunk, bounds: LogBounds): boolean {
  return count >= bounds.logCount / CHUNKS_MIN || bytes >= bounds.logBytes / CHUNKS_MIN;
}

/** Whole chunks go, except one made under wider bounds that is larger than all that may stay. */
function cutOf(oldest: Chunk, count: number, bounds: LogBounds): Chunk {
  const [first, held, bytes] = oldest;
  const excess = count - bounds.logCount;
  if (held <= bounds.logCount || excess <= 0 || excess >= held) return oldest;
  return [first, excess, Math.floor((bytes * excess) / held)];
}
