/**
 * Owns one viewer's WebSocket: the rooms it is in, its commands, its end. What arrives is cut into
 * commands by ingress.ts; how a room is entered is entry.ts.
 * Rules: SPEC E-IN-2, E-IN-5, E-IN-6, E-SAY-1, E-END-1.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import { parseRoomId, type RoomId } from '../src/ids.js';
import { COMMAND_BYTES_MAX } from '../src/limits.js';
import { randomId } from '../src/random.js';
import type { Verdict } from '../src/verdict.js';
import {
  byeLine,
  errorLine,
  leftLine,
  pongLine,
  receivingLine,
  verdictLine,
  welcomeLine,
} from '../src/wire/outgoing.js';
import type { Command, JoinCommand, ReceiveCommand, SendCommand } from '../src/wire/schema.js';
import type { Answered } from './answers.js';
import { OFF_WHEEL } from './core/due-wheel.js';
import { NO_ROOM, type RoomOrNone } from './delivery-report.js';
import { FewMap } from './few-map.js';
import { Ingress, type IngressOut } from './ingress.js';
import type { LiveRoom } from './live-room.js';
import { closeName } from './meters.js';
import { ROOMS_PER_VIEWER_MAX, type EdgeTuning } from './options.js';
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

/** Silence after which a viewer is asked, ms; who asks by itself after a heartbeat, as it is told to, never is. */
function askAfterMs({ heartbeatMs, idleMs }: EdgeTuning): number {
  return heartbeatMs + Math.max(0, idleMs - heartbeatMs) / 2;
}

export class Connection implements SocketListener, Occupant, Watcher, IngressOut, Answered {
  readonly outlet: Outlet;
  readonly #id = randomId();
  readonly #socket: ViewerSocket;
  readonly #parts: ViewerParts;
  /** Once it says something: most only listen. */
  #ingress: Ingress | undefined;
  readonly #address: string;
  readonly #stays = new FewMap<RoomId, Stay>();
  /** A ticket for each join under way: a leave takes the ticket back. */
  #joining: FewMap<RoomId, object> | undefined;
  isOpen = true;
  heldLines = '';
  #reportTat = 0;
  #heardAt: number;

  /** Counted in at `address` already; it counts itself out when it is gone. */
  constructor(
    socket: ViewerSocket,
    encoding: 'text' | 'deflate',
    parts: ViewerParts,
    address: string,
  ) {
    this.#socket = socket;
    this.#parts = parts;
    this.#address = address;
    this.#heardAt = parts.clock.now();
    this.quietUntil = this.#heardAt + askAfterMs(parts.tuning());
    this.outlet = new Outlet(encoding, socket, parts.tuning, parts.meters);
    parts.watchers.add(this);
    this.#greet();
  }

  received(bytes: Uint8Array): void {
    this.#heardAt = this.#parts.clock.now();
    (this.#ingress ??= new Ingress(this)).take(bytes, this.#heardAt);
  }

  heard(): void {
    this.#heardAt = this.#parts.clock.now();
  }

  closed(): void {
    const wasIn = this.isOpen;
    this.isOpen = false;
    this.#parts.watchers.remove(this);
    this.#parts.acks.left(this);
    for (const [room, stay] of this.#stays.entries()) {
      this.#stays.delete(room);
      this.#vacate(stay);
    }
    if (wasIn) this.#parts.addresses.remove(this.#address);
  }

  place = OFF_WHEEL;
  quietUntil: number;

  sweep(now: number): SweepEnd {
    if (!this.isOpen) return 'fine';
    const tuning = this.#parts.tuning();
    // Only who was asked and not heard since is quiet for so long.
    if (this.quietUntil >= this.#heardAt + tuning.idleMs && this.quietUntil <= now) {
      this.end(CLOSE.idle, this.#jitterMs());
      return 'fine';
    }
    for (const [room, { seat }] of this.#stays.entries()) {
      if (seat.identity.expiresAt <= now) this.dismiss(room, CLOSE.expired);
    }
    const askAt = this.#heardAt + askAfterMs(tuning);
    // Asked late it has as long to answer: that the edge was busy is not its silence.
    if (askAt <= now) this.#heardAt += now - askAt;
    this.quietUntil = askAt > now ? askAt : this.#heardAt + tuning.idleMs;
    for (const [, { seat }] of this.#stays.entries()) this.#hasten(seat);
    if (askAt > now) return 'fine';
    this.#socket.ping();
    return 'pinged';
  }

  /** It is looked after when a token expires at the latest. */
  #hasten({ identity }: Seat): void {
    if (identity.expiresAt >= this.quietUntil) return;
    this.quietUntil = identity.expiresAt;
    this.#parts.watchers.hasten(this);
  }

  /** Ends the stay in one room, or the connection when it is in no other. */
  dismiss(room: RoomId, close: CloseCode, retryAfterMs?: number): void {
    if (!this.isOpen) return;
    const stay = this.#stays.get(room);
    if (stay === undefined) return;
    if (close === CLOSE.slow || this.#rooms === 1) {
      this.end(close, retryAfterMs);
      return;
    }
    this.#stays.delete(room);
    this.#vacate(stay);
    this.reply('bye', byeLine(close, retryAfterMs, { room }));
  }

  end(close: CloseCode, retryAfterMs?: number, edges?: readonly string[]): void {
    if (!this.isOpen) return;
    const { code, reason } = close;
    if (close !== CLOSE.slow) {
      this.#flushHeld();
      this.outlet.line('bye', byeLine(close, retryAfterMs, edges && { edges }));
    }
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
      this.reply('error', errorLine({ code: 'invalid', message, field: 'room', rule }));
      return;
    }
    this.#join({ type: 'join', room: id, ...(token === undefined ? {} : { token }) });
  }

  #greet(): void {
    const { edge, clock, tuning } = this.#parts;
    const { heartbeatMs, reconnectJitterMs } = tuning();
    const now = Math.round(clock.now());
    const line = { viewer: this.#id, edge, heartbeatMs, reconnectJitterMs, now };
    this.reply('welcome', welcomeLine({ ...line, commandBytesMax: COMMAND_BYTES_MAX }));
  }

  command(command: Command): void {
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
      case 'receive':
        return this.#receive(command);
      case 'report':
        return this.#report(command);
      case 'ping':
        return this.reply('pong', pongLine(this.#parts.clock.now()));
    }
  }

  #join(command: JoinCommand): void {
    if (!this.isOpen) return;
    const room = command.room as RoomId;
    if (this.#stays.has(room) || this.#joining?.has(room) === true) {
      this.reply('error', errorLine({ code: 'already_joined', message: 'joined already', room }));
      return;
    }
    if (this.#rooms >= ROOMS_PER_VIEWER_MAX) {
      const rule = `maxRooms ${ROOMS_PER_VIEWER_MAX}`;
      const message = 'this connection is in too many rooms';
      this.reply('error', errorLine({ code: 'rate_limited', message, room, rule }));
      return;
    }
    const ticket = {};
    this.#joining ??= new FewMap();
    this.#joining.set(room, ticket);
    this.#enter(command, ticket).catch((error: unknown) => this.#parts.fault('join', error));
  }

  async #enter({ room: name, token, since }: JoinCommand, ticket: object): Promise<void> {
    const room = name as RoomId;
    const isWanted = () => this.isOpen && this.#joining?.get(room) === ticket;
    const guestSeed = this.#id;
    const request = { room, token, since, guestSeed, occupant: this, isWanted };
    const entered = await this.#parts.entry.enter(request);
    const wasWanted = isWanted();
    if (wasWanted) this.#unticket(room);
    if ('refused' in entered) {
      if (wasWanted) this.reply('error', errorLine(entered.refused));
    } else if ('gone' in entered) {
      if (wasWanted) this.end(CLOSE.slow);
    } else if (wasWanted) {
      // The room's own text: many hold one, not each its own.
      this.#stays.set(entered.live.room, entered);
      this.#hasten(entered.seat);
      const { user, role } = entered.seat.identity;
      if (role !== 'guest') enterUser(this.#parts, this, user.id);
    } else {
      this.#vacate(entered);
    }
  }

  get #rooms(): number {
    return this.#stays.size + (this.#joining?.size ?? 0);
  }

  #unticket(room: RoomId): void {
    this.#joining?.delete(room);
    if (this.#joining?.size === 0) this.#joining = undefined;
  }

  #leave(room: RoomId): void {
    if (!this.isOpen) return;
    this.#unticket(room);
    const stay = this.#stays.get(room);
    if (stay !== undefined) {
      this.#stays.delete(room);
      this.#vacate(stay);
    }
    this.reply('left', leftLine(room));
  }

  #receive({ room, classes }: ReceiveCommand): void {
    if (!this.isOpen) return;
    const stay = this.#stays.get(room as RoomId);
    if (stay === undefined) {
      const message = 'join the room first';
      this.reply('error', errorLine({ code: 'not_joined', message, room }));
      return;
    }
    stay.live.receive(stay.seat, classes);
    this.reply('receiving', receivingLine(room, classes));
  }

  /** Never answered: who is in no room any more reports to nobody. */
  #report(command: Command & { type: 'report' }): void {
    const { cdnReports, meters } = this.#parts;
    if (!this.#stays.has(command.room as RoomId)) return meters.cdnReports.add('not_joined');
    this.#reportTat = cdnReports.take(command, this.#reportTat);
  }

  #send(command: SendCommand): void {
    if (!this.isOpen) return;
    const { room, id } = command;
    const { speaking } = this.#parts;
    const stay = this.#stays.get(room as RoomId);
    if (stay === undefined) {
      this.refusedSend('not_joined', verdictLine({ room, id, verdict: 'not_joined' }));
      return;
    }
    const { live, seat } = stay;
    const speech = { room: live.room, known: live.mirror, identity: seat.identity, body: command };
    const refusal = speaking.refuse(speech);
    if (refusal !== undefined) {
      this.#answer(verdictLine({ room, id, ...refusal }));
      return;
    }
    speaking.say(speech, ({ id: publication, ...end }: Ended) => {
      const carried = publication === undefined ? {} : { publication };
      this.reply('verdict', verdictLine({ room, id, ...carried, ...end }));
    });
  }

  refusedSend(verdict: Verdict, line: string): void {
    this.#parts.meters.verdicts.add(verdict);
    this.#answer(line);
  }

  counted(what: 'broken' | 'over_quota'): void {
    this.#parts.meters.commands.add(what);
  }

  tooBroken(): void {
    this.end(CLOSE.badInput);
  }

  /** Sends the refusals that wait. */
  tellHeld(): void {
    if (this.isOpen && !this.#flushHeld()) this.end(CLOSE.slow, this.#jitterMs());
  }

  #flushHeld(): boolean {
    if (this.heldLines === '') return true;
    const lines = this.heldLines;
    this.heldLines = '';
    return this.outlet.line('verdict', lines);
  }

  /** A refusal of the edge's own. */
  #answer(line: string): void {
    if (this.isOpen) this.#parts.answers.tell(this, line, this.#heardAt);
  }

  /** What the viewer is told is bounded as what it is sent: one that does not read is ended. */
  reply(name: string, line: string): void {
    if (!this.isOpen) return;
    // What was refused before comes first.
    if (!this.#flushHeld() || !this.outlet.line(name, line)) this.end(CLOSE.slow, this.#jitterMs());
  }

  #vacate({ seat, live }: Stay): void {
    live.leave(seat);
    const { id } = seat.identity.user;
    if (!this.#stays.entries().some(([, stay]) => stay.seat.identity.user.id === id)) {
      this.#parts.users.leave(id, this);
    }
    this.#parts.hub.settle(live);
  }

  #jitterMs(): number {
    return this.#parts.random.below(this.#parts.tuning().reconnectJitterMs + 1);
  }
}
