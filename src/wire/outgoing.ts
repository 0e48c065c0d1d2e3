/**
 * Owns the lines an edge itself writes to viewers: everything but frames, which the room encodes.
 * Each function returns one JSON object without a line break.
 */
import type { CloseCode } from '../close-codes.js';
import type { RoomId } from '../ids.js';
import type { Verdict } from '../verdict.js';
import type { Classes, Position } from '../words.js';

export interface WelcomeLine {
  readonly viewer: string;
  readonly edge: string;
  readonly heartbeatMs: number;
  /** A returning viewer waits a random time up to this before its first try. */
  readonly reconnectJitterMs: number;
  readonly commandBytesMax: number;
  /** Unix milliseconds of the edge's clock. */
  readonly now: number;
}

export interface JoinedLine {
  readonly room: RoomId;
  readonly epoch: number;
  readonly offset: number;
  /** True: `publications` is exactly what was missed; false: it is the newest window. */
  readonly recovered: boolean;
  readonly online: number;
  /** Of the edge, where it has one: the viewer's among those of the fact `cdn`. */
  readonly region?: string;
  readonly user: { readonly id: string; readonly role: string; readonly maySpeak: boolean };
}

export interface ErrorLine {
  readonly code: string;
  readonly message: string;
  readonly room?: string;
  readonly field?: string;
  readonly rule?: string;
  readonly retryAfterMs?: number;
}

export interface VerdictLine {
  readonly room: string;
  readonly id: string | number;
  readonly verdict: Verdict;
  /** Id of the publication that carries the danmaku, when one does. */
  readonly publication?: string;
  readonly retryAfterMs?: number;
  /** Of the studio that refused it. */
  readonly reason?: string;
  readonly field?: string;
  readonly rule?: string;
}

/**
 * So many droppable publications were left out, because the viewer read too slowly or (`shed`) because
 * the edge sends too much. Without `why` it is `slow`: so it was before there was another.
 */
export function skippedLine(count: number, why: 'slow' | 'shed'): string {
  return `{"type":"skipped","count":${count}${why === 'shed' ? ',"why":"shed"' : ''}}`;
}

export function welcomeLine(line: WelcomeLine): string {
  return JSON.stringify({ type: 'welcome', ...line });
}

/**
 * `publications` are JSON texts of publications and `facts` members of a JSON object, both spliced
 * in as they are.
 */
export function joinedLine(
  line: JoinedLine,
  publications: readonly (string | Buffer)[],
  facts = '"attributes":{}',
): string {
  const head = JSON.stringify({ type: 'joined', ...line });
  return `${head.slice(0, -1)},${facts},"publications":[${publications.join(',')}]}`;
}

export function verdictLine(line: VerdictLine): string {
  const { room, id, verdict, retryAfterMs } = line;
  const isPlain =
    line.publication === undefined &&
    line.reason === undefined &&
    line.field === undefined &&
    line.rule === undefined;
  if (!isPlain) return JSON.stringify({ type: 'verdict', ...line });
  // What is told the most under a flood, written by hand: the words of the edge need no escapes.
  const wait = retryAfterMs === undefined ? '' : `,"retryAfterMs":${retryAfterMs}`;
  const own = typeof id === 'number' ? `${id}` : JSON.stringify(id);
  return `{"type":"verdict","room":${quoted(room)},"id":${own},"verdict":"${verdict}"${wait}}`;
}

/** The verdict `rate_limited`; `named` is `"room":…,"id":…` as its JSON text has them. */
export function limitedLine(named: string, retryAfterMs: number): string {
  return `{"type":"verdict",${named},"verdict":"rate_limited","retryAfterMs":${retryAfterMs}}`;
}

/** Room ids need no escapes; what a viewer called a room may. */
function quoted(room: string): string {
  return /^[\w-]*$/.test(room) ? `"${room}"` : JSON.stringify(room);
}

export function errorLine(line: ErrorLine): string {
  return JSON.stringify({ type: 'error', ...line });
}

export function leftLine(room: string): string {
  return JSON.stringify({ type: 'left', room });
}

/** Whatever comes after this line is of these classes. */
export function receivingLine(room: string, classes: Classes): string {
  return JSON.stringify({ type: 'receiving', room, classes });
}

export function pongLine(now: number): string {
  return `{"type":"pong","now":${Math.round(now)}}`;
}

/** A last word; without `room` the connection ends, with it only the room is left. */
export function byeLine(
  { code, reason, message }: CloseCode,
  retryAfterMs?: number,
  more: { readonly room?: string; readonly edges?: readonly string[] } = {},
): string {
  return JSON.stringify({ type: 'bye', ...{ code, reason, message, retryAfterMs }, ...more });
}

/** A long poll's or SSE stream's place: the same text on every edge for the same place. */
export function encodeCursor(position: Position, tick: number): string {
  return `${position.epoch}.${position.offset}.${tick}`;
}

export function parseCursor(text: string): { position: Position; tick: number } | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (match === null) return undefined;
  return {
    position: { epoch: Number(match[1]), offset: Number(match[2]) },
    tick: Number(match[3]),
  };
}
