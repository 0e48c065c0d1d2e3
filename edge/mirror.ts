/**
 * Owns an edge's copy of what it must know of one room: rules, bans, status, place in the keepable
 * stream, and the newest publications. Changed by frames, notes and snapshots; asks nobody.
 */
import type { RoomId, UserId } from '../src/ids.js';
import type { EdgeRules } from '../src/room-settings.js';
import { ADMIT_ALL, type FrameEnvelope } from '../src/wire/envelope.js';
import { splitLogged } from '../src/target.js';
import type { RoomNote, RoomSnapshot } from '../src/wire/internal.js';
import { encodeCursor } from '../src/wire/outgoing.js';
import { positionHolds, type EpochStart, type RoomStatus } from '../src/words.js';
import type { RoomFrame } from './batch.js';
import type { KnownRoom } from './core/early-refusal.js';
import type { Aim, Aims } from './core/aim.js';
import { KeepRing, type Kept, type RingBounds } from './core/keep-ring.js';
import { RecentWindow } from './core/recent-window.js';
import { Facts } from './facts.js';
import { WINDOW_BYTES, WINDOW_COUNT } from './options.js';
import type { SentPlace } from './slice.js';

export class Mirror implements KnownRoom {
  readonly room: RoomId;
  readonly ring: KeepRing;
  readonly facts: Facts;
  readonly window = new RecentWindow({ count: WINDOW_COUNT, bytes: WINDOW_BYTES });
  status: RoomStatus;
  rules: EdgeRules;
  bans: Map<UserId, number>;
  allowed: Map<UserId, number>;
  epochs: readonly EpochStart[];
  epoch: number;
  online: number;
  admission = ADMIT_ALL;
  tick: number;
  #seq = 0;
  #dropTick: number;
  /** Droppable frames up to this tick of the snapshot's epoch are in the snapshot. */
  #known: { readonly epoch: number; readonly tick: number };
  #head: SentPlace;

  #openHead: SentPlace;
  /** Newest offset and tick of what was for everyone. */
  #openOffset: number;
  #openTick: number;
  readonly #aims: Aims;

  constructor(snapshot: RoomSnapshot, ring: RingBounds, aims: Aims) {
    this.#aims = aims;
    this.room = snapshot.room;
    this.status = snapshot.status;
    this.rules = snapshot.rules;
    this.bans = new Map(snapshot.banned);
    this.allowed = new Map(snapshot.allowed);
    this.epochs = snapshot.epochs;
    this.epoch = snapshot.epoch;
    this.online = snapshot.online;
    this.tick = snapshot.tick;
    this.facts = new Facts(snapshot.facts);
    this.#dropTick = snapshot.tick;
    this.#known = { epoch: snapshot.epoch, tick: snapshot.tick };
    const kept = keptTail(snapshot);
    this.ring = new KeepRing(snapshot.offset - kept.length, ring);
    for (const [offset, text] of kept) {
      const { json, aim } = this.keptOf(offset, text);
      this.ring.push(offset, json, aim);
    }
    for (const [offset, text] of snapshot.recent) {
      const { json, aim } = this.keptOf(offset, text);
      this.#show(offset, json, aim);
    }
    this.#openOffset = snapshot.offset;
    this.#openTick = snapshot.tick;
    this.#head = this.#openHead = this.#place();
  }

  /** The place after the newest frame. */
  get head(): SentPlace {
    return this.#head;
  }

  /** The place after the newest frame for everyone: where pollers are. */
  get openHead(): SentPlace {
    return this.#openHead;
  }

  /** Newest offset of what was for everyone; nobody at this edge is behind it or what it follows. */
  get openOffset(): number {
    return this.#openOffset;
  }

  /** A logged text as an edge keeps it. */
  keptOf(offset: number, text: string): Kept {
    const { json, target } = splitLogged(text);
    const aim = target === undefined ? undefined : this.#aims.read(target);
    return { offset, json: Buffer.from(json), aim };
  }

  /** Whether a droppable frame is one the snapshot already held. */
  knows(frame: FrameEnvelope): boolean {
    const isOld = frame.epoch === this.#known.epoch && frame.tick <= this.#known.tick;
    return isOld && frame.count > 0;
  }

  /** Takes a frame that follows the head (keepable) or is new (droppable). */
  take(frame: FrameEnvelope): RoomFrame {
    this.#seq++;
    this.tick = frame.tick;
    this.online = frame.online;
    this.admission = frame.admission;
    const aim = frame.target === undefined ? undefined : this.#aims.read(frame.target);
    // A frame that only tells news leaves the place: no poller is woken for it.
    if (frame.class === 'drop' && frame.count > 0) this.#dropTick = frame.tick;
    for (let i = 0; i < frame.count; i++) {
      const json = frame.publication(i);
      const offset = frame.class === 'keep' ? frame.offset + i : 0;
      if (offset > 0) this.ring.push(offset, json, aim);
      this.#show(offset, json, aim);
    }
    this.#head = this.#place();
    if (aim === undefined) this.#opened(frame);
    const { class: frameClass, json, count } = frame;
    const texts = aim && Array.from({ length: count }, (_, i) => frame.publication(i));
    const { cursor } = this.#head;
    return { seq: this.#seq, class: frameClass, json, count, cursor, aim, texts };
  }

  note(note: RoomNote): void {
    switch (note.note) {
      case 'rules':
        this.rules = note.rules;
        break;
      case 'status':
        this.status = note.status;
        break;
      case 'ban':
        this.bans.set(note.user, note.until);
        break;
      case 'unban':
        this.bans.delete(note.user);
        break;
      case 'allow':
        this.allowed.set(note.user, note.until);
        break;
      case 'disallow':
        this.allowed.delete(note.user);
        break;
      case 'facts':
        this.facts.apply(note.changes);
        break;
      case 'recall': {
        const json = Buffer.from(splitLogged(note.json).json);
        this.ring.replace(note.offset, json);
        this.window.recall(note.id, json);
        break;
      }
      case 'kick':
      case 'tags':
      case 'owner':
        break;
    }
  }

  /** Whether a newer snapshot continues the stream seen here. */
  continues(snapshot: RoomSnapshot): boolean {
    const position = { epoch: this.epoch, offset: this.ring.head };
    return snapshot.offset >= this.ring.head && positionHolds(position, snapshot.epochs);
  }

  /** Takes over all but the publications, which are filled in by replay. */
  refresh(snapshot: RoomSnapshot): void {
    this.status = snapshot.status;
    this.rules = snapshot.rules;
    this.bans = new Map(snapshot.banned);
    this.allowed = new Map(snapshot.allowed);
    this.epochs = snapshot.epochs;
    this.online = snapshot.online;
    this.facts.replace(snapshot.facts);
    if (snapshot.epoch > this.epoch) {
      this.epoch = snapshot.epoch;
      this.tick = 0;
      this.#dropTick = 0;
      this.#openTick = 0;
      // Droppable frames of the new epoch held back meanwhile have not been sent to anyone.
      this.#known = { epoch: snapshot.epoch, tick: -1 };
    }
    this.#head = this.#place();
    this.#openHead = this.#openPlace();
  }

  /** What comes after it is for some, until the next. */
  #opened(frame: FrameEnvelope): void {
    if (frame.class === 'drop') {
      if (frame.count > 0) this.#openTick = frame.tick;
    } else this.#openOffset = frame.offset + frame.count - 1;
    this.#openHead = this.#openPlace();
  }

  #openPlace(): SentPlace {
    const offset = this.#openOffset;
    if (offset === this.ring.head && this.#openTick === this.#dropTick) return this.#head;
    const cursor = encodeCursor({ epoch: this.epoch, offset }, this.#openTick);
    return { seq: this.#seq, offset, cursor };
  }

  #show(offset: number, json: Buffer, aim: Aim | undefined): void {
    const { epoch, tick } = this;
    this.window.push({ seq: this.#seq, epoch, tick, offset, json, aim });
  }

  #place(): SentPlace {
    const offset = this.ring.head;
    const cursor = encodeCursor({ epoch: this.epoch, offset }, this.#dropTick);
    return { seq: this.#seq, offset, cursor };
  }
}

/** The keepable publications of a snapshot that reach its head without a hole. */
function keptTail(snapshot: RoomSnapshot): readonly (readonly [number, string])[] {
  const kept = snapshot.recent.filter(([offset]) => offset > 0);
  let from = kept.length;
  let expected = snapshot.offset;
  while (from > 0 && kept[from - 1]![0] === expected) {
    from--;
    expected--;
  }
  return kept.slice(from);
}
