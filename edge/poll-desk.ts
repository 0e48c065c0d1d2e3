/**
 * Owns the pollers of one room: answers made once a cursor and given to all, those waiting at the
 * head for something new, and how many viewers poll. Knows no HTTP.
 * Rules: SPEC E-POLL-1 to E-POLL-3.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { RoomId } from '../src/ids.js';
import { CDN_KIND } from '../src/wire/cdn-words.js';
import { encodeCursor, parseCursor } from '../src/wire/outgoing.js';
import type { Kept } from './core/keep-ring.js';
import { pollPublications, type PollPlace } from './core/poll-answer.js';
import type { Fanout, Flushable } from './fanout.js';
import type { Prepared } from './showing.js';
import type { Mirror } from './mirror.js';
import type { Position } from '../src/words.js';
import type { EdgeTuning } from './options.js';
import type { Identity } from './identity.js';
import type { PresenceBook } from './presence.js';

/** The part of a room the desk needs. */
export interface PolledRoom {
  readonly room: RoomId;
  readonly mirror: Mirror;
  prepare(since: Position): Promise<Prepared>;
}

export interface DeskParts {
  readonly clock: Clock;
  readonly fanout: Fanout;
  readonly tuning: () => EdgeTuning;
  readonly presence: PresenceBook;
}

interface Poller {
  readonly done: (answer: Buffer) => void;
  readonly late: Cancel;
}

const ANSWERS_MAX = 64;
const ANSWERS_BYTES_MAX = 1 << 20;
/** One who polled this long ago still counts as a viewer. */
const SEEN_MS = 30_000;
const SEEN_MAX = 50_000;
/** One who polled within this time need not be noted again. */
const SEEN_STEP_MS = 1000;
/** A room's pollers come back at about a thousand a second together, and within this time. */
const POLL_AFTER_MS_MAX = 5000;

/** All pollers get the same: nothing that is meant for some. */
const nobody = (): boolean => false;

export class PollDesk implements Flushable {
  due: 'no' | 'drop' | 'keep' = 'no';
  dueAt = 0;
  notBefore = 0;
  readonly peers = 1;
  readonly #room: PolledRoom;
  readonly #parts: DeskParts;
  readonly #main: PollDesk | undefined;
  readonly #answers = new Map<string, Buffer>();
  #answersBytes = 0;
  readonly #making = new Map<string, Promise<Buffer>>();
  readonly #waiting = new Map<string, Set<Poller>>();
  readonly #seen = new Map<string, { readonly at: number; readonly identity: Identity }>();

  /** With `main`, the desk of the same room for all, this one is for keepable publications only. */
  constructor(room: PolledRoom, parts: DeskParts, main?: PollDesk) {
    this.#room = room;
    this.#parts = parts;
    this.#main = main;
  }

  /** Viewers that polled within the last half minute. */
  get viewers(): number {
    return this.#main?.viewers ?? this.#seen.size;
  }

  /** Notes who polls; forgets those not heard of for a while. */
  see(viewer: string, identity: Identity): void {
    if (this.#seen.size >= SEEN_MAX && !this.#seen.has(viewer)) return;
    const before = this.#seen.get(viewer);
    const now = this.#parts.clock.now();
    if (before === undefined) this.#parts.presence.enter(this.#room.room, identity);
    else if (now - before.at < SEEN_STEP_MS) return;
    // Set anew at the end: the map stays in order of time.
    this.#seen.delete(viewer);
    this.#seen.set(viewer, { at: now, identity: before?.identity ?? identity });
  }

  /** Who a viewer that polled lately is. */
  seen(viewer: string): Identity | undefined {
    return this.#seen.get(viewer)?.identity;
  }

  /** The answer at `cursor` if it is made already. */
  known(cursor: string): Buffer | undefined {
    // Cursors begin with a digit, the desk's other answers do not.
    return cursor > '9' ? undefined : this.#answers.get(cursor);
  }

  /** At `Infinity` nobody polls here any more. */
  sweep(now: number): void {
    for (const [viewer, { at, identity }] of this.#seen) {
      if (now - at < SEEN_MS) return;
      this.#seen.delete(viewer);
      this.#parts.presence.leave(this.#room.room, identity);
    }
  }

  /** The newest window, for one who has no cursor. */
  window(): Buffer {
    if (this.#main !== undefined) return this.#main.window();
    const { openHead, facts } = this.#room.mirror;
    const cdn = facts.json(CDN_KIND) ?? '';
    const key = `window ${openHead.seq} ${openHead.cursor} ${cdn}`;
    return this.#answers.get(key) ?? this.#keep(key, this.#make(undefined, undefined));
  }

  /** Answers at `cursor`, now or when there is something new or `waitMs` are over; may be cancelled. */
  poll(asked: string, waitMs: number, done: (answer: Buffer) => void): () => void {
    const cursor = this.#key(asked);
    const known = this.#answers.get(cursor);
    if (known !== undefined) {
      done(known);
      return () => undefined;
    }
    if (this.#isAtHead(cursor)) return this.#wait(cursor, waitMs, done);
    let isOff = false;
    void this.#fetched(cursor)
      .catch(() => this.window())
      .then((answer) => {
        if (!isOff) done(answer);
      });
    return () => {
      isOff = true;
    };
  }

  /** The head has moved: who waits is answered in the desk's turn. */
  moved(isKeep: boolean): void {
    if (this.#waiting.size > 0) this.#parts.fanout.add(this, isKeep);
  }

  run(): boolean {
    let left = this.#parts.tuning().sliceViewers;
    for (const [cursor, pollers] of this.#waiting) {
      if (this.#isAtHead(cursor)) continue;
      const answer = this.#answers.get(cursor) ?? this.#fromRing(cursor);
      for (const poller of pollers) {
        if (left-- <= 0) return true;
        this.#settle(cursor, poller, answer);
      }
    }
    return false;
  }

  /** Answers change when a publication in them is taken back. */
  forget(): void {
    this.#answers.clear();
    this.#answersBytes = 0;
  }

  /** Answers all who wait with what there is. */
  close(): void {
    for (const [cursor, pollers] of this.#waiting) {
      const answer = this.#answers.get(cursor) ?? this.#fromRing(cursor);
      for (const poller of pollers) this.#settle(cursor, poller, answer);
    }
  }

  #wait(cursor: string, waitMs: number, done: (answer: Buffer) => void): () => void {
    if (waitMs <= 0 || this.#room.mirror.status === 'closed') {
      done(this.#empty(cursor));
      return () => undefined;
    }
    const late = this.#parts.clock.after(waitMs, () => {
      this.#settle(cursor, poller, this.#answers.get(cursor) ?? this.#fromRing(cursor));
    });
    const poller: Poller = { done, late };
    const pollers = this.#waiting.get(cursor) ?? new Set();
    this.#waiting.set(cursor, pollers.add(poller));
    return () => this.#remove(cursor, poller);
  }

  #settle(cursor: string, poller: Poller, answer: Buffer): void {
    this.#remove(cursor, poller);
    poller.done(answer);
  }

  #remove(cursor: string, poller: Poller): void {
    poller.late.cancel();
    const pollers = this.#waiting.get(cursor);
    if (pollers?.delete(poller) && pollers.size === 0) this.#waiting.delete(cursor);
  }

  /** One fetch for all who ask at the same cursor. */
  #fetched(cursor: string): Promise<Buffer> {
    const making = this.#making.get(cursor);
    if (making !== undefined) return making;
    const made = this.#fetch(cursor).finally(() => this.#making.delete(cursor));
    this.#making.set(cursor, made);
    return made;
  }

  async #fetch(cursor: string): Promise<Buffer> {
    const place = parseCursor(cursor);
    if (place === undefined) return this.window();
    const { older } = await this.#room.prepare(place.position);
    const known = this.#answers.get(cursor);
    if (known !== undefined) return known;
    return this.#keep(cursor, this.#make(place, older && this.#missed(place, older)));
  }

  /** The answer at a cursor that was the head a moment ago. */
  #fromRing(cursor: string): Buffer {
    const place = parseCursor(cursor);
    if (place === undefined || this.#isAtHead(cursor)) return this.#empty(cursor);
    return this.#keep(cursor, this.#make(place, this.#missed(place, [])));
  }

  #missed({ position }: PollPlace, older: readonly Kept[]): readonly Kept[] | undefined {
    const { ring } = this.#room.mirror;
    const fetched = older.filter((kept) => kept.offset < ring.first);
    const rest = ring.range(position.offset + 1 + fetched.length, ring.head);
    return rest && [...fetched, ...rest];
  }

  /** What answers go by: where only keepables count, all droppable frames are one place. */
  #key(cursor: string): string {
    const place = this.#main === undefined ? undefined : parseCursor(cursor);
    return place === undefined ? cursor : encodeCursor(place.position, 0);
  }

  #isAtHead(cursor: string): boolean {
    const { openHead: head } = this.#room.mirror;
    if (cursor === this.#key(head.cursor)) return true;
    if (this.#main !== undefined) return false;
    const place = parseCursor(cursor);
    const here = parseCursor(head.cursor);
    return (
      place !== undefined &&
      here !== undefined &&
      place.position.epoch === here.position.epoch &&
      place.position.offset === here.position.offset &&
      place.tick > here.tick
    );
  }

  /** Nothing new: the same cursor back; the same bytes for all at this head. */
  #empty(cursor: string): Buffer {
    const { openHead: head, status } = this.#room.mirror;
    const key = `empty ${cursor} ${head.seq} ${status}`;
    const place = parseCursor(cursor);
    const same = this.#main === undefined ? cursor : head.cursor;
    return this.#answers.get(key) ?? this.#keep(key, this.#text(same, place?.position, true, []));
  }

  #make(place: PollPlace | undefined, kept: readonly Kept[] | undefined): Buffer {
    const { mirror } = this.#room;
    const { openHead: head } = mirror;
    const position = { epoch: mirror.epoch, offset: head.offset };
    if (place === undefined || kept === undefined) {
      const newest = mirror.window.newest(mirror.rules.recent, head.seq, nobody);
      return this.#text(head.cursor, position, false, newest);
    }
    const classes = this.#main === undefined ? 'all' : 'keep';
    const found = pollPublications(place, kept, mirror.window, classes);
    return this.#text(head.cursor, position, true, found);
  }

  #text(
    cursor: string,
    position: Position | undefined,
    recovered: boolean,
    publications: readonly { readonly json: Buffer }[],
  ): Buffer {
    const { mirror, room } = this.#room;
    const { epoch, offset } = position ?? { epoch: mirror.epoch, offset: mirror.openHead.offset };
    const open = JSON.stringify({
      type: 'publications',
      room,
      epoch,
      offset,
      recovered,
      online: mirror.online,
    });
    const close = JSON.stringify({
      cursor,
      pollAfterMs: Math.min(POLL_AFTER_MS_MAX, this.viewers),
      closed: mirror.status === 'closed',
    });
    // Who starts anew is told what others hear of in `joined`; a change comes as a publication.
    const cdn = recovered ? undefined : mirror.facts.json(CDN_KIND);
    const fact = cdn === undefined ? '' : `"${CDN_KIND}":${cdn},`;
    const middle = publications.map(({ json }) => json.toString()).join(',');
    return Buffer.from(`${open.slice(0, -1)},"publications":[${middle}],${fact}${close.slice(1)}`);
  }

  #keep(key: string, answer: Buffer): Buffer {
    this.#answersBytes += answer.length - (this.#answers.get(key)?.length ?? 0);
    this.#answers.set(key, answer);
    for (const [oldest, bytes] of this.#answers) {
      const isWithin = this.#answers.size <= ANSWERS_MAX && this.#answersBytes <= ANSWERS_BYTES_MAX;
      if (isWithin || oldest === key) break;
      this.#answers.delete(oldest);
      this.#answersBytes -= bytes.length;
    }
    return answer;
  }
}
