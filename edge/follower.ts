/**
 * Owns following one room's stream whole: the bus subscription, what is held back while a snapshot
 * or missing publications are fetched, and the verdict that the stream is lost. Knows no viewer.
 * Rules: SPEC E-POS-4, E-POS-5.
 */
import type { RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { splitLogged } from '../src/target.js';
import { roomSubject } from '../src/subjects.js';
import {
  decodeEnvelope,
  encodeFrame,
  type Envelope,
  type FrameEnvelope,
} from '../src/wire/envelope.js';
import { decodeJson, type RoomNote, type RoomSnapshot } from '../src/wire/internal.js';
import type { RoomFrame } from './batch.js';
import type { Aims } from './core/aim.js';
import type { RingBounds } from './core/keep-ring.js';
import type { EdgeMeters } from './meters.js';
import { Mirror } from './mirror.js';
import { HELD_BYTES_MAX, HELD_ITEMS_MAX } from './options.js';
import type { LogText, OwnerFailure, Owners } from './owners.js';

export interface FollowerParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly owners: Owners;
  readonly meters: EdgeMeters;
  readonly ring: RingBounds;
  readonly aims: Aims;
  readonly fault: (where: string, error: unknown) => void;
}

export interface FollowerEvents {
  frame(frame: RoomFrame): void;
  /** The mirror has applied it already. */
  note(note: RoomNote): void;
  /** The first snapshot is taken. */
  started(snapshot: RoomSnapshot): void;
  /** Status and bans may have changed. */
  refreshed(snapshot: RoomSnapshot): void;
  /** The stream cannot be followed whole: viewers have to resume. */
  lost(): void;
}

const RETRY_MS: readonly number[] = [50, 100, 250, 500, 1000, 2000];
const FILL_TRIES = 3;
/** A viewer that claims to be ahead makes the edge look again at most this often. */
const REACH_EVERY_MS = 1000;
/** Publications of a frame made from replayed ones; at most 5 KiB each by src/limits.ts. */
const FILL_FRAME_COUNT = 32;

export class Follower {
  readonly room: RoomId;
  readonly #parts: FollowerParts;
  readonly #events: FollowerEvents;
  readonly #subscription: Cancel;
  #mirror: Mirror | undefined;
  /** Only while `live` envelopes are taken as they come. */
  #state: 'starting' | 'live' | 'catching' | 'stopped' = 'starting';
  #held: Envelope[] = [];
  #heldBytes = 0;
  #catching: Promise<void> = Promise.resolve();
  #reachedAt = -Infinity;

  constructor(room: RoomId, parts: FollowerParts, events: FollowerEvents) {
    this.room = room;
    this.#parts = parts;
    this.#events = events;
    this.#subscription = parts.bus.subscribe(roomSubject(room), (bytes) => this.#receive(bytes));
  }

  /** Takes the first snapshot; afterwards the mirror is there and frames flow. */
  async start(): Promise<OwnerFailure | undefined> {
    const snapshot = await this.#parts.owners.snapshot(this.room);
    if (typeof snapshot === 'string') {
      this.stop();
      return snapshot;
    }
    this.#mirror = new Mirror(snapshot, this.#parts.ring, this.#parts.aims);
    this.#events.started(snapshot);
    return undefined;
  }

  /** Lets what was held back since the subscription flow; call when listeners are ready. */
  flow(): void {
    this.#drain();
  }

  /** Throws before `start` has succeeded. */
  get mirror(): Mirror {
    if (this.#mirror === undefined) throw new Error('the mirror is not there yet');
    return this.#mirror;
  }

  /** Looks whether something was missed, as after an outage of the bus. */
  refresh(): void {
    if (this.#state === 'live') this.#catch(() => this.#refreshed(this.mirror.epoch));
  }

  /** Resolves when `offset` has been reached, if the owner has it. */
  async reach(offset: number): Promise<void> {
    await this.#catching;
    const now = this.#parts.clock.now();
    if (this.mirror.ring.head >= offset || now - this.#reachedAt < REACH_EVERY_MS) return;
    this.#reachedAt = now;
    this.refresh();
    await this.#catching;
  }

  stop(): void {
    this.#state = 'stopped';
    this.#subscription.cancel();
    this.#held = [];
    this.#heldBytes = 0;
  }

  #receive(bytes: Uint8Array): void {
    let envelope: Envelope;
    try {
      envelope = decodeEnvelope(bytes);
    } catch {
      this.#parts.meters.framesLost.add('undecodable');
      return;
    }
    if (this.#state === 'stopped') return;
    if (this.#state !== 'live') {
      this.#hold(envelope);
      return;
    }
    try {
      this.#handle(envelope);
    } catch (error) {
      this.#parts.fault('frame', error);
    }
  }

  #hold(envelope: Envelope): void {
    const isFull =
      this.#held.length >= HELD_ITEMS_MAX ||
      this.#heldBytes + envelope.json.length > HELD_BYTES_MAX;
    if (!isFull) {
      this.#held.push(envelope);
      this.#heldBytes += envelope.json.length;
      return;
    }
    this.#parts.meters.framesLost.add('held');
    if (this.#mirror !== undefined && !isDroppable(envelope)) this.#lose();
  }

  #handle(envelope: Envelope): void {
    const { mirror } = this;
    if (envelope.epoch < mirror.epoch) {
      this.#parts.meters.framesLost.add('stale');
    } else if (envelope.epoch > mirror.epoch) {
      this.#putBack(envelope);
      this.#catch(() => this.#refreshed(envelope.epoch));
    } else if (envelope.kind === 'note') {
      this.#note(decodeJson<RoomNote>(envelope.json));
    } else if (envelope.class === 'drop') {
      if (mirror.knows(envelope)) this.#parts.meters.framesLost.add('known');
      else this.#forward(envelope);
    } else {
      this.#keepable(envelope);
    }
  }

  #note(note: RoomNote): void {
    this.mirror.note(note);
    this.#events.note(note);
  }

  #keepable(frame: FrameEnvelope): void {
    const { head } = this.mirror.ring;
    const last = frame.offset + frame.count - 1;
    // An empty one only tells everyone the offset.
    const isNext = frame.count === 0 && frame.offset === head + 1;
    if (last <= head && !isNext && frame.offset <= head + 1) {
      this.#parts.meters.framesLost.add('known');
    } else if (frame.offset === head + 1) {
      this.#forward(frame);
    } else if (frame.offset <= head) {
      this.#forward(this.#tail(frame, head + 1));
    } else {
      this.#putBack(frame);
      this.#catch(() => this.#fill(frame.offset - 1));
    }
  }

  #forward(frame: FrameEnvelope): void {
    this.#parts.meters.frames.add(frame.class);
    this.#events.frame(this.mirror.take(frame));
  }

  #putBack(envelope: Envelope): void {
    this.#held.unshift(envelope);
    this.#heldBytes += envelope.json.length;
  }

  /** Holds everything back until `work` is done; the stream is lost when it fails. */
  #catch(work: () => Promise<boolean>): void {
    this.#state = 'catching';
    this.#catching = work()
      .then((isWhole) => {
        if (isWhole) this.#drain();
        else if (!this.#isStopped()) this.#lose();
      })
      .catch((error: unknown) => {
        this.#parts.fault('follow', error);
        this.#lose();
      });
  }

  #drain(): void {
    if (this.#isStopped()) return;
    this.#state = 'live';
    while (this.#state === 'live') {
      const next = this.#held.shift();
      if (next === undefined) return;
      this.#heldBytes -= next.json.length;
      this.#handle(next);
    }
  }

  #lose(): void {
    this.stop();
    this.#events.lost();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  /** A snapshot of at least this epoch, then what it has more; asked for until it comes. */
  async #refreshed(epoch: number): Promise<boolean> {
    const snapshot = await this.#newSnapshot(epoch);
    if (snapshot === undefined || !this.mirror.continues(snapshot)) return false;
    this.mirror.refresh(snapshot);
    this.#events.refreshed(snapshot);
    return this.#fill(snapshot.offset);
  }

  async #newSnapshot(epoch: number): Promise<RoomSnapshot | undefined> {
    for (let tries = 0; !this.#isStopped(); tries++) {
      const snapshot = await this.#parts.owners.snapshot(this.room);
      if (snapshot === 'unknown_room') return undefined;
      if (snapshot !== 'unavailable' && snapshot.epoch >= epoch) return snapshot;
      await this.#pause(tries);
    }
    return undefined;
  }

  /** Fetches and forwards what lies between the head and `to`, inclusive. */
  async #fill(to: number): Promise<boolean> {
    const from = this.mirror.ring.head + 1;
    if (from > to) return true;
    for (let tries = 0; tries < FILL_TRIES && !this.#isStopped(); tries++) {
      const entries = await this.#parts.owners.replay(this.room, from, to);
      if (typeof entries !== 'string') {
        if (this.#isStopped()) return false;
        this.#forwardReplayed(entries);
        this.#parts.meters.holes.add('filled');
        return true;
      }
      if (entries === 'unknown_room') break;
      await this.#pause(tries);
    }
    this.#parts.meters.holes.add('failed');
    return false;
  }

  #forwardReplayed(entries: readonly LogText[]): void {
    const logged = entries.map(([offset, text]) => ({ offset, ...splitLogged(text) }));
    for (let at = 0; at < logged.length;) {
      const { offset, target } = logged[at]!;
      let end = at + 1;
      while (end < logged.length && end - at < FILL_FRAME_COUNT && logged[end]!.target === target) {
        end++;
      }
      const jsons = logged.slice(at, end).map(({ json }) => json);
      this.#forward(this.#frameOf(offset, jsons, target));
      at = end;
    }
  }

  #tail(frame: FrameEnvelope, from: number): FrameEnvelope {
    const jsons: string[] = [];
    for (let i = from - frame.offset; i < frame.count; i++) {
      jsons.push(frame.publication(i).toString());
    }
    return this.#frameOf(from, jsons, frame.target);
  }

  /** A keepable frame as the room would have made it. */
  #frameOf(offset: number, jsons: readonly string[], target: string | undefined): FrameEnvelope {
    const { epoch, tick, online, admission, openOffset } = this.mirror;
    const place = { epoch, tick, offset, from: openOffset + 1 };
    const meant = target === undefined ? {} : { target };
    const head = { class: 'keep', ...place, online, admission, shed: 0, ...meant } as const;
    return decodeEnvelope(encodeFrame({ room: this.room, ...head }, jsons)) as FrameEnvelope;
  }

  #pause(tries: number): Promise<void> {
    const ms = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!;
    return new Promise((resolve) => this.#parts.clock.after(ms, resolve));
  }
}

function isDroppable(envelope: Envelope): boolean {
  return envelope.kind === 'frame' && envelope.class === 'drop';
}
