/**
 * Owns one WebSocket to an edge, as text in and text out. Knows nothing of what the text means. The
 * only importer of ws (Node 20 has no WebSocket of its own).
 */
import { WebSocket } from 'ws';

export interface ViewerSocket {
  /** Dropped when the socket is not open. */
  send(text: string): void;
  close(): void;
}

export interface SocketEnd {
  /** Close code; 1006 when the connection broke or was refused. */
  readonly code: number;
  readonly reason: string;
  /** Why it could not be opened or broke. */
  readonly error?: string;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  /** Once, last. */
  closed(end: SocketEnd): void;
}

const SUBPROTOCOL = 'barrage.v1+json';
/** A flush joins frames up to the edge's hard mark (1 MiB by default). */
const RECEIVED_BYTES_MAX = 16 << 20;
const HANDSHAKE_MS = 10_000;

/** `url` is `ws://host:port` or with a path of its own; `/v1/ws` is added to a bare one. */
export function openViewerSocket(url: string, events: SocketEvents): ViewerSocket {
  const target = new URL(url);
  if (target.pathname === '/') target.pathname = '/v1/ws';
  const socket = new WebSocket(target, SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: RECEIVED_BYTES_MAX,
    handshakeTimeout: HANDSHAKE_MS,
  });
  let error: string | undefined;
  socket.on('open', () => events.opened());
  socket.on('message', (data) => events.received(textOf(data)));
  socket.on('error', (cause) => {
    error =
      cause.message === '' ? ((cause as NodeJS.ErrnoException).code ?? cause.name) : cause.message;
  });
  socket.on('close', (code, reason) => {
    events.closed({ code, reason: reason.toString(), ...(error !== undefined && { error }) });
  });
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(1000),
  };
}

function textOf(data: Buffer | ArrayBuffer | Buffer[]): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}
