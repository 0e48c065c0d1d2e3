/**
 * Owns one viewer on server-sent events: its seat, its heartbeat, its end. Frames come to it through
 * its slice like to any viewer. Rules: SPEC E-OUT-1, E-SSE-1, E-SLOW-3.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { RoomId } from '../src/ids.js';
import { byeLine } from '../src/wire/outgoing.js';
import type { Classes, Position } from '../src/words.js';
import { OFF_WHEEL } from './core/due-wheel.js';
import type { LiveRoom } from './live-room.js';
import { closeName } from './meters.js';
import { Outlet } from './outlet.js';
import { enterUser, type ViewerParts } from './parts.js';
import { clockHeader, refusedReply, type Headers } from './http-replies.js';
import type { Occupant, Seat } from './slice.js';
import type { HttpExchange, HttpStream, Pipe, SendAnswer } from './viewer-server.js';
import type { SweepEnd, Watcher } from './watchers.js';

export interface EventsRequest {
  readonly room: RoomId;
  readonly token: string | undefined;
  readonly since: Position | undefined;
  readonly classes: Classes;
  readonly guestSeed: string;
  readonly headers: Headers;
}

/** A comment: nothing to the reader, and keeps what lies between awake. */
const COMMENT = ':\n\n';

/** The answer begins with the first line, so that a refusal can still be a plain error. */
class LatePipe implements Pipe {
  stream: HttpStream | undefined;

  constructor(
    readonly exchange: HttpExchange,
    readonly headers: Headers,
    readonly retryMs: number,
    readonly now: () => number,
  ) {}

  send(content: string | Uint8Array): SendAnswer {
    if (this.stream === undefined) {
      const headers = { ...this.headers, ...clockHeader(this.now()) };
      this.stream = this.exchange.stream(200, headers, COMMENT);
      this.stream.send(`retry: ${this.retryMs}\n\n`);
    }
    return this.stream.send(content);
  }

  bufferedBytes(): number {
    return this.stream?.bufferedBytes() ?? 0;
  }
}

export class EventStream implements Occupant, Watcher {
  readonly outlet: Outlet;
  readonly #pipe: LatePipe;
  readonly #parts: ViewerParts;
  readonly #left: () => void;
  #stay: { readonly seat: Seat; readonly live: LiveRoom } | undefined;
  #isOver = false;
  #beatAt: number;

  /** `left` is called once when the stream is over. */
  constructor(exchange: HttpExchange, headers: Headers, parts: ViewerParts, left: () => void) {
    const stream = {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      ...headers,
    };
    const retryMs = parts.random.below(parts.tuning().reconnectJitterMs + 1);
    this.#pipe = new LatePipe(exchange, stream, retryMs, () => parts.clock.now());
    this.#parts = parts;
    this.#left = left;
    this.#beatAt = parts.clock.now();
    this.outlet = new Outlet('events', this.#pipe, parts.tuning, parts.meters);
    exchange.onAbort(() => this.#over());
    parts.watchers.add(this);
  }

  async open(request: EventsRequest): Promise<void> {
    const isWanted = () => !this.#isOver;
    const entered = await this.#parts.entry.enter({ ...request, occupant: this, isWanted });
    if ('seat' in entered && !this.#isOver) {
      this.#stay = entered;
      const { user, role } = entered.seat.identity;
      if (role !== 'guest') enterUser(this.#parts, this, user.id);
      return;
    }
    if ('seat' in entered) entered.live.leave(entered.seat);
    if ('refused' in entered && !this.#isOver) {
      this.#pipe.exchange.reply(refusedReply(entered.refused, request.headers));
    }
    if ('gone' in entered) this.#pipe.stream?.cut();
    this.#over();
  }

  place = OFF_WHEEL;
  quietUntil = 0;

  sweep(now: number): SweepEnd {
    if (this.#isOver || this.#stay === undefined) return 'fine';
    const { expiresAt } = this.#stay.seat.identity;
    if (expiresAt <= now) {
      this.end(CLOSE.expired);
      return 'fine';
    }
    const { heartbeatMs } = this.#parts.tuning();
    const isDue = now - this.#beatAt >= heartbeatMs;
    if (isDue) this.#beatAt = now;
    this.quietUntil = Math.min(this.#beatAt + heartbeatMs, expiresAt);
    if (!isDue) return 'fine';
    this.#pipe.send(COMMENT);
    return 'pinged';
  }

  dismiss(_room: RoomId, close: CloseCode, retryAfterMs?: number): void {
    this.end(close, retryAfterMs);
  }

  end(close: CloseCode, retryAfterMs?: number, edges?: readonly string[]): void {
    if (this.#isOver) return;
    this.#parts.meters.closed.add(closeName(close));
    if (close === CLOSE.slow) {
      // It does not read: a goodbye would only wait behind the rest.
      this.#pipe.stream?.cut();
    } else {
      this.outlet.line('bye', byeLine(close, retryAfterMs, edges && { edges }));
      this.#pipe.stream?.end();
    }
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.watchers.remove(this);
    this.#parts.acks.left(this);
    if (this.#stay !== undefined) {
      const { seat, live } = this.#stay;
      live.leave(seat);
      this.#parts.users.leave(seat.identity.user.id, this);
      this.#parts.hub.settle(live);
    }
    this.#left();
  }
}
