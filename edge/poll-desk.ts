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
import { RoomLine } from './core/turns.js';
import type { Fanout, Flushable } from './fanout.js';
import type { Prepared } from './showing.js';
import type { Mirror } from './mirror.js';
import { PollCrowd } from './poll-crowd.js';
import type { SentPlace } from './slice.js';
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
/** A room's pollers come back at about a thousand a second together, and within this time. */
const POLL_AFTER_MS_MAX = 5000;

/** All pollers get the same: nothing that is meant for some. */
const nobody = (): boolean => false;

export class PollDesk implements Flushable {
  due: 'no' | 'drop' | 'keep' = 'no';
  dueAt = 0;
  notBefore = 0;
  readonly line = new RoomLine();
  readonly #room: PolledRoom;
  readonly #parts: DeskParts;
  readonly #main: PollDesk | undefined;
  /** Where its pollers wait. The mirror may be further: its pollers are let on a round at a time. */
  #head: SentPlace | undefined;
  /** Turns of the round under way; 0 between two. */
  #turns = 0;
  #roundTurns = 0;
  readonly #answers = new Map<string, Buffer>();
  #answersBytes = 0;
  readonly #making = new Map<string, Promise<Buffer>>();
  readonly #waiting = new Map<string, Set<Poller>>();
  readonly #crowd: PollCrowd;

  /** With `main`, the desk of the same room for all, this one is for keepable publications only. */
  constructor(room: PolledRoom, parts: DeskParts, main?: PollDesk) {
    this.#room = room;
    this.#parts = parts;
    this.#main = main;
    this.#crowd = main === undefined ? new PollCrowd(room.room, parts.presence) : main.#crowd;
  }

  /** A turn amid a round does not end it: only the round as a whole keeps its distance. */
  get peers(): number {
    return this.#turns > 0 ? 0 : this.#roundTurns;
  }

  /** Viewers that polled within the last half minute. */
  get viewers(): number {
    return this.#crowd.size;
  }

  /** Notes who polls; forgets those not heard of for a while. */
  see(viewer: string, identity: Identity): void {
    this.#crowd.see(viewer, identity, this.#parts.clock.now());
  }

  /** Who a viewer that polled lately is. */
  seen(viewer: string): Identity | undefined {
    return this.#crowd.seen(viewer);
  }

  /** The answer at `cursor` if it is made already. */
  known(cursor: string): Buffer | undefined {
    // Cursors begin with a digit, the desk's other answers do not.
    return cursor > '9' ? undefined : this.#answers.get(cursor);
  }

  /** At `Infinity` nobody polls here any more. */
  sweep(now: number): void {
    this.#crowd.sweep(now);
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
    if (this.#waiting.size > 0 || this.viewers > 0) this.#parts.fanout.add(this, isKeep);
    else this.#advance();
  }

  /**
   * A round answers all who wait. Those who come back meanwhile wait for the next one even if there is
   * something new: else a crowd that comes back slower than publications would be given them one by
   * one, each to all, and fall ever further behind.
   */
  run(): boolean {
    if (this.#turns++ === 0) this.#advance();
    if (this.#answerSome(this.#parts.tuning().sliceViewers)) return true;
    this.#roundTurns = this.#turns;
    this.#turns = 0;
    return this.#place.cursor !== this.#room.mirror.openHead.cursor;
  }

  /** Whether there are more than `left` to answer. */
  #answerSome(left: number): boolean {
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
    this.#advance();
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

  /** Whether one at `cursor` is to wait: at the head, or between it and the mirror's. */
  #isAtHead(cursor: string): boolean {
    const { mirror } = this.#room;
    const { epoch: known } = parseCursor(this.#place.cursor)?.position ?? {};
    // Of another owner, or of a room that says nothing any more, nothing is held back.
    if (known !== mirror.epoch || mirror.status === 'closed') this.#advance();
    if (cursor === this.#key(this.#place.cursor)) return true;
    const place = parseCursor(cursor);
    const here = parseCursor(this.#place.cursor);
    if (place === undefined || here === undefined) return false;
    const { epoch, offset } = place.position;
    if (epoch !== here.position.epoch || offset < here.position.offset) return false;
    if (offset > mirror.openHead.offset) return false;
    return this.#main !== undefined || place.tick >= here.tick;
  }

  get #place(): SentPlace {
    return (this.#head ??= this.#room.mirror.openHead);
  }

  #advance(): void {
    this.#head = this.#room.mirror.openHead;
  }

  /** Nothing new: the same cursor back; the same bytes for all at this head. */
  #empty(cursor: string): Buffer {
    const { status } = this.#room.mirror;
    const head = this.#place;
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
    const { region } = this.#parts.tuning();
    const where = recovered || region === '' ? '' : `"region":${JSON.stringify(region)},`;
    const fact = `${cdn === undefined ? '' : `"${CDN_KIND}":${cdn},`}${where}`;
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
