/**
 * Port ViewerServer: viewer sockets and plain HTTP on one port, whatever library is behind it.
 * Knows no room and no protocol of ours. Handlers must not throw; what they throw is caught,
 * reported to `fault` and ends only the connection at hand.
 */

/** `sent`: handed to the kernel; `buffered`: waits in the process; `lost`: refused, the socket ends. */
export type SendAnswer = 'sent' | 'buffered' | 'lost';

export interface Pipe {
  /** Text or bytes; text is UTF-8 on the wire. Never throws; `lost` after the end. */
  send(content: string | Uint8Array): SendAnswer;
  /** Bytes waiting in the process. */
  bufferedBytes(): number;
}

export interface ViewerSocket extends Pipe {
  ping(): void;
  /** Sends a close frame with at most 123 bytes of reason; `closed` is called before it returns. */
  end(code: number, reason: string): void;
}

/** The first value of a name, or null; URLSearchParams is one. */
export interface Query {
  get(name: string): string | null;
}

export interface HandshakeRequest {
  readonly address: string;
  readonly query: Query;
  /** Lower-case name; empty when absent. Valid only until the callback returns. */
  header(name: string): string;
}

/** What a library hears of one connection. */
export interface SocketListener {
  /** `bytes` are valid only until it returns. */
  received(bytes: Uint8Array, isBinary: boolean): void;
  /** A pong or ping of the viewer. */
  heard(): void;
  closed(): void;
}

export type Handshake =
  | {
      readonly accept: true;
      /** Subprotocol to answer with; empty for none. */
      readonly protocol: string;
      /** Whether what is sent goes as binary frames. */
      readonly isBinary: boolean;
      open(socket: ViewerSocket): SocketListener;
      /** The handshake was accepted and yet no socket came of it. */
      abandoned(): void;
    }
  | { readonly accept: false; readonly reply: HttpReply };

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** The headers an edge reads of a request. */
export const HEADERS_READ = [
  ...(['host', 'origin', 'authorization', 'last-event-id', 'x-forwarded-for'] as const),
] as const;

export interface HttpRequest {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  readonly query: Query;
  /** Lower-case names; those of HEADERS_READ at least. */
  readonly headers: Pick<ReadonlyMap<string, string>, 'get'>;
  readonly address: string;
  /** Of POST; empty otherwise. */
  readonly body: Buffer;
}

/** The answer in the making. After an abort or the end every call is harmless and does nothing. */
export interface HttpExchange {
  reply(reply: HttpReply): void;
  /**
   * Starts a chunked answer; bytes over what the network takes are counted and kept in order.
   * `probe` is content that means nothing to the reader, written to learn whether all has gone.
   */
  stream(status: number, headers: Readonly<Record<string, string>>, probe: string): HttpStream;
  /** Called at most once: when the viewer goes before the end. */
  onAbort(aborted: () => void): void;
}

export interface HttpStream extends Pipe {
  /** Ends the answer after what waits. */
  end(): void;
  /** Cuts the connection at once. */
  cut(): void;
}

export interface ViewerServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Further processes of the same service listen there too; else it is an error when anyone does. */
  readonly isShared?: boolean;
  /** Path of the WebSocket endpoint. */
  readonly socketPath: string;
  /** A longer message ends the connection. */
  readonly messageBytesMax: number;
  /** A longer request body is answered 413. */
  readonly bodyBytesMax: number;
  /** A request whose body is not whole after this time is cut. */
  readonly requestMs: number;
  /** Last resort against a viewer that does not read: over this the connection is cut. */
  readonly bufferedBytesMax: number;
}

export interface ViewerServerHandlers {
  upgrade(request: HandshakeRequest): Handshake;
  request(request: HttpRequest, exchange: HttpExchange): void;
  /** Something a handler threw. */
  fault(where: string, error: unknown): void;
}

export interface ViewerServer {
  readonly port: number;
  /** Takes no new connections. */
  pause(): void;
  /** Cuts every connection and frees the port. */
  close(): void;
}

/** Rejects with BarrageError `port_in_use` or `platform`. */
export type ListenViewers = (
  options: ViewerServerOptions,
  handlers: ViewerServerHandlers,
) => Promise<ViewerServer>;
