/**
 * Owns a room's newest publications of both classes at this edge, in the order they were sent:
 * what a newcomer is shown and what pollers are answered from. Bounded in count and bytes.
 */
import type { Aim } from './aim.js';

export interface Shown {
  /** Running number of the frame it came in, at this edge. */
  readonly seq: number;
  readonly epoch: number;
  /** The room's tick; droppable publications are found again by it. */
  readonly tick: number;
  /** 0 on droppable ones. */
  readonly offset: number;
  json: Buffer;
  /** Whom it is meant for; undefined: everyone. */
  readonly aim?: Aim | undefined;
}

export interface WindowBounds {
  readonly count: number;
  readonly bytes: number;
}

const nobody = (): boolean => false;

export class RecentWindow {
  #shown: Shown[] = [];
  #bytes = 0;
  /** How many of them are meant for some. */
  #aimed = 0;

  constructor(readonly bounds: WindowBounds) {}

  get bytes(): number {
    return this.#bytes;
  }

  push(shown: Shown): void {
    this.#shown.push(shown);
    this.#bytes += shown.json.length;
    if (shown.aim !== undefined) this.#aimed++;
    if (this.#shown.length > this.bounds.count * 1.25 || this.#bytes > this.bounds.bytes) {
      this.#trim();
    }
  }

  /** The newest `count` of frames up to `seq` for a viewer that is `meant`, oldest first. */
  newest(count: number, seq: number, meant: (aim: Aim) => boolean = nobody): readonly Shown[] {
    let end = this.#shown.length;
    while (end > 0 && this.#shown[end - 1]!.seq > seq) end--;
    if (this.#aimed === 0) return this.#shown.slice(Math.max(0, end - count), end);
    const mine: Shown[] = [];
    for (let i = end - 1; i >= 0 && mine.length < count; i--) {
      const shown = this.#shown[i]!;
      if (shown.aim === undefined || meant(shown.aim)) mine.push(shown);
    }
    return mine.reverse();
  }

  /** Which of those meant for some a viewer is shown: equal texts, equal windows. */
  aimedKey(meant: (aim: Aim) => boolean): string {
    if (this.#aimed === 0) return '';
    const mine = this.#shown.filter(({ aim }) => aim !== undefined && meant(aim));
    return mine.map(({ seq }) => seq).join();
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
      if (shown.aim !== undefined) this.#aimed--;
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
    this.#aimed = this.#shown.filter(({ aim }) => aim !== undefined).length;
  }
}
