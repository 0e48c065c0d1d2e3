/**
 * Owns what one flush sends: a run of frames in the forms viewers want (text, deflate, events; all
 * of it or the keepable part), each made once when the first viewer needs it, whoever comes after.
 * Frames are joined by line breaks and split only between frames.
 */
import type { Aim } from './core/aim.js';
import type { FrameClass } from '../src/words.js';
import { deflateFlush } from './deflate.js';
import { MESSAGE_BYTES_MAX } from './options.js';

/** A frame as an edge holds it. */
export interface RoomFrame {
  /** Running number at this edge. */
  readonly seq: number;
  readonly class: FrameClass;
  /** The JSON line as the room made it. */
  readonly json: Buffer;
  readonly count: number;
  /** Cursor after this frame. */
  readonly cursor: string;
  /** Whom it is meant for; undefined: everyone. */
  readonly aim?: Aim | undefined;
  /** Texts of its publications, where it is meant for some. */
  readonly texts?: readonly Buffer[] | undefined;
}

export type Encoding = 'text' | 'deflate' | 'events';

/** Which frames: all, the keepable ones, or those and what is meant for some. */
export type Part = 'all' | 'keep' | 'aside';

/** What a part of a batch is in one encoding: found once a viewer, so made once and flat. */
export interface Packed {
  /** The messages to send, in order. */
  readonly messages: readonly Buffer[];
  /** Bytes of all messages. */
  readonly bytes: number;
  /** Publications in them. */
  readonly count: number;
}

const LINE_BREAK = Buffer.from('\n');
/** Encodings times parts. */
const SLOTS = 9;

export class Batch {
  readonly keepCount: number;
  readonly dropCount: number;
  /** Droppable publications for everyone, and the bytes of their frames' lines. */
  readonly openDropCount: number;
  readonly openDropBytes: number;
  /** Bytes of all lines. */
  readonly bytes: number;
  readonly #frames: readonly RoomFrame[];
  readonly #compressed: () => void;
  /** By encoding and part. */
  readonly #packs: (Packed | undefined)[] = new Array<undefined>(SLOTS);

  /** `compressed` hears of every compression made. */
  constructor(frames: readonly RoomFrame[], compressed: () => void) {
    this.#frames = frames;
    this.#compressed = compressed;
    let [keep, all, openDrop, openDropBytes, bytes] = [0, 0, 0, 0, 0];
    for (const { count, json, class: of, aim } of frames) {
      all += count;
      bytes += json.length;
      if (of === 'keep') keep += count;
      else if (aim === undefined) {
        openDrop += count;
        openDropBytes += json.length;
      }
    }
    this.keepCount = keep;
    this.dropCount = all - keep;
    this.openDropCount = openDrop;
    this.openDropBytes = openDropBytes;
    this.bytes = bytes;
  }

  /** Publications of a part. */
  count(part: Part): number {
    if (part === 'keep') return this.keepCount;
    return this.keepCount + this.dropCount - (part === 'all' ? 0 : this.openDropCount);
  }

  /** A part as it is sent; the same object for everyone who is sent the same. */
  pack(encoding: Encoding, part: Part = 'all'): Packed {
    return this.#packs[slotOf(encoding, part)] ?? this.#packNew(encoding, part);
  }

  #packNew(encoding: Encoding, wanted: Part): Packed {
    const part = this.#simplest(wanted);
    const slot = slotOf(encoding, part);
    const packed = this.#packs[slot] ?? this.#packOf(this.#make(encoding, part), part);
    this.#packs[slot] = packed;
    this.#packs[slotOf(encoding, wanted)] = packed;
    return packed;
  }

  #packOf(messages: readonly Buffer[], part: Part): Packed {
    let bytes = 0;
    for (const message of messages) bytes += message.length;
    return { messages, bytes, count: this.count(part) };
  }

  /** Parts that are the same here share their bytes. */
  #simplest(part: Part): Part {
    if (this.dropCount === 0 || this.count(part) === this.count('all')) return 'all';
    return this.dropCount === this.openDropCount ? 'keep' : part;
  }

  #make(encoding: Encoding, part: Part): readonly Buffer[] {
    if (encoding === 'events') return joinRuns(this.#chosen(part).map(eventOf), undefined);
    if (encoding === 'text') {
      return joinRuns(
        this.#chosen(part).map((frame) => frame.json),
        LINE_BREAK,
      );
    }
    return this.pack('text', part).messages.map((text) => {
      this.#compressed();
      return deflateFlush(text);
    });
  }

  #chosen(part: Part): readonly RoomFrame[] {
    if (part === 'all') return this.#frames;
    return this.#frames.filter(
      ({ class: of, aim }) => of === 'keep' || (part === 'aside' && aim !== undefined),
    );
  }
}

function slotOf(encoding: Encoding, part: Part): number {
  const first = encoding === 'text' ? 0 : encoding === 'deflate' ? 3 : 6;
  return first + (part === 'all' ? 0 : part === 'keep' ? 1 : 2);
}

/** One server-sent event; JSON has no line break, so it is one `data` line. */
export function eventText(name: string, data: string, id?: string): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}

function eventOf(frame: RoomFrame): Buffer {
  return Buffer.concat([
    Buffer.from(`event: frame\nid: ${frame.cursor}\ndata: `),
    frame.json,
    Buffer.from('\n\n'),
  ]);
}

/** Pieces joined into buffers of at most MESSAGE_BYTES_MAX (or one piece). */
function joinRuns(pieces: readonly Buffer[], between: Buffer | undefined): readonly Buffer[] {
  const first = pieces[0];
  if (first === undefined) return [];
  if (pieces.length === 1) return [first];
  const out: Buffer[] = [];
  let run: Buffer[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (run.length > 0 && bytes + piece.length > MESSAGE_BYTES_MAX) {
      out.push(Buffer.concat(run));
      run = [];
      bytes = 0;
    }
    if (run.length > 0 && between !== undefined) run.push(between);
    run.push(piece);
    bytes += piece.length + 1;
  }
  out.push(Buffer.concat(run));
  return out;
}
