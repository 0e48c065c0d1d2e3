/**
 * Owns what the file formats of this folder exchange: publications as they were sent, without their
 * place in the stream, and text in chunks. Knows no format.
 */
import type { Publication } from '../words.js';

export type Recorded = Pick<
  Publication,
  'at' | 'id' | 'kind' | 'text' | 'user' | 'style' | 'count' | 'data'
>;

/** Read one at a time, so that a history of any length can be written page by page. */
export type RecordedSource = Iterable<Recorded> | AsyncIterable<Recorded>;

/** What became of a source's publications; the sum is how many there were. */
export interface WrittenCounts {
  readonly written: number;
  /** The format has no form for them: they have no text. */
  readonly textless: number;
  /** No place on the screen was free. */
  readonly crowded: number;
}

/** Chunks are this long or a line longer. */
const CHUNK_CHARACTERS = 16 * 1024;

/** Joins lines to chunks. */
export class Chunk {
  #text = '';

  /** Adds a part; gives the chunk when it is full and begins the next. */
  add(part: string): string | undefined {
    this.#text += part;
    return this.#text.length >= CHUNK_CHARACTERS ? this.take() : undefined;
  }

  /** What is left. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}
