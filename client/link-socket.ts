/**
 * Owns one WebSocket: its join, its lines in order (deflated or not), its heartbeat, its end. Knows
 * nothing of what the lines mean beyond that. Rules: SPEC K-HEART-1, W-1, W-2.
 */
import type { Cancel } from './clock.js';
import { bounded } from './core/backoff.js';
import { adviceFields, endOfBye, endOfClose, type LinkEnd } from './core/closing.js';
import { parseLines } from './core/lines.js';
import { canInflate, inflate } from './inflate.js';
import {
  HEARTBEAT_MS,
  PONG_MS,
  PROBE_MS,
  type Link,
  type LinkEvents,
  type LinkParts,
  type LinkRequest,
} from './link.js';
import type { Line } from './types.js';

/** Bytes the platform may hold for the edge before speaking is refused. */
const UNSENT_BYTES_MAX = 64 << 10;
/** Messages whose inflation may wait; more means this device cannot follow. */
const WAITING_MAX = 256;
const OPEN = 1;

export class SocketLink implements Link {
  readonly way = 'websocket';
  readonly #parts: LinkParts;
  readonly #request: LinkRequest;
  readonly #on: LinkEvents;
  readonly #socket: WebSocket;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #heartbeatMs: number;
  #beat: Cancel | undefined;
  #late: Cancel | undefined;
  #joined: Cancel;
  #bye: LinkEnd | undefined;
  #isOver = false;

  /** Throws when the platform refuses the address. */
  constructor(request: LinkRequest, parts: LinkParts, on: LinkEvents) {
    this.#parts = parts;
    this.#request = request;
    this.#on = on;
    this.#heartbeatMs = parts.heartbeatMs ?? HEARTBEAT_MS;
    const isDeflated = parts.compress && canInflate();
    const url = `${request.base.replace('http', 'ws')}/v1/ws`;
    const socket = new parts.WebSocket!(url, [`barrage.v1+${isDeflated ? 'deflate' : 'json'}`]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#join();
    socket.onmessage = ({ data }) => this.#received(data as string | ArrayBuffer);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    socket.onerror = () => undefined;
    this.#joined = parts.clock.after(parts.connectMs, () => this.#end({ reason: 'timeout' }));
  }

  write(command: Line): boolean {
    const isOpen = !this.#isOver && this.#socket.readyState === OPEN;
    if (!isOpen || this.#socket.bufferedAmount > UNSENT_BYTES_MAX) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  probe(): void {
    this.#ask(PROBE_MS);
  }

  close(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#socket.close(1000);
  }

  #join(): void {
    const { room, token, position } = this.#request;
    // JSON leaves out what is undefined.
    this.write({ type: 'join', room, token, since: position() });
    this.#heard();
  }

  #received(data: string | ArrayBuffer): void {
    this.#heard();
    if (typeof data === 'string' && this.#waiting === 0) return this.#read(data);
    if (++this.#waiting > WAITING_MAX) return this.#end({ reason: 'too much at once' });
    const text = typeof data === 'string' ? data : inflate(data);
    this.#tail = this.#tail
      .then(() => text)
      .then((lines) => this.#read(lines))
      .catch(() => this.#end({ reason: 'unreadable' }))
      .finally(() => this.#waiting--);
  }

  #read(text: string): void {
    let lines: Line[];
    try {
      lines = parseLines(text);
    } catch {
      return this.#end({ reason: 'unreadable' });
    }
    for (const line of lines) {
      if (this.#isOver) return;
      this.#take(line);
    }
  }

  #take(line: Line): void {
    if (line.type === 'pong') return;
    if (line.type === 'welcome' && this.#parts.heartbeatMs === undefined) {
      this.#heartbeatMs = bounded(line['heartbeatMs'], 1000, 120_000, HEARTBEAT_MS);
    }
    if (line.type === 'joined') this.#joined.cancel();
    if (line.type === 'bye') {
      this.#bye = endOfBye(line);
      if (line['room'] !== undefined) return this.#end(this.#bye);
    }
    this.#on.line(line);
  }

  /** What arrived before the close is read first: a `bye` may still be on its way through. */
  #closed(code: number, reason: string): void {
    const end = endOfClose(code, reason);
    // What a `bye` said goes before the little a close frame has room for.
    void this.#tail.then(() =>
      this.#end({ ...this.#bye, ...end, ...adviceFields({ ...this.#bye }) }),
    );
  }

  /** Anything heard is a sign of life; after a heartbeat without one the edge is asked. */
  #heard(): void {
    this.#late?.cancel();
    this.#late = undefined;
    this.#beat?.cancel();
    if (this.#isOver) return;
    this.#beat = this.#parts.clock.after(this.#heartbeatMs, () =>
      this.#ask(Math.min(PONG_MS, this.#heartbeatMs)),
    );
  }

  #ask(withinMs: number): void {
    if (this.#isOver) return;
    this.write({ type: 'ping' });
    this.#late?.cancel();
    this.#late = this.#parts.clock.after(withinMs, () => this.#end({ reason: 'silent' }));
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#stop();
    this.#socket.close();
    this.#on.down(end);
  }

  #stop(): void {
    this.#isOver = true;
    this.#beat?.cancel();
    this.#late?.cancel();
    this.#joined.cancel();
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
  }
}
