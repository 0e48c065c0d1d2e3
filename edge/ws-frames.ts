/**
 * Owns making bytes ready for a socket: a WebSocket frame or an HTTP chunk round a content, made once
 * however many sockets it goes to. Knows no socket.
 */

/** WebSocket opcodes with FIN (RFC 6455 §5.2). */
const TEXT = 0x81;
const BINARY = 0x82;
/** Contents remembered: a flush sends the same few to everyone of a slice in turn. */
const KEPT = 4;
const LINE = '\r\n';

export type Wrap = (content: string | Uint8Array) => Buffer;

export const textFrame: Wrap = (content) => frame(TEXT, content);
export const binaryFrame: Wrap = (content) => frame(BINARY, content);

/** One chunk of a chunked answer (RFC 9112 §7.1). */
export const chunk: Wrap = (content) => {
  const bytes = Buffer.byteLength(content);
  // A chunk of no bytes would end the answer.
  if (bytes === 0) return Buffer.alloc(0);
  const size = `${bytes.toString(16)}${LINE}`;
  const out = Buffer.allocUnsafe(size.length + bytes + LINE.length);
  out.write(size, 0, 'latin1');
  put(content, out, size.length);
  out.write(LINE, size.length + bytes, 'latin1');
  return out;
};

/** As it is: an answer that ends with its connection. */
export const plain: Wrap = (content) =>
  typeof content === 'string' ? Buffer.from(content) : view(content);

function frame(first: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.byteLength(content);
  const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10;
  const out = Buffer.allocUnsafe(head + bytes);
  out[0] = first;
  if (head === 2) out[1] = bytes;
  else if (head === 4) {
    out[1] = 126;
    out.writeUInt16BE(bytes, 2);
  } else {
    out[1] = 127;
    out.writeUInt32BE(0, 2);
    out.writeUInt32BE(bytes, 6);
  }
  put(content, out, head);
  return out;
}

function put(content: string | Uint8Array, out: Buffer, at: number): void {
  if (typeof content === 'string') out.write(content, at);
  else out.set(content, at);
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The newest wrapped contents by identity, so that what goes to many is wrapped once and all of them
 * wait on the same bytes. Holds at most `KEPT` of them; texts go to one socket and are not kept.
 */
export class Wrapper {
  readonly #wrap: Wrap;
  readonly #contents: (Uint8Array | undefined)[] = new Array<undefined>(KEPT).fill(undefined);
  readonly #wrapped: Buffer[] = new Array<Buffer>(KEPT).fill(Buffer.alloc(0));
  #next = 0;

  constructor(wrap: Wrap) {
    this.#wrap = wrap;
  }

  of(content: string | Uint8Array): Buffer {
    if (typeof content === 'string') return this.#wrap(content);
    for (let i = 0; i < KEPT; i++) {
      if (this.#contents[i] === content) return this.#wrapped[i]!;
    }
    const wrapped = this.#wrap(content);
    this.#contents[this.#next] = content;
    this.#wrapped[this.#next] = wrapped;
    this.#next = (this.#next + 1) % KEPT;
    return wrapped;
  }
}

export interface Wrappers {
  readonly text: Wrapper;
  readonly binary: Wrapper;
  readonly chunk: Wrapper;
  readonly plain: Wrapper;
}

/** One set for a server. */
export function wrappers(): Wrappers {
  return {
    text: new Wrapper(textFrame),
    binary: new Wrapper(binaryFrame),
    chunk: new Wrapper(chunk),
    plain: new Wrapper(plain),
  };
}
