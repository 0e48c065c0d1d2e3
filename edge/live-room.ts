/**
 * Owns one room as this edge has it: its followed stream, its seated viewers, its pollers' place.
 * A newcomer is cut in exactly between what it is shown and what its slice is sent next.
 * Rules: SPEC E-POS-1 to E-POS-3.
 */
import { CLOSE, type CloseCode } from '../src/close-codes.js';
import type { RoomId } from '../src/ids.js';
import type { Random } from '../src/random.js';
import type { RoomNote, RoomSnapshot } from '../src/wire/internal.js';
import { joinedLine } from '../src/wire/outgoing.js';
import type { Classes, Position } from '../src/words.js';
import type { Acks } from './acks.js';
import { atOf, idOf } from './aimed-frames.js';
import { catchUp } from './core/catch-up.js';
import { isHeld } from './core/early-refusal.js';
import type { Fanout } from './fanout.js';
import { Follower, type FollowerParts } from './follower.js';
import type { Identity } from './identity.js';
import type { JoinEnd } from './meters.js';
import type { Mirror } from './mirror.js';
import { CLOSE_GRACE_MS, type EdgeTuning } from './options.js';
import type { OwnerFailure } from './owners.js';
import { PollDesk } from './poll-desk.js';
import type { PresenceBook } from './presence.js';
import { Seating } from './seating.js';
import { Showing, type Prepared, type ShownPublication } from './showing.js';
import type { Occupant, Seat } from './slice.js';
import type { Thinning } from './thinning.js';

export interface LiveRoomParts extends FollowerParts {
  readonly fanout: Fanout;
  readonly thinning: Thinning;
  readonly presence: PresenceBook;
  readonly acks: Acks;
  readonly random: Random;
  readonly tuning: () => EdgeTuning;
  /** The room cannot be followed any more; a next join starts it anew. */
  readonly lost: (room: LiveRoom) => void;
}

/** Tries of a newcomer to catch up while the stream runs on. */
const PREPARE_TRIES = 3;
/** Dismissed at once; a room of 10,000 is emptied in steps. */
const DISMISS_STEP = 500;

export class LiveRoom {
  readonly room: RoomId;
  readonly desk: PollDesk;
  /** Those who want keepable publications only. */
  readonly keepDesk: PollDesk;
  readonly #parts: LiveRoomParts;
  readonly #follower: Follower;
  #seating: Seating | undefined;
  readonly #showing: Showing;
  #isOver = false;
  /** Joins under way; a room held is not let go. */
  holds = 0;

  constructor(room: RoomId, parts: LiveRoomParts) {
    this.room = room;
    this.#parts = parts;
    this.#follower = new Follower(room, parts, {
      frame: (frame) => {
        if (!this.#seats.take(frame, this.mirror.head)) parts.meters.framesLost.add('shed');
        // Pollers all get the same: nothing of what is meant for some.
        if (frame.aim !== undefined) return;
        const isKeep = frame.class === 'keep';
        this.desk.moved(isKeep);
        if (isKeep) this.keepDesk.moved(true);
      },
      note: (note) => this.#note(note),
      started: ({ tags }) => this.#start(tags),
      refreshed: ({ tags }) => this.#refreshed(tags),
      lost: () => {
        this.#end(CLOSE.unavailable);
        parts.lost(this);
      },
    });
    this.desk = new PollDesk(this, parts);
    this.keepDesk = new PollDesk(this, parts, this.desk);
    this.#showing = new Showing(() => this.mirror, parts.tuning);
  }

  /** Takes the snapshot and lets frames flow, or tells why not. */
  async start(): Promise<OwnerFailure | undefined> {
    const failure = await this.#follower.start();
    if (failure !== undefined) return failure;
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
    if (isHeld(bans, identity.user.id, this.#parts.clock.now())) return 'banned';
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
      const older = entries.map(([offset, text]) => this.mirror.keptOf(offset, text));
      if (to + 1 >= this.mirror.ring.first) return { since, older };
    }
    return { since, older: undefined };
  }

  /** Seats a viewer and sends it `joined`; undefined when it could not take even that. */
  seat(
    occupant: Occupant,
    identity: Identity,
    prepared: Prepared,
    classes?: Classes,
  ): Seat | undefined {
    const slice = this.#seats.next(classes);
    // A viewer that has seen more than its slice was sent: the slice catches up first.
    const seen = prepared.since?.offset ?? 0;
    if (prepared.older !== undefined && slice.sent.offset < seen) this.#seats.flush(slice);
    const viewing = this.#seats.audience.viewing(identity);
    const shown = this.#showing.show(prepared, slice, viewing);
    const { epoch, online, rules } = this.mirror;
    const { user, role } = identity;
    const { region } = this.#parts.tuning();
    const line = joinedLine(
      {
        room: this.room,
        epoch,
        offset: slice.sent.offset,
        recovered: shown.recovered,
        online,
        ...(region !== '' && { region }),
        user: { id: user.id, role, maySpeak: role !== 'guest' || rules.guestsSpeak },
      },
      [shown.text],
      this.mirror.facts.text,
    );
    const end = shown.recovered ? 'recovered' : prepared.since ? 'resync' : 'window';
    this.#parts.meters.joins.add(end);
    const seat: Seat = { occupant, identity, viewing, slice, index: 0 };
    this.#seats.add(slice, seat);
    if (!occupant.outlet.line('joined', line, slice.sent.cursor)) {
      this.#seats.remove(seat);
      return undefined;
    }
    this.#parts.presence.enter(this.room, identity);
    for (const publication of shown.acked) this.#handed(occupant, publication);
    return seat;
  }

  /** From now on the viewer is sent these classes; nothing keepable is missed or repeated. */
  receive(seat: Seat, classes: Classes): void {
    this.#seats.move(seat, classes);
  }

  leave(seat: Seat): void {
    this.#seats.remove(seat);
    this.#parts.acks.left(seat.occupant, this.room);
    this.#parts.presence.leave(this.room, seat.identity);
  }

  /** Looks for what an outage of the bus may have swallowed. */
  refresh(): void {
    this.#follower.refresh();
  }

  /** Lets the room go; nobody may be seated. */
  stop(): void {
    this.#isOver = true;
    this.#follower.stop();
    this.closePolls();
    this.desk.sweep(Infinity);
  }

  /** Answers every poll that waits. */
  closePolls(): void {
    this.#desks((desk) => desk.close());
  }

  #desks(use: (desk: PollDesk) => void): void {
    use(this.desk);
    use(this.keepDesk);
  }

  get #seats(): Seating {
    if (this.#seating === undefined) throw new Error('the room has not started');
    return this.#seating;
  }

  #note(note: RoomNote): void {
    switch (note.note) {
      case 'recall':
        this.#showing.forget();
        this.#desks((desk) => desk.forget());
        break;
      case 'tags':
        // What came before is judged by what the tags were.
        if (this.#seats.holdsAimed) this.#seats.flushAll();
        this.#seats.audience.setTags(note.user, note.tags);
        break;
      case 'kick':
        this.#dismissUser(note.user, kickedFor(note.reason));
        break;
      case 'ban':
        if (isHeld(this.mirror.bans, note.user, this.#parts.clock.now())) {
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

  #start(tags: RoomSnapshot['tags']): void {
    const { fanout, tuning, meters, thinning } = this.#parts;
    this.#seating = new Seating(this.mirror.head, {
      fanout,
      tuning,
      thinning,
      compressed: () => meters.compressions.add(),
      tooSlow: (slow) => this.#dismiss(slow, CLOSE.slow),
      delivered: ({ aim, texts }, { occupant }) => {
        for (const json of texts ?? []) {
          this.#parts.acks.sent(occupant, {
            ...{ room: this.room, id: idOf(json), json, validMs: aim.validMs },
          });
        }
      },
    });
    this.#seating.audience.replaceTags(tags);
  }

  /** What a newcomer was shown and has to acknowledge, as long as it is of use. */
  #handed(occupant: Occupant, { json, aim }: ShownPublication): void {
    const leftMs = atOf(json) + (aim?.validMs ?? 0) - this.#parts.clock.now();
    this.#parts.acks.sent(occupant, { room: this.room, id: idOf(json), json, validMs: leftMs });
  }

  #refreshed(tags: RoomSnapshot['tags']): void {
    const now = this.#parts.clock.now();
    if (this.#seats.holdsAimed) this.#seats.flushAll();
    this.#seats.audience.replaceTags(tags);
    this.#seats.moveTo(this.mirror.head);
    this.#showing.forget();
    const banned = [...this.#seats.seats()].filter((seat) =>
      isHeld(this.mirror.bans, seat.identity.user.id, now),
    );
    this.#dismiss(banned, CLOSE.banned);
    if (this.mirror.status === 'closed') this.#closeSoon();
  }

  /** The closing publication may come behind the note: viewers get it before they go. */
  #closeSoon(): void {
    this.#parts.clock.after(CLOSE_GRACE_MS, () => {
      if (this.#isOver) return;
      this.#seats.flushAll();
      this.closePolls();
      this.#dismissInSteps([...this.#seats.seats()], CLOSE.closed);
    });
  }

  #end(close: CloseCode): void {
    this.#isOver = true;
    this.closePolls();
    this.desk.sweep(Infinity);
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

/** The reason is the studio's own words for the user. */
function kickedFor(message: string): CloseCode {
  return message === '' ? CLOSE.kicked : { ...CLOSE.kicked, message };
}
