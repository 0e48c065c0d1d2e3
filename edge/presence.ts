/**
 * Owns telling the owners of shards which users came to and left their rooms at this edge: changes in
 * micro-batches, a digest now and then, and what an owner asks for. Loses nothing for long: whatever
 * the bus swallows shows in the next digest. Rules: SPEC R-PRES-1, R-PRES-2, R-PRES-6.
 */
import type { EdgeId, RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { shardOf } from '../src/shards.js';
import { presenceAskSubject, presenceSubject } from '../src/subjects.js';
import { encodeJson } from '../src/wire/internal.js';
import {
  PRESENCE_BATCH_MS,
  PRESENCE_COUNTS_MS,
  PRESENCE_DIGEST_MS,
  PRESENCE_ROOMS_MAX,
  PRESENCE_USERS_MAX,
  decodePresenceAsk,
  type PresenceReport,
  type PresentUser,
} from '../src/wire/presence.js';
import { RoomUsers } from './core/room-users.js';
import type { Identity } from './identity.js';
import type { EdgeMeters } from './meters.js';

type Counted = Pick<Identity, 'user' | 'role'>;

/** Where those who seat viewers note whose they are; guests are not users. */
export interface PresenceBook {
  /** A connection of the identity is in the room from now on. */
  enter(room: RoomId, identity: Counted): void;
  /** One connection of it less. */
  leave(room: RoomId, identity: Counted): void;
}

interface ShardUsers {
  readonly shard: number;
  readonly rooms: Map<RoomId, RoomUsers>;
  readonly changed: Set<RoomId>;
  timer: Cancel | undefined;
  seq: number;
}

export interface PresenceParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: EdgeMeters;
}

/** Digests of all shards at once would hold up everything else where there are many rooms. */
const DIGEST_TURNS = 16;

export class Presence implements PresenceBook {
  readonly #parts: PresenceParts;
  readonly #run: number;
  readonly #shards = new Map<number, ShardUsers>();
  readonly #cancels: readonly Cancel[];
  #turn = 0;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    const { bus, clock, edge } = parts;
    this.#run = Math.floor(clock.now());
    this.#cancels = [
      bus.subscribe(presenceAskSubject(edge), (bytes) => this.#asked(bytes)),
      clock.every(PRESENCE_COUNTS_MS, () => this.#each((users) => this.#tellCounts(users))),
      clock.every(PRESENCE_DIGEST_MS / DIGEST_TURNS, () => this.#digestSome()),
    ];
  }

  enter(room: RoomId, { user, role }: Counted): void {
    if (role === 'guest') return;
    const shard = this.#shard(shardOf(room));
    const users = shard.rooms.get(room) ?? new RoomUsers();
    shard.rooms.set(room, users);
    users.enter(user);
    this.#changed(shard, room, users);
  }

  leave(room: RoomId, { user, role }: Counted): void {
    if (role === 'guest') return;
    const shard = this.#shard(shardOf(room));
    const users = shard.rooms.get(room);
    if (users === undefined) return;
    users.leave(user.id);
    this.#changed(shard, room, users);
  }

  /** Tells what is left to tell and stops. */
  stop(): void {
    for (const cancel of this.#cancels) cancel.cancel();
    this.#each((users) => {
      this.#tellChanges(users);
      this.#tellCounts(users);
    });
  }

  #shard(shard: number): ShardUsers {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const users: ShardUsers = {
      ...{ shard, rooms: new Map(), changed: new Set(), timer: undefined, seq: 0 },
    };
    this.#shards.set(shard, users);
    return users;
  }

  /** Each shard has its turn once in PRESENCE_DIGEST_MS. */
  #digestSome(): void {
    this.#turn = (this.#turn + 1) % DIGEST_TURNS;
    this.#each((users) => {
      if (users.shard % DIGEST_TURNS === this.#turn) this.#tellDigest(users);
    });
  }

  #each(run: (users: ShardUsers) => void): void {
    for (const users of this.#shards.values()) run(users);
  }

  #changed(shard: ShardUsers, room: RoomId, users: RoomUsers): void {
    if (users.kept === 'counts') return;
    shard.changed.add(room);
    shard.timer ??= this.#parts.clock.after(PRESENCE_BATCH_MS, () => this.#tellChanges(shard));
  }

  #tellChanges(shard: ShardUsers): void {
    shard.timer?.cancel();
    shard.timer = undefined;
    let changes: [RoomId, PresentUser[]][] = [];
    let left = PRESENCE_USERS_MAX;
    for (const room of shard.changed) {
      const users = shard.rooms.get(room);
      while (users?.kept === 'list' && users.isChanged) {
        const rows = users.takeChanges(left);
        changes.push([room, rows]);
        left -= rows.length;
        if (left > 0) continue;
        this.#publish(shard, { changes });
        changes = [];
        left = PRESENCE_USERS_MAX;
      }
      if (users?.size === 0 && users.kept === 'list') shard.rooms.delete(room);
    }
    shard.changed.clear();
    if (changes.length > 0) this.#publish(shard, { changes });
  }

  #tellCounts(shard: ShardUsers, sketched = false): void {
    const counts: [RoomId, number, string?][] = [];
    for (const [room, users] of shard.rooms) {
      if (users.kept !== 'counts' || !(users.isChanged || sketched)) continue;
      counts.push([room, ...users.takeCount(sketched)]);
      if (users.size === 0) shard.rooms.delete(room);
    }
    if (counts.length > 0) this.#publish(shard, { counts });
  }

  /** What changed goes first, so that the digest is of what was told. */
  #tellDigest(shard: ShardUsers): void {
    this.#tellChanges(shard);
    this.#tellCounts(shard, true);
    const rows = Array.from(
      shard.rooms,
      ([room, users]) => [room, users.size, users.digest] as const,
    );
    const parts = Math.max(1, Math.ceil(rows.length / PRESENCE_ROOMS_MAX));
    for (let part = 0; part < parts; part++) {
      const rooms = rows.slice(part * PRESENCE_ROOMS_MAX, (part + 1) * PRESENCE_ROOMS_MAX);
      this.#publish(shard, { digest: { part, parts, rooms } });
    }
  }

  #tellList(shard: ShardUsers, room: RoomId, users: RoomUsers): void {
    const all = users.takeList();
    const parts = Math.max(1, Math.ceil(all.length / PRESENCE_USERS_MAX));
    for (let part = 0; part < parts; part++) {
      const some = all.slice(part * PRESENCE_USERS_MAX, (part + 1) * PRESENCE_USERS_MAX);
      this.#publish(shard, { list: { room, part, parts, users: some } });
    }
  }

  #asked(bytes: Uint8Array): void {
    const ask = decodePresenceAsk(bytes);
    if (ask === undefined) {
      this.#parts.meters.presenceReports.add('unreadable');
      return;
    }
    const shard = this.#shard(ask.shard);
    for (const [room, kept] of ask.rooms ?? []) {
      const users = shard.rooms.get(room) ?? new RoomUsers();
      users.keep(kept);
      if (kept === 'list') this.#tellList(shard, room, users);
      else this.#publish(shard, { counts: [[room, ...users.takeCount(true)]] });
    }
    if (ask.digest === true) this.#tellDigest(shard);
  }

  /** What the bus does not take leaves a hole in the numbers, by which the owner knows. */
  #publish(shard: ShardUsers, news: Omit<PresenceReport, 'edge' | 'run' | 'seq'>): void {
    const { bus, edge, meters } = this.#parts;
    const report: PresenceReport = { edge, run: this.#run, seq: ++shard.seq, ...news };
    meters.presenceReports.add(bus.publish(presenceSubject(shard.shard), encodeJson(report)));
  }
}
