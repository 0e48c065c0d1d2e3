/**
 * Owns where a danmaku goes on a screen so that none covers another: scrolling ones never catch up
 * with the one before them, standing ones have their rows to themselves. Pure; knows no format.
 */

/** Height of a row; a danmaku takes as many as it needs. */
const ROW_PIXELS = 10;

/** Scrolling from the right edge to out of the left one, everything in the same time. */
export class ScrollLanes {
  readonly #screen: number;
  readonly #durationMs: number;
  /** The last danmaku of each row; what came before it is further left for good. */
  readonly #startMs: Float64Array;
  readonly #widths: Float64Array;

  constructor(width: number, height: number, durationMs: number) {
    this.#screen = width;
    this.#durationMs = durationMs;
    const rows = Math.floor(height / ROW_PIXELS);
    this.#startMs = new Float64Array(rows).fill(-Infinity);
    this.#widths = new Float64Array(rows);
  }

  /** Top edge of the highest free place; undefined when there is none. Starts must not go back. */
  place(startMs: number, width: number, height: number): number | undefined {
    const isFree = (row: number) => this.#isFree(row, startMs, width);
    const row = findRows(this.#startMs.length, rowsOf(height), isFree);
    if (row === undefined) return undefined;
    this.#startMs.fill(startMs, row, row + rowsOf(height));
    this.#widths.fill(width, row, row + rowsOf(height));
    return row * ROW_PIXELS;
  }

  /** Both move evenly, so they are apart all the time if they are at the first and last moment. */
  #isFree(row: number, startMs: number, width: number): boolean {
    const waited = startMs - this.#startMs[row]!;
    if (waited >= this.#durationMs) return true;
    const before = this.#widths[row]!;
    const hasEntered = waited * (this.#screen + before) >= before * this.#durationMs;
    const whenGone = this.#durationMs - waited;
    return hasEntered && whenGone * (this.#screen + width) <= this.#screen * this.#durationMs;
  }
}

/** Standing in the middle, from the top edge down and from the bottom edge up in the same rows. */
export class StandingLanes {
  readonly #freeAtMs: Float64Array;
  readonly #durationMs: number;

  constructor(height: number, durationMs: number) {
    this.#durationMs = durationMs;
    this.#freeAtMs = new Float64Array(Math.floor(height / ROW_PIXELS)).fill(-Infinity);
  }

  /** Distance of the nearer edge from the top or bottom of the screen; undefined when all is full. */
  place(side: 'top' | 'bottom', startMs: number, height: number): number | undefined {
    const count = this.#freeAtMs.length;
    const at = (row: number) => (side === 'top' ? row : count - 1 - row);
    const isFree = (row: number) => this.#freeAtMs[at(row)]! <= startMs;
    const row = findRows(count, rowsOf(height), isFree);
    if (row === undefined) return undefined;
    for (let i = row; i < row + rowsOf(height); i++) {
      this.#freeAtMs[at(i)] = startMs + this.#durationMs;
    }
    return row * ROW_PIXELS;
  }
}

function rowsOf(height: number): number {
  return Math.ceil(height / ROW_PIXELS);
}

/** The first of `needed` free rows in a row. */
function findRows(
  count: number,
  needed: number,
  isFree: (row: number) => boolean,
): number | undefined {
  let free = 0;
  for (let row = 0; row < count; row++) {
    free = isFree(row) ? free + 1 : 0;
    if (free === needed) return row + 1 - needed;
  }
  return undefined;
}
