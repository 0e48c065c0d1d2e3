/**
 * Owns what every way to an edge looks like to the rest: lines come in, commands go out, and it ends
 * once with a reason. The ways are link-socket.ts, link-events.ts and link-poll.ts.
 */
import type { Clock } from './clock.js';
import type { LinkEnd } from './core/closing.js';
import type { FetchLike, FrameClass, Line, Position, TransportName } from './types.js';

/** What a viewer takes by this way: `keep` while its droppables come from the CDN. */
export type Classes = 'all' | Extract<FrameClass, 'keep'>;

export interface LinkRequest {
  /** The edge, `http(s)://host:port` without a path. */
  readonly base: string;
  readonly room: string;
  readonly token: string | undefined;
  readonly classes: Classes;
  /** Where to resume; read when the connection stands. */
  readonly position: () => Position | undefined;
  readonly cursor: () => string | undefined;
}

export interface LinkParts {
  readonly clock: Clock;
  readonly fetch: FetchLike;
  /** A WebSocket constructor; undefined where the platform has none. */
  readonly WebSocket: typeof WebSocket | undefined;
  readonly compress: boolean;
  readonly connectMs: number;
  /** Fixed by the page; undefined: as the edge says. */
  readonly heartbeatMs: number | undefined;
}

export interface LinkEvents {
  line(line: Line): void;
  /** Called once, never after `close`. */
  down(end: LinkEnd): void;
}

export interface Link {
  readonly way: TransportName;
  /** Hands a command over; false: this way cannot, or not now. A `send` is answered by a verdict line. */
  write(command: Line): boolean;
  /** Looks whether the other side is still there, soon. */
  probe(): void;
  /** Ends it silently. */
  close(): void;
}

/** How long a silent link is waited for after it was asked. */
export const PONG_MS = 10_000;
/** The same when there is reason to doubt it: the device woke or changed its network. */
export const PROBE_MS = 3000;
/** When the edge has not told its own. */
export const HEARTBEAT_MS = 25_000;

/** An edge's address without path and with an HTTP scheme; throws on what is no address. */
export function baseOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol.replace('ws', 'http')}//${host}`;
}
