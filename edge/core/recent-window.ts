/**
 * Owns a room's newest publications of both classes at this edge, in the order they were sent:
 * what a newcomer is shown and what pollers are answered from. Bounded in count and bytes.
 */

export interface Shown {
  /** Running number of the frame it came in, at this edge. */
  readonly seq: number;
  readonly epoch: number;
  /** The room's tick; droppable publications are found again by it. */
  readonly tick: number;
  /** 0 on droppable ones. */
  readonly offset: number;
  json: Buffer;
}

export interface WindowBounds {
  readonly count: number;
  readonly bytes: number;
}

export class RecentWindow {
  #shown: Shown[] = [];
  #bytes = 0;

  constructor(readonly bounds: WindowBounds) {}

  get bytes(): number {
    return this.#bytes;
  }

  push(shown: Shown): void {
    this.#shown.push(shown);
    this.#bytes += shown.json.length;
    if (this.#shown.length > this.bounds.count * 1.25 || this.#bytes > this.bounds.bytes) {
      this.#trim();
    }
  }

  /** The newest `count` of frames up to `seq`, oldest first. */
  newest(count: number, seq: number): readonly Shown[] {
    let end = this.#shown.length;
    while (end > 0 && this.#shown[end - 1]!.seq > seq) end--;
    return this.#shown.slice(Math.max(0, end - count), end);
  }

  /** All that `wanted` says yes to, oldest first. */
  filter(wanted: (shown: Shown) => boolean): readonly Shown[] {
    return this.#shown.filter(wanted);
  }

  /** A recalled publication: keepables get the tombstone's text, droppables go. */
  recall(id: string, tombstone: Buffer): void {
    const prefix = Buffer.from(`{"id":${JSON.stringify(id)}`);
    const index = this.#shown.findIndex(
      ({ json }) =>
        json.length > prefix.length &&
        json.compare(prefix, 0, prefix.length, 0, prefix.length) === 0,
    );
    const shown = this.#shown[index];
    if (shown === undefined) return;
    this.#bytes -= shown.json.length;
    if (shown.offset === 0) {
      this.#shown.splice(index, 1);
    } else {
      shown.json = tombstone;
      this.#bytes += tombstone.length;
    }
  }

  #trim(): void {
    let from = Math.max(0, this.#shown.length - this.bounds.count);
    let bytes = 0;
    for (let i = from; i < this.#shown.length; i++) bytes += this.#shown[i]!.json.length;
    while (bytes > this.bounds.bytes && from < this.#shown.length) {
      bytes -= this.#shown[from++]!.json.length;
    }
    this.#shown = this.#shown.slice(from);
    this.#bytes = bytes;
  }
}
