/**
 * Owns one HTTP exchange on the socket library's response object: body in, reply or stream out,
 * abort. Knows the library only by the shape of its response, which dies with the connection.
 */
import type { HttpExchange, HttpReply, HttpStream, SendAnswer } from './viewer-server.js';

/** The part of the library's response used here. */
export interface NativeResponse {
  cork(run: () => void): unknown;
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  write(chunk: string | Uint8Array): boolean;
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown;
  close(): unknown;
  onAborted(aborted: () => void): unknown;
  onWritable(writable: () => boolean): unknown;
  onData(data: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
}

export interface Unsettled {
  cut(): void;
}

export interface BodyBounds {
  readonly bytesMax: number;
  readonly withinMs: number;
}

const TOO_LARGE: HttpReply = {
  status: 413,
  headers: { 'content-type': 'application/json' },
  body: '{"error":{"code":"too_large","message":"the body is too large"}}',
};

export class UwsExchange implements HttpExchange, Unsettled {
  #native: NativeResponse | undefined;
  #aborted: (() => void) | undefined;

  constructor(
    native: NativeResponse,
    readonly unsettled: Set<Unsettled>,
    readonly fault: (error: unknown) => void,
  ) {
    this.#native = native;
  }

  /** What was not answered at once may be aborted: to be called before the library's turn ends. */
  await(): void {
    if (this.#native === undefined) return;
    this.unsettled.add(this);
    this.#native.onAborted(() => {
      this.settle();
      this.guarded(() => this.#aborted?.());
    });
  }

  onAbort(aborted: () => void): void {
    this.#aborted = aborted;
  }

  reply({ status, headers, body }: HttpReply): void {
    const native = this.#native;
    if (native === undefined) return;
    this.settle();
    native.cork(() => {
      // The library's own, when none is written.
      if (status !== 200) native.writeStatus(String(status));
      for (const name in headers) native.writeHeader(name, headers[name]!);
      native.end(body);
    });
  }

  stream(status: number, headers: Readonly<Record<string, string>>, probe: string): HttpStream {
    const native = this.#native;
    native?.cork(() => {
      native.writeStatus(String(status));
      for (const [name, value] of Object.entries(headers)) native.writeHeader(name, value);
    });
    return new UwsStream(this, native, probe);
  }

  cut(): void {
    const native = this.#native;
    this.settle();
    native?.close();
  }

  /** Collects the body and hands it on when it is whole; over the bounds the request is refused. */
  readBody({ bytesMax, withinMs }: BodyBounds, whole: (body: Buffer) => void): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    // Slow-loris: the library gives a body that trickles all the time it likes.
    const late = setTimeout(() => this.cut(), withinMs);
    this.#aborted = () => clearTimeout(late);
    this.#native?.onData((chunk, isLast) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) {
        clearTimeout(late);
        this.reply({ ...TOO_LARGE, headers: { ...TOO_LARGE.headers, connection: 'close' } });
        return;
      }
      // The chunk's memory is the library's again after this callback.
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (!isLast) return;
      clearTimeout(late);
      this.#aborted = undefined;
      whole(Buffer.concat(chunks));
    });
  }

  get isOver(): boolean {
    return this.#native === undefined;
  }

  settle(): void {
    this.#native = undefined;
    this.unsettled.delete(this);
  }

  guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fault(error);
    }
  }
}

/**
 * Chunks go to the library while it takes them; then they wait here, counted. The library does not
 * tell how much of its own it still holds, so what was handed over since the last full drain counts.
 */
class UwsStream implements HttpStream {
  readonly #exchange: UwsExchange;
  readonly #native: NativeResponse | undefined;
  readonly #probe: string;
  #waiting: (string | Uint8Array)[] = [];
  #waitingBytes = 0;
  #handedBytes = 0;
  #blocked = false;
  #ending = false;

  constructor(exchange: UwsExchange, native: NativeResponse | undefined, probe: string) {
    this.#exchange = exchange;
    this.#probe = probe;
    this.#native = native;
    native?.onWritable(() => {
      this.#blocked = false;
      exchange.guarded(() => this.#drain());
      return true;
    });
  }

  send(content: string | Uint8Array): SendAnswer {
    if (this.#exchange.isOver || this.#ending) return 'lost';
    if (this.#blocked) {
      this.#waiting.push(content);
      this.#waitingBytes += Buffer.byteLength(content);
      return 'buffered';
    }
    return this.#write(content) ? 'sent' : 'buffered';
  }

  bufferedBytes(): number {
    return this.#exchange.isOver ? 0 : this.#waitingBytes + this.#handedBytes;
  }

  end(): void {
    if (this.#exchange.isOver) return;
    this.#ending = true;
    if (this.#blocked) return;
    const native = this.#native;
    this.#exchange.settle();
    native?.cork(() => native.end('', true));
  }

  cut(): void {
    this.#exchange.cut();
  }

  #write(content: string | Uint8Array): boolean {
    const native = this.#native;
    if (native === undefined) return false;
    let taken = false;
    native.cork(() => {
      taken = native.write(content);
    });
    this.#handedBytes = taken ? 0 : this.#handedBytes + Buffer.byteLength(content);
    this.#blocked = !taken;
    return taken;
  }

  #drain(): void {
    while (!this.#blocked && !this.#exchange.isOver) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#waitingBytes -= Buffer.byteLength(next);
      this.#write(next);
    }
    // Writable does not mean empty: only a write that is taken whole tells.
    if (!this.#blocked && this.#handedBytes > 0) this.#write(this.#probe);
    if (!this.#blocked && this.#ending) this.end();
  }
}
