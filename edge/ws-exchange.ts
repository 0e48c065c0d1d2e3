/**
 * Owns one HTTP exchange on Node's http server: body in, reply or stream out, abort. A stream writes
 * its chunks to the connection itself, so that what waits is known after each of them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpExchange, HttpReply, HttpStream, SendAnswer } from './viewer-server.js';
import type { Wrapper, Wrappers } from './ws-frames.js';

export interface BodyBounds {
  readonly bytesMax: number;
  readonly withinMs: number;
}

export interface ExchangeParts {
  readonly wrappers: Wrappers;
  readonly bufferedBytesMax: number;
  readonly fault: (error: unknown) => void;
}

const TOO_LARGE: HttpReply = {
  status: 413,
  headers: { 'content-type': 'application/json', connection: 'close' },
  body: '{"error":{"code":"too_large","message":"the body is too large"}}',
};
const LAST_CHUNK = '0\r\n\r\n';

export class WsExchange implements HttpExchange {
  readonly #parts: ExchangeParts;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #aborted: (() => void) | undefined;
  #isOver = false;

  constructor(request: IncomingMessage, response: ServerResponse, parts: ExchangeParts) {
    this.#request = request;
    this.#response = response;
    this.#parts = parts;
    response.on('error', () => undefined);
    response.once('close', () => this.#gone());
    // Half closed is gone: nobody would read the answer to its end.
    request.socket.once('end', this.#ended);
  }

  readonly #ended = () => this.#request.socket.destroy();

  onAbort(aborted: () => void): void {
    this.#aborted = aborted;
  }

  reply({ status, headers, body }: HttpReply): void {
    if (this.#isOver) return;
    this.#settle();
    this.#response.writeHead(status, headers).end(body);
  }

  stream(status: number, headers: Readonly<Record<string, string>>, _probe: string): HttpStream {
    const { socket, httpVersion } = this.#request;
    // HTTP/1.0 knows no chunks (a proxy may speak it): there the answer ends with the connection.
    const isChunked = httpVersion !== '1.0';
    if (!this.#isOver) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      if (isChunked) lines.push('transfer-encoding: chunked\r\n');
      socket.write(`HTTP/1.1 ${status} OK\r\n${lines.join('')}connection: close\r\n\r\n`);
    }
    return new WsStream(this, socket, isChunked ? 'chunk' : 'plain');
  }

  cut(): void {
    this.#settle();
    this.#request.socket.destroy();
  }

  /** Collects the body and hands it on when it is whole; over the bounds the request is refused. */
  readBody({ bytesMax, withinMs }: BodyBounds, whole: (body: Buffer) => void): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const late = setTimeout(() => this.cut(), withinMs);
    this.#response.once('close', () => clearTimeout(late));
    this.#request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= bytesMax) chunks.push(part);
      else this.reply(TOO_LARGE);
    });
    this.#request.once('end', () => {
      clearTimeout(late);
      if (!this.#isOver) whole(Buffer.concat(chunks));
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get parts(): ExchangeParts {
    return this.#parts;
  }

  /** The stream has ended by itself. */
  done(): void {
    this.#settle();
  }

  #settle(): void {
    this.#isOver = true;
    this.#request.socket.off('end', this.#ended);
  }

  #gone(): void {
    if (this.#isOver) return;
    this.#settle();
    try {
      this.#aborted?.();
    } catch (error) {
      this.#parts.fault(error);
    }
  }
}

class WsStream implements HttpStream {
  readonly #exchange: WsExchange;
  readonly #socket: Socket;
  readonly #wrapper: Wrapper;
  readonly #last: string;
  #isEnding = false;

  constructor(exchange: WsExchange, socket: Socket, form: 'chunk' | 'plain') {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#wrapper = exchange.parts.wrappers[form];
    this.#last = form === 'chunk' ? LAST_CHUNK : '';
  }

  send(content: string | Uint8Array): SendAnswer {
    if (this.#exchange.isOver || this.#isEnding) return 'lost';
    const answer = writeTo(
      this.#socket,
      this.#wrapper.of(content),
      this.#exchange.parts.bufferedBytesMax,
    );
    if (answer === 'lost') this.#socket.destroy();
    return answer;
  }

  bufferedBytes(): number {
    return this.#exchange.isOver ? 0 : this.#socket.writableLength;
  }

  end(): void {
    if (this.#exchange.isOver || this.#isEnding) return;
    this.#isEnding = true;
    this.#exchange.done();
    if (this.#last !== '') this.#socket.write(this.#last);
    this.#socket.destroySoon();
  }

  cut(): void {
    this.#exchange.cut();
  }
}

/** Hands the bytes to the kernel as far as it takes them; `lost`: over the bound or not writable. */
export function writeTo(socket: Socket, bytes: Buffer, bufferedBytesMax: number): SendAnswer {
  if (!socket.writable) return 'lost';
  if (bytes.length === 0) return socket.writableLength === 0 ? 'sent' : 'buffered';
  if (socket.writableLength > 0 && socket.writableLength + bytes.length > bufferedBytesMax) {
    return 'lost';
  }
  socket.write(bytes);
  return socket.writableLength === 0 ? 'sent' : 'buffered';
}
