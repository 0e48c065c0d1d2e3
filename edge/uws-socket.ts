/**
 * Owns one viewer's socket over uWebSockets.js, from the accepted handshake to its end. All that is
 * known of a connection hangs on it. Knows the library by the few calls it makes.
 */
import type { Handshake, SendAnswer, SocketListener, ViewerSocket } from './viewer-server.js';

/** What is used of the library's WebSocket. */
export interface NativeSocket {
  send(content: string | Uint8Array, isBinary: boolean, compress: boolean): number;
  getBufferedAmount(): number;
  ping(): unknown;
  end(code: number, reason: string): void;
  close(): void;
}

export type Accepted = Extract<Handshake, { accept: true }>;

export class UwsSocket implements ViewerSocket {
  #native: NativeSocket | undefined;
  /** Until it is open; then let go of, as it holds what the handshake needed. */
  #accepted: Accepted | undefined;
  readonly #isBinary: boolean;
  listener: SocketListener | undefined;
  /** Place in the list of those open. */
  index = 0;

  constructor(accepted: Accepted) {
    this.#accepted = accepted;
    this.#isBinary = accepted.isBinary;
  }

  /** Whether it has never been open. */
  get isAwaited(): boolean {
    return this.#accepted !== undefined;
  }

  /** What to open it with. */
  opened(native: NativeSocket): Accepted {
    const accepted = this.#accepted!;
    this.#accepted = undefined;
    this.#native = native;
    return accepted;
  }

  send(content: string | Uint8Array): SendAnswer {
    if (this.#native === undefined) return 'lost';
    const answer = this.#native.send(content, this.#isBinary, false);
    return answer === 1 ? 'sent' : answer === 0 ? 'buffered' : 'lost';
  }

  bufferedBytes(): number {
    return this.#native?.getBufferedAmount() ?? 0;
  }

  ping(): void {
    this.#native?.ping();
  }

  end(code: number, reason: string): void {
    this.#native?.end(code, reason);
  }

  cut(): void {
    this.#native?.close();
  }

  /** After the close event the native object must not be touched. */
  forget(): void {
    this.#native = undefined;
  }
}

/** Takes a socket out of the list of those open; each knows its place there. */
export function takeOut(open: UwsSocket[], socket: UwsSocket): void {
  const last = open.pop();
  if (last === undefined || last === socket) return;
  open[socket.index] = last;
  last.index = socket.index;
}
