/**
 * Owns one viewer's socket behind `ws`: what is sent is a frame of ours, made once for all who get it
 * and written to the connection itself; `ws` reads, answers pings and shakes hands at the end.
 */
import type { Socket } from 'node:net';
import type {
  Handshake,
  SendAnswer,
  SocketListener,
  ViewerServerHandlers,
  ViewerSocket,
} from './viewer-server.js';
import { writeTo } from './ws-exchange.js';
import type { Wrapper } from './ws-frames.js';

export type Accepted = Extract<Handshake, { accept: true }>;

/** The part of the library's socket used here. */
export interface NativeSocket {
  on(event: 'error' | 'close' | 'ping' | 'pong', run: () => void): unknown;
  on(event: 'message', run: (data: Buffer, isBinary: boolean) => void): unknown;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Runs a handler; what it throws is reported, never passed on to the library. */
export function guard(handlers: ViewerServerHandlers, where: string, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    handlers.fault(where, error);
    return false;
  }
}

export interface WsParts {
  readonly native: NativeSocket;
  /** Beneath it: `ws` writes its pongs and closes there as whole frames, and so do we. */
  readonly socket: Socket;
  readonly wrapper: Wrapper;
  readonly bufferedBytesMax: number;
}

export class WsSocket implements ViewerSocket {
  readonly #native: NativeSocket;
  readonly #socket: Socket;
  readonly #wrapper: Wrapper;
  readonly #bufferedBytesMax: number;
  #closed: (() => void) | undefined;
  #isOver = false;

  constructor({ native, socket, wrapper, bufferedBytesMax }: WsParts) {
    this.#native = native;
    this.#socket = socket;
    this.#wrapper = wrapper;
    this.#bufferedBytesMax = bufferedBytesMax;
  }

  begin(accepted: Accepted, handlers: ViewerServerHandlers): void {
    let listener: SocketListener | undefined;
    const native = this.#native;
    native.on('error', () => undefined);
    native.on('close', () => this.#over());
    if (!guard(handlers, 'open', () => (listener = accepted.open(this)))) return native.terminate();
    const heard = listener!;
    this.#closed = () => guard(handlers, 'close', () => heard.closed());
    if (this.#isOver) return this.#closed();
    native.on('message', (data: Buffer, isBinary) => {
      if (this.#isOver) return;
      if (!guard(handlers, 'message', () => heard.received(data, isBinary))) native.terminate();
    });
    const alive = () => guard(handlers, 'ping', () => heard.heard());
    native.on('ping', alive);
    native.on('pong', alive);
  }

  send(content: string | Uint8Array): SendAnswer {
    if (this.#isOver) return 'lost';
    const answer = writeTo(this.#socket, this.#wrapper.of(content), this.#bufferedBytesMax);
    if (answer === 'lost') this.#native.terminate();
    return answer;
  }

  bufferedBytes(): number {
    return this.#isOver ? 0 : this.#socket.writableLength;
  }

  ping(): void {
    if (!this.#isOver) this.#native.ping();
  }

  end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#native.close(code, reason);
    this.#over();
  }

  /** Told of before it returns. */
  cut(): void {
    this.#native.terminate();
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closed?.();
  }
}
