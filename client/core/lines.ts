/**
 * Owns the reading of text into lines (JSON objects with a `type`) and of server-sent events into
 * their parts. Unknown types pass; what is no line at all is a flaw. Knows no link.
 */
import type { Line } from '../types.js';

/** One object on the wire is never longer: a frame is at most 256 KiB, a window some of them. */
const LINE_CHARACTERS_MAX = 8 << 20;

/** The lines of one WebSocket message; throws on what is not the protocol. */
export function parseLines(text: string): Line[] {
  const lines: Line[] = [];
  for (const piece of text.split('\n')) {
    if (piece.trim() !== '') lines.push(parseLine(piece));
  }
  return lines;
}

/** One JSON object with a `type`; throws on anything else. */
export function parseLine(text: string): Line {
  const value: unknown = JSON.parse(text);
  const type = (value as Partial<Line> | null)?.type;
  if (typeof value !== 'object' || typeof type !== 'string') throw new Error('not a line');
  return value as Line;
}

export interface ServerEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** Server-sent events (WHATWG HTML §9.2.6) of a text that arrives in pieces. */
export class EventReader {
  #rest = '';
  #event = '';
  #id: string | undefined;
  #data: string[] = [];

  /** The events that are whole now; throws when one grows beyond all measure. */
  push(text: string): ServerEvent[] {
    const out: ServerEvent[] = [];
    const all = this.#rest + text;
    // A CR at the very end may be half of a CRLF.
    const end = all.endsWith('\r') ? all.length - 1 : all.length;
    const pieces = all.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = pieces.pop()! + all.slice(end);
    if (this.#rest.length > LINE_CHARACTERS_MAX) throw new Error('an event is too long');
    for (const piece of pieces) this.#take(piece, out);
    return out;
  }

  #take(line: string, out: ServerEvent[]): void {
    if (line === '') {
      const data = this.#data.join('\n');
      if (data !== '') out.push({ event: this.#event || 'message', id: this.#id, data });
      this.#event = '';
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#event = value;
    else if (name === 'id') this.#id = value;
    else if (name === 'data') this.#data.push(value);
  }
}
