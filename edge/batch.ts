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

const LINE_BREAK = Buffer.from('\n');

export class Batch {
  readonly keepCount: number;
  readonly dropCount: number;
  readonly #frames: readonly RoomFrame[];
  readonly #compressed: () => void;
  readonly #forms = new Map<string, readonly Buffer[]>();

  /** `compressed` hears of every compression made. */
  constructor(frames: readonly RoomFrame[], compressed: () => void) {
    this.#frames = frames;
    this.#compressed = compressed;
    let keep = 0;
    let all = 0;
    for (const frame of frames) {
      all += frame.count;
      if (frame.class === 'keep') keep += frame.count;
    }
    this.keepCount = keep;
    this.dropCount = all - keep;
  }

  /** The messages to send, in order. */
  form(encoding: Encoding, keepOnly: boolean): readonly Buffer[] {
    const key = keepOnly && this.dropCount > 0 ? `${encoding} keep` : encoding;
    const made = this.#forms.get(key);
    if (made !== undefined) return made;
    const form = this.#make(encoding, keepOnly && this.dropCount > 0);
    this.#forms.set(key, form);
    return form;
  }

  #make(encoding: Encoding, keepOnly: boolean): readonly Buffer[] {
    if (encoding === 'events') return joinRuns(this.#chosen(keepOnly).map(eventOf), undefined);
    if (encoding === 'text') {
      return joinRuns(
        this.#chosen(keepOnly).map((frame) => frame.json),
        LINE_BREAK,
      );
    }
    return this.form('text', keepOnly).map((text) => {
      this.#compressed();
      return deflateFlush(text);
    });
  }

  #chosen(keepOnly: boolean): readonly RoomFrame[] {
    return keepOnly ? this.#frames.filter((frame) => frame.class === 'keep') : this.#frames;
  }
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
