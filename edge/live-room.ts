/**
 * Owns one room as this edge has it: its followed stream, its seated viewers, its pollers' place.
 * A newcomer is cut in exactly between what it is shown and what its slice is sent next.
 * Rules: SPEC E-POS-1 to E-POS-3.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { RoomId } from '../src/ids.js';
import type { Random } from '../src/random.js';
import type { RoomNote } from '../src/wire/internal.js';
import { joinedLine } from '../src/wire/outgoing.js';
import type { Position } from '../src/words.js';
import { catchUp } from './core/catch-up.js';
import { isBanned } from './core/early-refusal.js';
import type { Kept } from './core/keep-ring.js';
import type { Fanout } from './fanout.js';
import { Follower, type FollowerParts } from './follower.js';
import type { Identity } from './identity.js';
import type { JoinEnd } from './meters.js';
import type { Mirror } from './mirror.js';
import { CLOSE_GRACE_MS, type EdgeTuning } from './options.js';
import type { OwnerFailure } from './owners.js';
import { PollDesk } from './poll-desk.js';
import { Seating } from './seating.js';
import type { Occupant, Seat, Slice } from './slice.js';

export interface LiveRoomParts extends FollowerParts {
  readonly fanout: Fanout;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
  /** The room cannot be followed any more; a next join starts it anew. */
  readonly lost: (room: LiveRoom) => void;
}

/** What a viewer that came with a position will be shown, as far as it had to be fetched. */
export interface Prepared {
  readonly since: Position | undefined;
  /** Publications older than the ring, from `since` on; undefined: not to be had whole. */
  readonly older: readonly Kept[] | undefined;
}

/** Tries of a newcomer to catch up while the stream runs on. */
const PREPARE_TRIES = 3;
/** Dismissed at once; a room of 10,000 is emptied in steps. */
const DISMISS_STEP = 500;

export class LiveRoom {
  readonly room: RoomId;
  readonly desk: PollDesk;
  readonly #parts: LiveRoomParts;
  readonly #follower: Follower;
  #seating: Seating | undefined;
  #shown: { readonly key: string; readonly text: string } | undefined;
  #isOver = false;
  /** Joins under way; a room held is not let go. */
  holds = 0;

  constructor(room: RoomId, parts: LiveRoomParts) {
    this.room = room;
    this.#parts = parts;
    this.#follower = new Follower(room, parts, {
      frame: (frame) => {
        if (!this.#seats.take(frame, this.mirror.head)) parts.meters.framesLost.add('shed');
        this.desk.moved(frame.class === 'keep');
      },
      note: (note) => this.#note(note),
      refreshed: () => this.#refreshed(),
      lost: () => {
        this.#end(CLOSE.unavailable);
        parts.lost(this);
      },
    });
    this.desk = new PollDesk(this, parts);
  }

  /** Takes the snapshot and lets frames flow, or tells why not. */
  async start(): Promise<OwnerFailure | undefined> {
    const failure = await this.#follower.start();
    if (failure !== undefined) return failure;
    const { fanout, tuning, meters } = this.#parts;
    this.#seating = new Seating(this.mirror.head, {
      fanout,
      tuning,
      compressed: () => meters.compressions.add(),
      tooSlow: (slow) => this.#dismiss(slow, CLOSE.slow),
    });
    this.#follower.flow();
    return undefined;
  }

  get mirror(): Mirror {
    return this.#follower.mirror;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Viewers seated and polling. */
  get viewers(): number {
    return this.#seats.count + this.desk.viewers;
  }

  get slices(): number {
    return this.#seats.slices;
  }

  /** Why this user may not come in, or undefined. */
  refusal(identity: Identity): Extract<JoinEnd, 'banned' | 'closed' | 'full'> | undefined {
    const { status, bans, rules } = this.mirror;
    if (status === 'closed') return 'closed';
    if (isBanned(bans, identity.user.id, this.#parts.clock.now())) return 'banned';
    return this.viewers >= rules.viewersMax ? 'full' : undefined;
  }

  /** Fetches what a viewer at `since` missed and the ring does not hold. */
  async prepare(since: Position | undefined): Promise<Prepared> {
    if (since === undefined) return { since, older: undefined };
    for (let tries = 0; tries < PREPARE_TRIES && !this.#isOver; tries++) {
      const { epochs, ring, rules } = this.mirror;
      const view = { epochs, head: ring.head, ringFirst: ring.first, replayMax: rules.replay };
      const plan = catchUp(since, view);
      if (plan.how === 'window') break;
      if (plan.how === 'ring') return { since, older: [] };
      if (plan.how === 'ahead') {
        await this.#follower.reach(since.offset);
        continue;
      }
      const to = plan.from + plan.limit - 1;
      const entries = await this.#parts.owners.replay(this.room, plan.from, to);
      if (typeof entries === 'string') break;
      const older = entries.map(([offset, json]) => ({ offset, json: Buffer.from(json) }));
      if (to + 1 >= this.mirror.ring.first) return { since, older };
    }
    return { since, older: undefined };
  }

  /** Seats a viewer and sends it `joined`; undefined when it could not take even that. */
  seat(occupant: Occupant, identity: Identity, prepared: Prepared): Seat | undefined {
    const slice = this.#seats.next();
    const missed = this.#missed(prepared, slice);
    const { epoch, online, rules } = this.mirror;
    const { user, role } = identity;
    const line = joinedLine(
      {
        room: this.room,
        epoch,
        offset: slice.sent.offset,
        recovered: missed !== undefined,
        online,
        user: { id: user.id, role, maySpeak: role !== 'guest' || rules.guestsSpeak },
      },
      [missed === undefined ? this.#windowText(slice) : textOf(missed)],
    );
    const end = missed !== undefined ? 'recovered' : prepared.since ? 'resync' : 'window';
    this.#parts.meters.joins.add(end);
    const seat: Seat = { occupant, identity, slice, index: 0 };
    this.#seats.add(slice, seat);
    if (occupant.outlet.line('joined', line, slice.sent.cursor)) return seat;
    this.#seats.remove(seat);
    return undefined;
  }

  leave(seat: Seat): void {
    this.#seats.remove(seat);
  }

  /** Looks for what an outage of the bus may have swallowed. */
  refresh(): void {
    this.#follower.refresh();
  }

  /** Lets the room go; nobody may be seated. */
  stop(): void {
    this.#isOver = true;
    this.#follower.stop();
    this.desk.close();
  }

  get #seats(): Seating {
    if (this.#seating === undefined) throw new Error('the room has not started');
    return this.#seating;
  }

  /** Exactly what the viewer missed up to the slice's place, or undefined. */
  #missed({ since, older }: Prepared, slice: Slice): readonly Kept[] | undefined {
    if (since === undefined || older === undefined) return undefined;
    // A viewer that has seen more than its slice was sent: the slice catches up first.
    if (slice.sent.offset < since.offset) this.#seats.flush(slice);
    const to = slice.sent.offset;
    if (to < since.offset) return undefined;
    const { ring, rules } = this.mirror;
    const fetched = older.filter((kept) => kept.offset < ring.first && kept.offset <= to);
    const from = since.offset + 1 + fetched.length;
    const rest = ring.range(from, to);
    if (rest === undefined || fetched.length + rest.length > rules.replay) return undefined;
    const all = [...fetched, ...rest];
    // More than a socket may hold would close the viewer and have it ask again, for ever.
    const bytes = all.reduce((sum, kept) => sum + kept.json.length, 0);
    return bytes <= this.#parts.tuning().hardMarkBytes / 2 ? all : undefined;
  }

  #windowText(slice: Slice): string {
    const { rules, window } = this.mirror;
    const key = `${slice.sent.seq} ${slice.sent.cursor} ${rules.recent}`;
    if (this.#shown?.key !== key) {
      this.#shown = { key, text: textOf(window.newest(rules.recent, slice.sent.seq)) };
    }
    return this.#shown.text;
  }

  #note(note: RoomNote): void {
    switch (note.note) {
      case 'recall':
        this.#shown = undefined;
        this.desk.forget();
        break;
      case 'kick':
        this.#dismissUser(note.user, CLOSE.kicked);
        break;
      case 'ban':
        if (isBanned(this.mirror.bans, note.user, this.#parts.clock.now())) {
          this.#dismissUser(note.user, CLOSE.banned);
        }
        break;
      case 'status':
        if (note.status === 'closed') this.#closeSoon();
        break;
      default:
        break;
    }
  }

  #refreshed(): void {
    const now = this.#parts.clock.now();
    this.#seats.moveTo(this.mirror.head);
    this.#shown = undefined;
    const banned = [...this.#seats.seats()].filter((seat) =>
      isBanned(this.mirror.bans, seat.identity.user.id, now),
    );
    this.#dismiss(banned, CLOSE.banned);
    if (this.mirror.status === 'closed') this.#closeSoon();
  }

  /** The closing publication may come behind the note: viewers get it before they go. */
  #closeSoon(): void {
    this.#parts.clock.after(CLOSE_GRACE_MS, () => {
      if (this.#isOver) return;
      this.#seats.flushAll();
      this.desk.close();
      this.#dismissInSteps([...this.#seats.seats()], CLOSE.closed);
    });
  }

  #end(close: CloseCode): void {
    this.#isOver = true;
    this.desk.close();
    this.#seats.flushAll();
    this.#dismissInSteps([...this.#seats.seats()], close);
  }

  #dismissUser(user: string, close: CloseCode): void {
    const seats = [...this.#seats.seats()].filter((seat) => seat.identity.user.id === user);
    this.#dismiss(seats, close);
  }

  #dismissInSteps(seats: readonly Seat[], close: CloseCode): void {
    this.#dismiss(seats.slice(0, DISMISS_STEP), close);
    if (seats.length <= DISMISS_STEP) return;
    this.#parts.clock.after(20, () => this.#dismissInSteps(seats.slice(DISMISS_STEP), close));
  }

  #dismiss(seats: readonly Seat[], close: CloseCode): void {
    const { random, tuning } = this.#parts;
    for (const seat of seats) {
      const retryAfterMs =
        close.code < 4500 ? random.below(tuning().reconnectJitterMs + 1) : undefined;
      seat.occupant.dismiss(this.room, close, retryAfterMs);
    }
  }
}

function textOf(publications: readonly { readonly json: Buffer }[]): string {
  return publications.map(({ json }) => json.toString()).join(',');
}
