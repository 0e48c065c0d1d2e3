/**
 * Owns bodies that travel in parts: reading a stream as parts of bounded size, and writing parts
 * into one at its reader's pace. Knows no bus.
 */
import { PassThrough, type Readable } from 'node:stream';
import { PART_BYTES_MAX } from './wire.js';

export interface Part {
  readonly bytes: Buffer;
  /** Whether there may be more behind it. */
  readonly more: boolean;
}

/** Reads nothing ahead of the part asked for, but what the stream's own pieces are too large for. */
export class PartReader {
  readonly #pieces: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #ended = false;
  heldBytes = 0;

  constructor(stream: Readable) {
    this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Up to `PART_BYTES_MAX`; rejects when the stream breaks. Not to be called while it runs. */
  async next(): Promise<Part> {
    while (!this.#ended && this.heldBytes < PART_BYTES_MAX) {
      const { done, value } = await this.#pieces.next();
      if (done === true) this.#ended = true;
      else {
        this.#held.push(value);
        this.heldBytes += value.byteLength;
      }
    }
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    const bytes = all.subarray(0, PART_BYTES_MAX);
    const rest = all.subarray(bytes.byteLength);
    this.#held = rest.byteLength === 0 ? [] : [rest];
    this.heldBytes = rest.byteLength;
    return { bytes, more: rest.byteLength > 0 || !this.#ended };
  }

  /** Reads what is left and keeps nothing: a connection is no good for the next call before. */
  async discard(): Promise<void> {
    try {
      while (!this.#ended) this.#ended = (await this.#pieces.next()).done === true;
    } catch {
      // It broke off; then there is nothing left.
    }
  }
}

/** A stream that is fed parts, each taken when there is place for it. */
export class PartWriter {
  readonly stream = new PassThrough({ highWaterMark: PART_BYTES_MAX });

  constructor() {
    // Whoever reads it hears of its end; nobody else has to.
    this.stream.on('error', () => undefined);
  }

  /** Resolves when there is place for the next, or when nobody reads any more. */
  async write({ bytes, more }: Part): Promise<void> {
    const { stream } = this;
    if (stream.destroyed || stream.writableEnded) return;
    const hasPlace = bytes.byteLength === 0 || stream.write(bytes);
    if (!more) {
      stream.end();
      return;
    }
    if (hasPlace) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('drain', done).off('close', done);
        resolve();
      };
      stream.on('drain', done).on('close', done);
    });
  }

  /** The body will not come whole. */
  cut(): void {
    this.stream.destroy(new Error('the body was cut off'));
  }
}
