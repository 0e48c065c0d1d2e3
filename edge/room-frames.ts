/**
 * Owns the frames of a room that some slice still has to send, and makes batches of them: slices at
 * the same place share one batch and so one set of bytes. Bounded in frames and bytes.
 */
import { Batch, type RoomFrame } from './batch.js';
import { MixedBatch } from './mixed-batch.js';
import { WAITING_BYTES_MAX, WAITING_FRAMES_MAX } from './options.js';

export class RoomFrames {
  #frames: RoomFrame[] = [];
  #bytes = 0;
  #aimed = 0;
  /** Batches up to the newest frame by the place they begin after. */
  readonly #mixed = new Map<number, MixedBatch>();
  readonly #made = new Map<number, Batch>();
  readonly #compressed: () => void;

  constructor(compressed: () => void) {
    this.#compressed = compressed;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** Frames among them that are meant for some. */
  get aimed(): number {
    return this.#aimed;
  }

  /** Whether the bound is reached; the caller sheds droppable frames and flushes keepable ones. */
  isFull(): boolean {
    return this.#bytes >= WAITING_BYTES_MAX || this.#frames.length >= WAITING_FRAMES_MAX;
  }

  push(frame: RoomFrame): void {
    this.#frames.push(frame);
    this.#bytes += frame.json.length;
    if (frame.aim !== undefined) this.#aimed++;
    this.#forget();
  }

  /** All frames after place `seq`; the same batch for the same place. */
  since(seq: number): Batch | undefined {
    const to = this.#frames.at(-1)?.seq ?? 0;
    if (to <= seq) return undefined;
    const made = this.#made.get(seq);
    if (made !== undefined) return made;
    let start = this.#frames.length;
    while (start > 0 && this.#frames[start - 1]!.seq > seq) start--;
    const batch = new Batch(this.#frames.slice(start), this.#compressed);
    this.#made.set(seq, batch);
    return batch;
  }

  /** As `since`, where some frames are meant for some. */
  mixedSince(seq: number): MixedBatch | undefined {
    const to = this.#frames.at(-1)?.seq ?? 0;
    if (to <= seq) return undefined;
    const made = this.#mixed.get(seq);
    if (made !== undefined) return made;
    const frames = this.#frames.filter((frame) => frame.seq > seq);
    const batch = new MixedBatch(frames, this.#compressed);
    this.#mixed.set(seq, batch);
    return batch;
  }

  /** Forgets frames up to place `seq`, which every slice has passed. */
  trim(seq: number): void {
    let gone = 0;
    while (gone < this.#frames.length && this.#frames[gone]!.seq <= seq) {
      const frame = this.#frames[gone++]!;
      this.#bytes -= frame.json.length;
      if (frame.aim !== undefined) this.#aimed--;
    }
    if (gone > 0) this.#frames = this.#frames.slice(gone);
    if (this.#frames.length === 0) this.#forget();
    // Nobody begins before the place that all have passed.
    for (const from of this.#made.keys()) if (from < seq) this.#made.delete(from);
    for (const from of this.#mixed.keys()) if (from < seq) this.#mixed.delete(from);
  }

  #forget(): void {
    this.#made.clear();
    this.#mixed.clear();
  }
}
