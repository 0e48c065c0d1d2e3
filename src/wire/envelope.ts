/**
 * Owns the binary envelope in which a room's frames and notes travel to the edges. An edge reads the
 * header and slices publications by their byte ranges; it never parses the JSON inside.
 *
 *   0 version u8 · 1 kind u8 · 2 admission u16 · 4 count u32 · 8 epoch f64 · 16 tick f64
 *  24 offset f64 · 32 online u32 · 36 shed u32 · 40 jsonBytes u32 · 44 first u32
 *  48 ends u32 × count · JSON line (little endian; `first` and `ends` are byte places in the JSON)
 *     · target JSON up to the end, in the kinds that are meant for some only
 */
import { LEVEL_FULL } from '../admission-level.js';
import { BarrageError } from '../errors.js';
import type { RoomId } from '../ids.js';
import type { FrameClass } from '../words.js';

const VERSION = 1;
const HEADER_BYTES = 48;
const KIND_KEEP = 1;
const KIND_DROP = 2;
const KIND_NOTE = 3;
const KIND_KEEP_TO = 4;
const KIND_DROP_TO = 5;

/** Admission level (src/admission-level.ts) that lets everything through. */
export const ADMIT_ALL = LEVEL_FULL;

export interface FrameHead {
  readonly room: RoomId;
  readonly class: FrameClass;
  readonly epoch: number;
  /** Number of the room's tick within its epoch. */
  readonly tick: number;
  /** Offset of the first publication; 0 on droppable frames. */
  readonly offset: number;
  readonly online: number;
  /** Danmaku sampled out or shed since the last frame. */
  readonly shed: number;
  /** Which danmaku the room wants from the edges: lane × 4096 + users (src/admission-level.ts). */
  readonly admission: number;
  /**
   * On keepable frames that follow publications meant for some: the first of those offsets. Whoever
   * has not got one of them was not meant.
   */
  readonly from?: number;
  /** Whom all of it is meant for (src/target.ts, as JSON text); absent: everyone. */
  readonly target?: string;
}

export interface FrameEnvelope extends Omit<FrameHead, 'room' | 'from' | 'target'> {
  readonly kind: 'frame';
  readonly target: string | undefined;
  readonly count: number;
  /** The JSON line as it goes to the socket, without a line break. */
  readonly json: Buffer;
  /** The JSON text of publication `index`, a view into `json`. */
  publication(index: number): Buffer;
}

export interface NoteEnvelope {
  readonly kind: 'note';
  readonly epoch: number;
  readonly json: Buffer;
}

export type Envelope = FrameEnvelope | NoteEnvelope;

/**
 * The envelope of one frame. `publications` are texts of `encodePublication`.
 * The JSON line is `{"type":"frame",…,"publications":[…],"shed":n}`.
 */
export function encodeFrame(head: FrameHead, publications: readonly string[]): Buffer {
  const offset = head.class === 'keep' ? offsetFields(head) : '';
  const open =
    `{"type":"frame","room":"${head.room}","class":"${head.class}","epoch":${head.epoch},` +
    `"tick":${head.tick},${offset}"online":${head.online},"publications":[`;
  const close = head.shed > 0 ? `],"shed":${head.shed}}` : ']}';
  const bytes = publicationBytes(publications);
  const jsonBytes = open.length + bytes + close.length;
  const start = HEADER_BYTES + publications.length * 4;
  const targetBytes = head.target === undefined ? 0 : Buffer.byteLength(head.target);
  const out = Buffer.allocUnsafe(start + jsonBytes + targetBytes);
  out.writeUInt8(VERSION, 0);
  out.writeUInt8(kindOf(head), 1);
  out.writeUInt16LE(head.admission, 2);
  out.writeUInt32LE(publications.length, 4);
  out.writeDoubleLE(head.epoch, 8);
  out.writeDoubleLE(head.tick, 16);
  out.writeDoubleLE(head.offset, 24);
  out.writeUInt32LE(head.online, 32);
  out.writeUInt32LE(head.shed, 36);
  out.writeUInt32LE(jsonBytes, 40);
  out.writeUInt32LE(open.length, 44);
  writeBody(out, start, open, publications, close);
  if (head.target !== undefined) out.write(head.target, start + jsonBytes, 'utf8');
  return out;
}

function offsetFields({ offset, from }: FrameHead): string {
  const skipped = from === undefined || from === offset ? '' : `"from":${from},`;
  return `"offset":${offset},${skipped}`;
}

function kindOf(head: FrameHead): number {
  if (head.target === undefined) return head.class === 'keep' ? KIND_KEEP : KIND_DROP;
  return head.class === 'keep' ? KIND_KEEP_TO : KIND_DROP_TO;
}

function publicationBytes(publications: readonly string[]): number {
  let bytes = Math.max(0, publications.length - 1);
  for (const json of publications) bytes += Buffer.byteLength(json);
  return bytes;
}

function writeBody(
  out: Buffer,
  start: number,
  open: string,
  publications: readonly string[],
  close: string,
): void {
  let at = start + out.write(open, start, 'latin1');
  for (let i = 0; i < publications.length; i++) {
    if (i > 0) out[at++] = 0x2c;
    at += out.write(publications[i]!, at, 'utf8');
    out.writeUInt32LE(at - start, HEADER_BYTES + i * 4);
  }
  out.write(close, at, 'latin1');
}

/** The envelope of a room's note to its edges (src/wire/internal.ts `RoomNote`). */
export function encodeNote(epoch: number, json: string): Buffer {
  const jsonBytes = Buffer.byteLength(json);
  const out = Buffer.alloc(HEADER_BYTES + jsonBytes);
  out.writeUInt8(VERSION, 0);
  out.writeUInt8(KIND_NOTE, 1);
  out.writeDoubleLE(epoch, 8);
  out.writeUInt32LE(jsonBytes, 40);
  out.write(json, HEADER_BYTES, 'utf8');
  return out;
}

/** Throws BarrageError `invalid` on bytes that are no envelope of this version. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < HEADER_BYTES || view[0] !== VERSION) throw broken('version');
  const kind = view[1];
  const count = view.readUInt32LE(4);
  const jsonBytes = view.readUInt32LE(40);
  const start = HEADER_BYTES + count * 4;
  const end = start + jsonBytes;
  const isTargeted = kind === KIND_KEEP_TO || kind === KIND_DROP_TO;
  // A target that is missing must not turn into everyone.
  if (isTargeted ? end >= view.length : end !== view.length) throw broken('length');
  const json = view.subarray(start, end);
  const epoch = view.readDoubleLE(8);
  if (kind === KIND_NOTE) return { kind: 'note', epoch, json };
  if (kind !== KIND_KEEP && kind !== KIND_DROP && !isTargeted) throw broken('kind');
  checkRanges(view, count, jsonBytes);
  const target = isTargeted ? view.toString('utf8', end) : undefined;
  return new DecodedFrame(view, epoch, json, target);
}

/** The publications' byte ranges must follow one another inside the JSON. */
function checkRanges(view: Buffer, count: number, jsonBytes: number): void {
  let from = view.readUInt32LE(44);
  if (from > jsonBytes) throw broken('ranges');
  for (let i = 0; i < count; i++) {
    const end = view.readUInt32LE(HEADER_BYTES + i * 4);
    if (end < from || end > jsonBytes) throw broken('ranges');
    from = end + 1;
  }
}

function broken(rule: string): BarrageError {
  return new BarrageError('invalid', `not an envelope: ${rule}`, { field: 'envelope', rule });
}

class DecodedFrame implements FrameEnvelope {
  readonly kind = 'frame';
  readonly tick: number;
  readonly offset: number;
  readonly online: number;
  readonly shed: number;
  readonly admission: number;
  readonly #view: Buffer;

  readonly count: number;
  readonly class: FrameClass;

  constructor(
    view: Buffer,
    readonly epoch: number,
    readonly json: Buffer,
    readonly target: string | undefined,
  ) {
    this.#view = view;
    this.class = view[1] === KIND_KEEP || view[1] === KIND_KEEP_TO ? 'keep' : 'drop';
    this.count = view.readUInt32LE(4);
    this.admission = view.readUInt16LE(2);
    this.tick = view.readDoubleLE(16);
    this.offset = view.readDoubleLE(24);
    this.online = view.readUInt32LE(32);
    this.shed = view.readUInt32LE(36);
  }

  publication(index: number): Buffer {
    if (index < 0 || index >= this.count) throw broken('index');
    const from = index === 0 ? this.#view.readUInt32LE(44) : this.#end(index - 1) + 1;
    return this.json.subarray(from, this.#end(index));
  }

  #end(index: number): number {
    return this.#view.readUInt32LE(HEADER_BYTES + index * 4);
  }
}
