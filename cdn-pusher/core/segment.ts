/**
 * Owns one segment: frames gathered while it is open, lines sorted by priority when it is sealed.
 * Until then a recalled publication can be taken out; afterwards the bytes are fixed.
 */
import type { Gap, Line, SealedSegment, TakenFrame, Writer } from './types.js';
import type { Through } from '../../src/wire/cdn.js';

export class Segment {
  /** Wall-clock tick by which it is to be at the origin, unix milliseconds. */
  readonly tick: number;
  #lines: Line[] = [];
  #bytes = 0;
  #sealed: SealedSegment | undefined;
  /** Of the first and the last frame. */
  readonly heardAt: number;
  through: Through;
  online: number;

  constructor(tick: number, first: TakenFrame) {
    this.tick = tick;
    this.heardAt = first.heardAt;
    this.through = first.place;
    this.online = first.online;
    this.add(first);
  }

  get count(): number {
    return this.#sealed?.entry.count ?? this.#lines.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get sealed(): SealedSegment | undefined {
    return this.#sealed;
  }

  add(frame: TakenFrame): void {
    this.#lines.push(...frame.lines);
    this.#bytes += frame.bytes;
    this.through = frame.place;
    this.online = frame.online;
  }

  /** Whether it was in here and could be taken out. */
  recall(id: string): boolean {
    const index = this.#sealed === undefined ? this.#lines.findIndex((line) => line.id === id) : -1;
    if (index === -1) return false;
    this.#bytes -= this.#lines[index]!.bytes.byteLength + 1;
    this.#lines.splice(index, 1);
    return true;
  }

  /** Fixes its bytes and its name; once. */
  seal(sequence: number, writer: Writer, before: { shed: number; gap?: Gap }): SealedSegment {
    const lines = this.#lines.toSorted((a, b) => a.priority - b.priority);
    const body = joinLines(lines, this.#bytes);
    const { from, to } = spanOf(lines, this.tick);
    const name = `${String(this.tick).padStart(13, '0')}-${sequence}-${writer.epoch}-${writer.run}.jsonl`;
    this.#sealed = {
      name,
      body,
      entry: {
        ...{ sequence, name, tick: this.tick, from, to, online: this.online },
        ...{ count: lines.length, bytes: body.byteLength, parts: partsOf(lines) },
        shed: before.shed,
        ...(before.gap !== undefined && { gap: before.gap }),
      },
    };
    // The lines live on in the body; the frames they came from can go.
    this.#lines = [];
    return this.#sealed;
  }
}

function joinLines(lines: readonly Line[], bytes: number): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const line of lines) {
    body.set(line.bytes, at);
    at += line.bytes.byteLength;
    body[at++] = 0x0a;
  }
  return body;
}

function spanOf(lines: readonly Line[], tick: number): Gap {
  if (lines.length === 0) return { from: tick, to: tick };
  let from = Infinity;
  let to = 0;
  for (const { at } of lines) {
    from = Math.min(from, at);
    to = Math.max(to, at);
  }
  return { from: Math.max(0, Math.floor(from)), to: Math.ceil(to) };
}

/** Counts and ends by priority; `lines` are sorted by it. */
function partsOf(lines: readonly Line[]): SealedSegment['entry']['parts'] {
  const parts: SealedSegment['entry']['parts'] = [];
  let end = 0;
  for (const { priority, bytes } of lines) {
    end += bytes.byteLength + 1;
    const last = parts.at(-1);
    if (last?.priority === priority) {
      last.count++;
      last.end = end;
    } else parts.push({ priority, count: 1, end });
  }
  return parts;
}
