/** A viewer on a bare TCP socket: reads only when told to, and can send what no library would. */
import { connect, type Socket } from 'node:net';

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export class RawViewer {
  readonly frames: RawFrame[] = [];
  /** Publications of all lines so far, joined windows included. */
  readonly publications: any[] = [];
  /** Publications it was told were left out for it. */
  skipped = 0;
  isClosed = false;
  #rest = Buffer.alloc(0);
  #isUpgraded = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('close', () => (this.isClosed = true));
    socket.on('error', () => undefined);
  }

  static connect(port: number, query: string): Promise<RawViewer> {
    const socket = connect(port, '127.0.0.1');
    const viewer = new RawViewer(socket);
    socket.write(
      `GET /v1/ws?${query} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    return new Promise((resolve, reject) => {
      socket.once('close', () => reject(new Error('closed in the handshake')));
      const look = setInterval(() => {
        if (viewer.frames.length < 2) return;
        clearInterval(look);
        resolve(viewer);
      }, 2);
    });
  }

  get closeCode(): number | undefined {
    return this.frames.find(({ opcode }) => opcode === 8)?.payload.readUInt16BE(0);
  }

  stopReading(): void {
    this.socket.pause();
  }

  read(): void {
    this.socket.resume();
  }

  /** One masked frame (mask of zeroes). */
  send(opcode: number, payload: Buffer): void {
    const length =
      payload.length < 126
        ? Buffer.from([0x80 | payload.length])
        : Buffer.from([0xfe, payload.length >> 8, payload.length & 255]);
    this.socket.write(
      Buffer.concat([Buffer.from([0x80 | opcode]), length, Buffer.alloc(4), payload]),
    );
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#isUpgraded) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#rest = this.#rest.subarray(end + 4);
      this.#isUpgraded = true;
    }
    for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) {
      this.frames.push(frame);
      if (frame.opcode === 1) this.#lines(frame.payload.toString());
    }
  }

  #lines(text: string): void {
    for (const line of text.split('\n')) {
      const { type, publications = [], count } = JSON.parse(line);
      this.publications.push(...publications);
      if (type === 'skipped') this.skipped += count;
    }
  }

  #frame(): RawFrame | undefined {
    const bytes = this.#rest;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < head) return undefined;
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
    if (bytes.length < head + length) return undefined;
    this.#rest = bytes.subarray(head + length);
    return { opcode: bytes[0]! & 15, payload: bytes.subarray(head, head + length) };
  }
}
