/**
 * Owns one viewer's WebSocket: the rooms it is in, its commands, its end. What arrives is cut into
 * commands by ingress.ts; how a room is entered is entry.ts.
 * Rules: SPEC E-IN-2, E-IN-5, E-IN-6, E-SAY-1, E-END-1.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import { parseRoomId, type RoomId } from '../src/ids.js';
import { COMMAND_BYTES_MAX } from '../src/limits.js';
import { randomId } from '../src/random.js';
import {
  byeLine,
  errorLine,
  leftLine,
  pongLine,
  verdictLine,
  welcomeLine,
} from '../src/wire/outgoing.js';
import type { Command, JoinCommand, SendCommand } from '../src/wire/schema.js';
import { NO_ROOM, type RoomOrNone } from './delivery-report.js';
import { Ingress } from './ingress.js';
import type { LiveRoom } from './live-room.js';
import { closeName } from './meters.js';
import { ROOMS_PER_VIEWER_MAX } from './options.js';
import { Outlet } from './outlet.js';
import { enterUser, type ViewerParts } from './parts.js';
import type { Occupant, Seat } from './slice.js';
import type { Ended } from './speech.js';
import type { SocketListener, ViewerSocket } from './viewer-server.js';
import type { SweepEnd, Watcher } from './watchers.js';

interface Stay {
  readonly seat: Seat;
  readonly live: LiveRoom;
}

/** `joining` holds a ticket for each join under way: a leave takes the ticket back. */
type Stage =
  | {
      readonly is: 'open';
      readonly stays: Map<RoomId, Stay>;
      readonly joining: Map<RoomId, object>;
    }
  | { readonly is: 'ended' };

export class Connection implements SocketListener, Occupant, Watcher {
  readonly outlet: Outlet;
  readonly #id = randomId();
  readonly #socket: ViewerSocket;
  readonly #parts: ViewerParts;
  readonly #ingress: Ingress;
  readonly #left: () => void;
  #stage: Stage = { is: 'open', stays: new Map(), joining: new Map() };
  #heardAt: number;
  #pingedAt = -Infinity;

  /** `left` is called once when the connection is gone. */
  constructor(
    socket: ViewerSocket,
    encoding: 'text' | 'deflate',
    parts: ViewerParts,
    left: () => void,
  ) {
    this.#socket = socket;
    this.#parts = parts;
    this.#left = left;
    this.#heardAt = parts.clock.now();
    this.outlet = new Outlet(encoding, socket, parts.tuning, parts.meters);
    this.#ingress = new Ingress({
      command: (command) => this.#command(command),
      reply: (name, line) => this.#reply(name, line),
      refusedSend: (verdict) => parts.meters.verdicts.add(verdict),
      counted: (what) => parts.meters.commands.add(what),
      tooBroken: () => this.end(CLOSE.badInput),
    });
    parts.watchers.add(this);
    this.#greet();
  }

  received(bytes: Uint8Array): void {
    this.#heardAt = this.#parts.clock.now();
    this.#ingress.take(bytes, this.#heardAt, () => this.#stage.is === 'open');
  }

  heard(): void {
    this.#heardAt = this.#parts.clock.now();
  }

  closed(): void {
    const stage = this.#stage;
    this.#stage = { is: 'ended' };
    this.#parts.watchers.remove(this);
    this.#parts.acks.left(this);
    if (stage.is === 'open') for (const stay of stage.stays.values()) this.#vacate(stay);
    this.#left();
  }

  sweep(now: number): SweepEnd {
    if (this.#stage.is === 'ended') return 'fine';
    const { heartbeatMs, idleMs } = this.#parts.tuning();
    const silentMs = now - this.#heardAt;
    if (silentMs >= idleMs) {
      this.end(CLOSE.idle, this.#jitterMs());
      return 'fine';
    }
    for (const [room, { seat }] of this.#stage.stays) {
      if (seat.identity.expiresAt <= now) this.dismiss(room, CLOSE.expired);
    }
    if (silentMs < heartbeatMs || now - this.#pingedAt < heartbeatMs) return 'fine';
    this.#pingedAt = now;
    this.#socket.ping();
    return 'pinged';
  }

  /** Ends the stay in one room, or the connection when it is in no other. */
  dismiss(room: RoomId, close: CloseCode, retryAfterMs?: number): void {
    if (this.#stage.is === 'ended') return;
    const { stays, joining } = this.#stage;
    const stay = stays.get(room);
    if (stay === undefined) return;
    if (close === CLOSE.slow || stays.size + joining.size === 1) {
      this.end(close, retryAfterMs);
      return;
    }
    stays.delete(room);
    this.#vacate(stay);
    this.#reply('bye', byeLine(close, retryAfterMs, room));
  }

  end(close: CloseCode, retryAfterMs?: number): void {
    if (this.#stage.is === 'ended') return;
    const { code, reason } = close;
    if (close !== CLOSE.slow) this.outlet.line('bye', byeLine(close, retryAfterMs));
    this.#parts.meters.closed.add(closeName(close));
    this.#socket.end(code, JSON.stringify({ reason, retryAfterMs }));
  }

  /** Joins as the query of the upgrade asks, which may be malformed. */
  joinAtOnce(room: string, token: string | undefined): void {
    const id = parseRoomId(room);
    if (id === undefined) {
      this.#parts.meters.joins.add('invalid');
      const rule = '[A-Za-z0-9_-]{1,64}';
      const message = `"room" must be: ${rule}`;
      this.#reply('error', errorLine({ code: 'invalid', message, field: 'room', rule }));
      return;
    }
    this.#join({ type: 'join', room: id, ...(token === undefined ? {} : { token }) });
  }

  #greet(): void {
    const { edge, clock, tuning } = this.#parts;
    const { heartbeatMs, reconnectJitterMs } = tuning();
    const now = Math.round(clock.now());
    const line = { viewer: this.#id, edge, heartbeatMs, reconnectJitterMs, now };
    this.#reply('welcome', welcomeLine({ ...line, commandBytesMax: COMMAND_BYTES_MAX }));
  }

  #command(command: Command): void {
    this.#parts.meters.commands.add(command.type);
    switch (command.type) {
      case 'join':
        return this.#join(command);
      case 'leave':
        return this.#leave(command.room as RoomId);
      case 'send':
        return this.#send(command);
      case 'ack':
        return this.#parts.acks.acked(this, (command.room ?? NO_ROOM) as RoomOrNone, command.ids);
      case 'ping':
        return this.#reply('pong', pongLine(this.#parts.clock.now()));
    }
  }

  #join(command: JoinCommand): void {
    if (this.#stage.is === 'ended') return;
    const { stays, joining } = this.#stage;
    const room = command.room as RoomId;
    if (stays.has(room) || joining.has(room)) {
      this.#reply('error', errorLine({ code: 'already_joined', message: 'joined already', room }));
      return;
    }
    if (stays.size + joining.size >= ROOMS_PER_VIEWER_MAX) {
      const rule = `maxRooms ${ROOMS_PER_VIEWER_MAX}`;
      const message = 'this connection is in too many rooms';
      this.#reply('error', errorLine({ code: 'rate_limited', message, room, rule }));
      return;
    }
    const ticket = {};
    joining.set(room, ticket);
    this.#enter(command, ticket).catch((error: unknown) => this.#parts.fault('join', error));
  }

  async #enter({ room: name, token, since }: JoinCommand, ticket: object): Promise<void> {
    const room = name as RoomId;
    const isWanted = () => this.#stage.is === 'open' && this.#stage.joining.get(room) === ticket;
    const guestSeed = this.#id;
    const request = { room, token, since, guestSeed, occupant: this, isWanted };
    const entered = await this.#parts.entry.enter(request);
    const stage = this.#stage;
    const wasWanted = isWanted();
    if (stage.is === 'open' && wasWanted) stage.joining.delete(room);
    if ('refused' in entered) {
      if (wasWanted) this.#reply('error', errorLine(entered.refused));
    } else if ('gone' in entered) {
      if (wasWanted) this.end(CLOSE.slow);
    } else if (stage.is === 'open' && wasWanted) {
      stage.stays.set(room, entered);
      const { user, role } = entered.seat.identity;
      if (role !== 'guest') enterUser(this.#parts, this, user.id);
    } else {
      this.#vacate(entered);
    }
  }

  #leave(room: RoomId): void {
    if (this.#stage.is === 'ended') return;
    this.#stage.joining.delete(room);
    const stay = this.#stage.stays.get(room);
    if (stay !== undefined) {
      this.#stage.stays.delete(room);
      this.#vacate(stay);
    }
    this.#reply('left', leftLine(room));
  }

  #send(command: SendCommand): void {
    if (this.#stage.is === 'ended') return;
    const { room, id } = command;
    const ended = ({ id: publication, ...end }: Ended) => {
      const carried = publication === undefined ? {} : { publication };
      this.#reply('verdict', verdictLine({ room, id, ...carried, ...end }));
    };
    const stay = this.#stage.stays.get(room as RoomId);
    if (stay === undefined) {
      this.#parts.speaking.end({ verdict: 'not_joined' }, ended);
      return;
    }
    const { live, seat } = stay;
    const speech = { room: live.room, known: live.mirror, identity: seat.identity, body: command };
    this.#parts.speaking.say(speech, ended);
  }

  /** What the viewer is told is bounded as what it is sent: one that does not read is ended. */
  #reply(name: string, line: string): void {
    if (this.#stage.is === 'ended') return;
    if (!this.outlet.line(name, line)) this.end(CLOSE.slow, this.#jitterMs());
  }

  #vacate({ seat, live }: Stay): void {
    live.leave(seat);
    const { id } = seat.identity.user;
    const elsewhere = this.#stage.is === 'open' ? [...this.#stage.stays.values()] : [];
    if (!elsewhere.some((stay) => stay.seat.identity.user.id === id)) {
      this.#parts.users.leave(id, this);
    }
    this.#parts.hub.settle(live);
  }

  #jitterMs(): number {
    return this.#parts.random.below(this.#parts.tuning().reconnectJitterMs + 1);
  }
}
