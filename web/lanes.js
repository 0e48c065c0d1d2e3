/**
 * Owns which row of the stage a danmaku takes and when, so that no two of the same mode overlap.
 * Pure arithmetic on pixels and milliseconds; knows no document.
 */

/** Free pixels kept between two danmaku of one row. */
const GAP_PX = 24;

export class Lanes {
  #scroll = [];
  #fixed = [];

  /** Sets how many rows there are; what already flies in rows that remain keeps its place. */
  resize(rows) {
    const fit = (table, empty) => Array.from({ length: rows }, (_, i) => table[i] ?? empty);
    this.#scroll = fit(this.#scroll, { clearAt: 0, leavesAt: 0 });
    this.#fixed = fit(this.#fixed, 0);
  }

  get rows() {
    return this.#scroll.length;
  }

  /**
   * The first of `span` neighbouring rows for a danmaku crossing `stage` pixels in `crossMs`, or
   * undefined. It may enter when the one before has fully entered and will not be caught up with.
   * Rows without a standing danmaku are preferred.
   */
  takeScroll({ now, width, span, stage, crossMs }) {
    const speed = (stage + width) / crossMs;
    const reachesLeftAt = now + stage / speed;
    const isFree = (row) => row.clearAt <= now && row.leavesAt <= reachesLeftAt;
    const free = (i) => isFree(this.#scroll[i]);
    const quiet = (i) => free(i) && this.#fixed[i] <= now;
    const row = this.#find(span, quiet, false) ?? this.#find(span, free, false);
    if (row === undefined) return undefined;
    const taken = { clearAt: now + (width + GAP_PX) / speed, leavesAt: now + crossMs };
    for (let i = row; i < row + span; i++) this.#scroll[i] = taken;
    return row;
  }

  /** The first of `span` rows, from the top or the bottom, for a danmaku standing for `standMs`. */
  takeFixed({ now, span, standMs, fromBottom }) {
    const row = this.#find(span, (i) => this.#fixed[i] <= now, fromBottom);
    if (row === undefined) return undefined;
    for (let i = row; i < row + span; i++) this.#fixed[i] = now + standMs;
    return row;
  }

  #find(span, isFree, fromBottom) {
    const last = this.rows - span;
    for (let step = 0; step <= last; step++) {
      const row = fromBottom ? last - step : step;
      let free = true;
      for (let i = row; i < row + span && free; i++) free = isFree(i);
      if (free) return row;
    }
    return undefined;
  }
}
