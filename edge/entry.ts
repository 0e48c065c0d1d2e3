/**
 * Owns the way into a room, the same for sockets and event streams: who it is, whether the room is
 * there, whether it lets the user in, and the seat. Rules: SPEC E-IN-3 to E-IN-5.
 */
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { Tokens } from '../src/tokens.js';
import type { ErrorLine } from '../src/wire/outgoing.js';
import type { Classes, Position } from '../src/words.js';
import type { Hub } from './hub.js';
import { guest, identify, type Identity, type IdentityFlaw } from './identity.js';
import type { LiveRoom } from './live-room.js';
import type { EdgeMeters } from './meters.js';
import type { Newcomers } from './newcomers.js';
import type { Occupant, Seat } from './slice.js';

export interface EntryParts {
  readonly hub: Hub;
  readonly tokens: () => Tokens;
  readonly clock: Clock;
  readonly meters: EdgeMeters;
  readonly newcomers: Newcomers;
}

export interface EntryRequest {
  readonly room: RoomId;
  readonly token: string | undefined;
  readonly since: Position | undefined;
  /** What it wants to be sent; absent: all. */
  readonly classes?: Classes;
  /** Makes a viewer without a user the same guest in every room. */
  readonly guestSeed: string;
  readonly occupant: Occupant;
  /** Whether the viewer is still there and still wants in. */
  readonly isWanted: () => boolean;
}

/** A seat taken. `gone`: the viewer left meanwhile or could not take its first line. */
export type Entered =
  | { readonly seat: Seat; readonly live: LiveRoom }
  | { readonly refused: ErrorLine }
  | { readonly gone: true };

const RETRY_MS = { full: 10_000, unavailable: 1000 } as const;

export class Entry {
  readonly #parts: EntryParts;

  constructor(parts: EntryParts) {
    this.#parts = parts;
  }

  /** Who the token names, or a guest; undefined token: a guest. */
  identity(
    room: RoomId,
    token: string | undefined,
    guestSeed: string,
  ): Identity | { readonly refused: ErrorLine } {
    if (token === undefined) return guest(guestSeed);
    const identity = identify(token, room, this.#parts.tokens(), guestSeed);
    return 'flaw' in identity ? { refused: this.#unauthorized(room, identity) } : identity;
  }

  async enter(request: EntryRequest): Promise<Entered> {
    const { room, token, guestSeed } = request;
    const identity = this.identity(room, token, guestSeed);
    if ('refused' in identity) return identity;
    const busyMs = this.#parts.newcomers.enter();
    if (busyMs !== undefined) return { refused: this.#busy(room, busyMs) };
    const entered = await this.#parts.hub.visit(room, (live) => this.#sit(live, identity, request));
    return typeof entered === 'string' ? { refused: this.#missing(room, entered) } : entered;
  }

  /** Why a room cannot be had, as a line. */
  #missing(room: RoomId, failure: 'unknown_room' | 'unavailable'): ErrorLine {
    this.#parts.meters.joins.add(failure);
    if (failure === 'unknown_room') {
      return { code: failure, message: 'there is no such room', room };
    }
    const retryAfterMs = RETRY_MS.unavailable;
    return { code: failure, message: 'the room cannot be reached now', room, retryAfterMs };
  }

  #busy(room: RoomId, retryAfterMs: number): ErrorLine {
    this.#parts.meters.joins.add('busy');
    const message = 'this edge lets few in at the moment';
    return { code: 'unavailable', message, room, rule: 'newcomers', retryAfterMs };
  }

  async #sit(live: LiveRoom, identity: Identity, request: EntryRequest): Promise<Entered> {
    const before = this.#refusal(live, identity);
    if (before !== undefined) return { refused: before };
    const prepared = await live.prepare(request.since);
    if (!request.isWanted()) return { gone: true };
    if (live.isOver) return { refused: this.#missing(live.room, 'unavailable') };
    // The room may have changed its mind while the past was fetched.
    const after = this.#refusal(live, identity);
    if (after !== undefined) return { refused: after };
    const seat = live.seat(request.occupant, identity, prepared, request.classes);
    return seat === undefined ? { gone: true } : { seat, live };
  }

  #refusal(live: LiveRoom, identity: Identity): ErrorLine | undefined {
    const why = live.refusal(identity);
    if (why === undefined) return undefined;
    this.#parts.meters.joins.add(why);
    const { room } = live;
    if (why === 'banned') return { code: why, message: 'this user is banned', room };
    if (why === 'closed') return { code: why, message: 'the room is closed', room };
    const retryAfterMs = RETRY_MS.full;
    return {
      code: 'rate_limited',
      message: 'the room is full',
      room,
      rule: 'viewersMax',
      retryAfterMs,
    };
  }

  #unauthorized(room: RoomId, { flaw }: IdentityFlaw): ErrorLine {
    this.#parts.meters.joins.add('unauthorized');
    return { code: 'unauthorized', message: `the token is refused: ${flaw}`, room, rule: flaw };
  }
}
