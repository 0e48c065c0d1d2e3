/**
 * Owns which rooms this process hears and which it writes: follows the announcements of rooms and the
 * leases of shards, and keeps what waits of all rooms together within bounds.
 */
import type { RoomId } from '../src/ids.js';
import type { Cancel } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import { SHARD_COUNT, pusherLease, shardOf } from '../src/shards.js';
import { cdnSubject, pushersSubject } from '../src/subjects.js';
import { CDN_ANNOUNCE_MS, decodeCdnNote, type CdnNote } from '../src/wire/cdn.js';
import { CDN_BEAT_MS, CDN_LEAVE_MS, type CdnBeat } from '../src/wire/cdn-state.js';
import { encodeJson } from '../src/wire/internal.js';
import { Announced } from '../src/cdn-announced.js';
import { leasesToHear } from './core/roles.js';
import { Steady } from './core/steady.js';
import type { PusherOptions } from './options.js';
import { RoomFeed, type FeedParts } from './room-feed.js';

/** Rolls, retries and bounds are looked at this often. */
const STEP_MS = 50;
/** Whoever has just come hears of the rooms within this, and then of their frames. */
const NEWCOMER_MS = CDN_ANNOUNCE_MS * 1.5;

export const PUSHER_LEASES: readonly number[] = Array.from({ length: SHARD_COUNT }, (_, shard) =>
  pusherLease(shard),
);

export interface PusherTools extends Omit<FeedParts, 'fenced'> {
  /** Members of the group that live, this one included. */
  readonly members: () => readonly string[];
  /** Another has the shard. */
  readonly lose: (fence: Fence) => void;
}

export class Pusher {
  readonly #options: PusherOptions;
  readonly #tools: PusherTools;
  readonly #announced = new Announced();
  readonly #steady = new Steady();
  readonly #feeds = new Map<RoomId, RoomFeed>();
  /** Epochs of the shards this process writes. */
  readonly #epochs = new Map<number, number>();
  #cancels: readonly Cancel[] = [];
  #members: readonly string[] = [];
  #heard: ReadonlySet<number> = new Set();
  #isStopping = false;
  /** It is about to end, and nobody is there to go on. */
  #isLast = false;

  constructor(options: PusherOptions, tools: PusherTools) {
    this.#options = options;
    this.#tools = tools;
  }

  get feeds(): Iterable<RoomFeed> {
    return this.#feeds.values();
  }

  start(): void {
    const { bus, clock } = this.#tools;
    const listening = PUSHER_LEASES.map((_, shard) =>
      bus.subscribe(cdnSubject(shard), (bytes) => this.#hear(shard, bytes)),
    );
    const beating = clock.every(CDN_BEAT_MS, () => this.#beat());
    this.#cancels = [...listening, beating, clock.every(STEP_MS, () => this.#step())];
  }

  taken({ shard: lease, epoch }: Fence): void {
    const shard = lease - SHARD_COUNT;
    this.#epochs.set(shard, epoch);
    this.#follow(shard);
    for (const feed of this.#feedsOf(shard)) feed.own(epoch);
  }

  lost(fence: Fence): void {
    const shard = fence.shard - SHARD_COUNT;
    if (this.#epochs.get(shard) !== fence.epoch) return;
    this.#epochs.delete(shard);
    for (const feed of this.#feedsOf(shard)) void feed.disown();
  }

  /** Writes what was taken in; whoever is next goes on with the frame after it. */
  async handOver(fence: Fence): Promise<void> {
    const shard = fence.shard - SHARD_COUNT;
    if (this.#feedsOf(shard).length > 0) {
      if (!this.#isStopping) await this.#sleep(NEWCOMER_MS);
      await this.#flush(shard);
    }
    this.lost(fence);
  }

  /**
   * Where no other pusher is, an end would be a gap: the rooms are told first, and written until their
   * viewers are back on the sockets. Bounded; ends when another pusher has come.
   */
  async leave(): Promise<void> {
    const { clock } = this.#tools;
    const until = clock.now() + CDN_LEAVE_MS;
    for (;;) {
      const wasLast = this.#isLast;
      this.#isLast = this.#tools.members().every((name) => name === this.#options.member);
      if (this.#isLast !== wasLast) this.#beat();
      const isHeeded = Array.from(this.#feeds.values()).every((feed) => feed.isOver);
      if (!this.#isLast || isHeeded || clock.now() >= until) return;
      await this.#sleep(STEP_MS);
    }
  }

  /** What is handed over from now on is not waited for longer than needed. */
  prepareStop(): void {
    this.#isStopping = true;
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels) cancel.cancel();
    await Promise.all(Array.from(this.#feeds.values(), (feed) => feed.stop()));
    this.#feeds.clear();
  }

  /** Rooms turn to the CDN only where somebody writes; a shard with a stuck room is not named. */
  #beat(): void {
    const stuck = new Set<number>();
    for (const feed of this.#feeds.values()) if (feed.isStuck) stuck.add(feed.shard);
    const shards = [...this.#epochs.keys()].filter((shard) => !stuck.has(shard));
    const { member } = this.#options;
    const beat: CdnBeat = { member, shards, ...(this.#isLast && { isLast: true }) };
    // What the bus does not take is told again in a moment.
    this.#tools.bus.publish(pushersSubject(), encodeJson(beat));
  }

  #hear(shard: number, bytes: Uint8Array): void {
    const { clock, log } = this.#tools;
    this.#followClock();
    let note: CdnNote;
    try {
      note = decodeCdnNote(bytes);
    } catch (error) {
      log.warn('a note of rooms in CDN mode cannot be read', { shard, error });
      return;
    }
    const own = note.rooms.filter(([room]) => shardOf(room) === shard);
    if (this.#announced.hear(shard, { ...note, rooms: own }, clock.now())) this.#follow(shard);
  }

  /** Before anything is judged by its age. */
  #followClock(): void {
    const now = this.#tools.clock.now();
    const moved = this.#steady.moved(now);
    if (moved === 0) return;
    this.#tools.log.warn('the clock was stepped', { movedMs: Math.round(moved) });
    this.#announced.shift(moved, now);
    for (const feed of this.#feeds.values()) feed.writer?.segments.shift(moved, now);
  }

  #step(): void {
    const { members, clock } = this.#tools;
    this.#followClock();
    if (members() !== this.#members) {
      this.#members = members();
      this.#heard = leasesToHear(this.#options.member, PUSHER_LEASES, this.#members);
    }
    for (let shard = 0; shard < SHARD_COUNT; shard++) this.#follow(shard);
    for (const [room, feed] of this.#feeds) {
      feed.step();
      if (!this.#isWanted(feed)) {
        this.#feeds.delete(room);
        void feed.stop();
      }
    }
    this.#boundRings(clock.now());
    this.#boundBacklogs(clock.now());
  }

  /** Feeds for the rooms of a shard that is heard, with their modes and owner as they are now. */
  #follow(shard: number): void {
    const epoch = this.#epochs.get(shard);
    const isHeard = epoch !== undefined || this.#heard.has(pusherLease(shard));
    for (const [room, mode] of this.#announced.modes(shard, this.#tools.clock.now())) {
      let feed = this.#feeds.get(room);
      if (feed === undefined && mode === 'on' && isHeard) {
        feed = this.#feed(room);
        this.#feeds.set(room, feed);
        if (epoch !== undefined) feed.own(epoch);
      }
      feed?.setMode(mode);
    }
  }

  #feed(room: RoomId): RoomFeed {
    const fenced = (of: RoomId, epoch: number) =>
      this.#tools.lose({ shard: pusherLease(shardOf(of)), epoch });
    return new RoomFeed(room, this.#options, { ...this.#tools, fenced });
  }

  #isWanted(feed: RoomFeed): boolean {
    if (feed.isFinished) return false;
    return feed.isOwned || this.#heard.has(pusherLease(feed.shard));
  }

  #feedsOf(shard: number): RoomFeed[] {
    return Array.from(this.#feeds.values()).filter((feed) => feed.shard === shard);
  }

  /** Bounded by the time an operation at the origin may take: the next one tells what is missing. */
  async #flush(shard: number): Promise<void> {
    const { clock } = this.#tools;
    const until = clock.now() + this.#options.patience.deadlineMs;
    for (;;) {
      const flushed = this.#feedsOf(shard).map((feed) => feed.freeze());
      if (flushed.every(Boolean) || clock.now() >= until) return;
      await this.#sleep(STEP_MS / 5);
    }
  }

  /** The largest gives first. */
  #boundRings(now: number): void {
    let total = 0;
    for (const { ring } of this.#feeds.values()) total += ring.bytes;
    while (total > this.#options.ringTotalBytes) {
      const largest = largestOf(this.#feeds.values(), (feed) => feed.ring.bytes);
      if (largest === undefined) return;
      const before = largest.ring.bytes;
      largest.ring.trim(now, before / 2);
      total -= before - largest.ring.bytes;
    }
  }

  #boundBacklogs(now: number): void {
    const waiting = (feed: RoomFeed) => feed.writer?.segments.backlog.bytes ?? 0;
    let total = 0;
    for (const feed of this.#feeds.values()) total += waiting(feed);
    while (total > this.#options.backlogTotalBytes) {
      const feed = largestOf(this.#feeds.values(), waiting);
      if (feed?.writer === undefined) return;
      const { segments } = feed.writer;
      const before = waiting(feed);
      if (!segments.shedOldest(now)) return;
      total -= before - waiting(feed);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#tools.clock.after(ms, resolve));
  }
}

function largestOf(feeds: Iterable<RoomFeed>, sizeOf: (feed: RoomFeed) => number) {
  let largest: RoomFeed | undefined;
  for (const feed of feeds) {
    if (sizeOf(feed) > (largest === undefined ? 0 : sizeOf(largest))) largest = feed;
  }
  return largest;
}
