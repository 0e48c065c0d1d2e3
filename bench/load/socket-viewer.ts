/**
 * Owns one WebSocket viewer over a plain TCP socket: upgrade, frames in, pongs and text out. For
 * programs that hold many viewers in Node; knows no JSON and no compression.
 */
import { createConnection, type Socket } from 'node:net';

export interface SocketViewerOptions {
  readonly port: number;
  /** Path and query of the upgrade. */
  readonly path: string;
  readonly format: 'json' | 'deflate';
  readonly localAddress: string;
  /** The payload of one whole WebSocket frame; valid only during the call. */
  readonly onPayload: (payload: Buffer) => void;
  readonly onOpen?: () => void;
  /** Called once, whatever ended the connection. */
  readonly onEnd: (why: string) => void;
  readonly onBytes?: (bytes: number) => void;
}

const HEAD_BYTES_MAX = 16 * 1024;

export class SocketViewer {
  readonly #socket: Socket;
  readonly #options: SocketViewerOptions;
  #rest: Buffer = Buffer.alloc(0);
  #open = false;
  #ended = false;

  constructor(options: SocketViewerOptions) {
    const { port, localAddress } = options;
    this.#options = options;
    this.#socket = createConnection({ host: '127.0.0.1', port, localAddress, noDelay: true });
    this.#socket.on('connect', () => this.#socket.write(upgradeRequest(options)));
    this.#socket.on('data', (bytes) => this.#read(bytes));
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('closed'));
  }

  /** False when the socket is full: the text was not sent. */
  send(text: string): boolean {
    if (!this.#open || this.#socket.writableLength > 0) return false;
    this.#write(1, Buffer.from(text));
    return true;
  }

  stopReading(): void {
    this.#socket.pause();
  }

  /** Ends the connection at once, with a reset. */
  close(): void {
    this.#ended = true;
    this.#socket.resetAndDestroy();
  }

  #read(bytes: Buffer): void {
    if (this.#ended) return;
    this.#options.onBytes?.(bytes.length);
    let have = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    if (!this.#open) {
      const end = have.indexOf('\r\n\r\n');
      if (end < 0 && have.length < HEAD_BYTES_MAX) return this.#keep(have);
      const status = have.toString('latin1', 0, 32).split('\r\n')[0] ?? '';
      if (end < 0 || !status.startsWith('HTTP/1.1 101')) return this.#end(`refused: ${status}`);
      have = have.subarray(end + 4);
      this.#open = true;
      this.#options.onOpen?.();
    }
    this.#keep(have.subarray(this.#takeFrames(have)));
  }

  /** Bytes of the whole frames at the beginning of `have`, each handed on. */
  #takeFrames(have: Buffer): number {
    let at = 0;
    for (;;) {
      const size = frameSize(have, at);
      if (size === undefined || at + size.head + size.payload > have.length) return at;
      const payload = have.subarray(at + size.head, at + size.head + size.payload);
      const opcode = have[at]! & 15;
      at += size.head + size.payload;
      if (opcode === 1 || opcode === 2) this.#options.onPayload(payload);
      else if (opcode === 9) this.#write(10, payload);
      else if (opcode === 8) this.#end(`close ${payload.length < 2 ? 0 : payload.readUInt16BE(0)}`);
      if (this.#ended) return have.length;
    }
  }

  #keep(rest: Buffer): void {
    this.#rest = rest.length > 0 ? Buffer.from(rest) : Buffer.alloc(0);
  }

  /** A masked frame; the mask is zero, which RFC 6455 allows and leaves the bytes as they are. */
  #write(opcode: number, payload: Buffer): void {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 8 : 6);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (long ? 126 : payload.length);
    if (long) head.writeUInt16BE(payload.length, 2);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#options.onEnd(why);
  }
}

function upgradeRequest({ port, path, format }: SocketViewerOptions): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Protocol: barrage.v1+${format}`,
    '\r\n',
  ].join('\r\n');
}

function frameSize(have: Buffer, at: number): { head: number; payload: number } | undefined {
  if (have.length < at + 2) return undefined;
  const short = have[at + 1]! & 127;
  if (short < 126) return { head: 2, payload: short };
  if (short === 126) {
    return have.length < at + 4 ? undefined : { head: 4, payload: have.readUInt16BE(at + 2) };
  }
  if (have.length < at + 10) return undefined;
  return { head: 10, payload: Number(have.readBigUInt64BE(at + 2)) };
}
