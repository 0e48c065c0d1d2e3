/**
 * Owns one connection as a viewer: joins a room, splits what comes into lines, keeps the connection
 * alive, and says why it ended. What the lines mean is the caller's.
 */
import type { Cancel, Clock } from '../ports/clock.js';
import { acksOf } from './acks.js';
import type { Position } from '../words.js';
import { openViewerSocket, type SocketEnd } from './viewer-socket.js';

/** A line as received; only `type` is known to be there. */
export interface WireLine extends Readonly<Record<string, unknown>> {
  readonly type: string;
}

export interface LinkEnd extends SocketEnd {
  /** The edge's advice, from the close frame or its `bye`. */
  readonly retryAfterMs: number | undefined;
  /** False when the connection was never open. */
  readonly wasOpen: boolean;
}

export interface LinkEvents {
  received(line: WireLine): void;
  /** A line that is no JSON object with a type. */
  unreadable(text: string): void;
  /** Once, last. */
  ended(end: LinkEnd): void;
}

export interface LinkOptions {
  readonly url: string;
  readonly room: string;
  readonly token: string | undefined;
  readonly since: Position | undefined;
  readonly clock: Clock;
}

export interface ViewerLink {
  send(command: WireLine): void;
  join(): void;
  close(): void;
}

const HEARTBEAT_MS = 25_000;
/** Heartbeats without any answer after which the connection is taken for dead. */
const SILENT_BEATS = 3;

export function openLink(options: LinkOptions, events: LinkEvents): ViewerLink {
  const { room, token, since, clock } = options;
  let beat: Cancel | undefined;
  let heardAt = clock.now();
  let advice: number | undefined;
  let wasOpen = false;
  const send = (command: WireLine): void => socket.send(JSON.stringify(command));
  const join = (): void => send({ type: 'join', room, token, since });
  const beatEvery = (ms: number): void => {
    beat?.cancel();
    beat = clock.every(ms, () => {
      if (clock.now() - heardAt > SILENT_BEATS * ms) socket.close();
      else send({ type: 'ping' });
    });
  };
  const receive = (line: WireLine): void => {
    if (line.type === 'welcome') beatEvery(positive(line['heartbeatMs']) ?? HEARTBEAT_MS);
    if (line.type === 'bye' || line.type === 'error') {
      advice = positive(line['retryAfterMs']) ?? advice;
    }
    events.received(line);
    for (const ack of acksOf(line)) send(ack);
  };
  const socket = openViewerSocket(options.url, {
    opened: () => {
      wasOpen = true;
      heardAt = clock.now();
      beatEvery(HEARTBEAT_MS);
      join();
    },
    received: (text) => {
      heardAt = clock.now();
      for (const part of text.split('\n')) {
        if (part === '') continue;
        const line = parseLine(part);
        if (line === undefined) events.unreadable(part);
        else receive(line);
      }
    },
    closed: (end) => {
      beat?.cancel();
      events.ended({ ...end, retryAfterMs: adviceOf(end.reason) ?? advice, wasOpen });
    },
  });
  return { send, join, close: () => socket.close() };
}

function parseLine(text: string): WireLine | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null) return undefined;
    return typeof (value as { type?: unknown }).type === 'string' ? (value as WireLine) : undefined;
  } catch {
    return undefined;
  }
}

/** The reason of a close frame is JSON advice where the edge gives any. */
function adviceOf(reason: string): number | undefined {
  try {
    return positive((JSON.parse(reason) as { retryAfterMs?: unknown } | null)?.retryAfterMs);
  } catch {
    return undefined;
  }
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** How long to wait before try number `tries` (from 1) where the edge gave no advice: 0.5-30 s. */
export function backoffMs(tries: number, random: number): number {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(tries - 1, 10));
  return Math.round(ceiling / 2 + (random * ceiling) / 2);
}
