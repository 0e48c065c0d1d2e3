/**
 * Owns the presence reports of one shard: which came, which are missing, which edges are silent, and
 * asking edges for what is not known. Who is in a room is the room's to say (room/powers/presence.ts).
 * Rules: SPEC R-PRES-2, R-PRES-3, R-PRES-6.
 */
import type { EdgeId, RoomId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { presenceAskSubject } from '../../src/subjects.js';
import { AUDIENCE_FORGET_MS, encodeJson } from '../../src/wire/internal.js';
import {
  PRESENCE_DIGEST_MS,
  decodePresenceReport,
  type Kept,
  type PresenceAsk,
  type PresenceReport,
  type PresentUser,
} from '../../src/wire/presence.js';
import type { PresenceMeters } from './presence-meters.js';
import type { RoomPresence } from './presence.js';

/** Edges of a shard at most; a list that comes in parts holds as many users at most. */
const EDGES_MAX = 10_000;
const LIST_USERS_MAX = 100_000;
/** An edge that lives and sends no digest for this long is asked for one. */
const DIGEST_LATE_MS = PRESENCE_DIGEST_MS * 1.2;

/** What one edge said so far. */
interface Heard {
  readonly edge: string;
  run: number;
  seq: number;
  at: number;
  /** When its last whole digest came, or it was first heard of. */
  digestAt: number;
  /** Rooms it has users in, as far as known. */
  readonly rooms: Set<RoomId>;
  /** Something was lost, or nothing is known yet: a digest is wanted. */
  isDoubtful: boolean;
  isDigestAsked: boolean;
  /** Asked about these within the last while. */
  readonly asked: Set<RoomId>;
  /** What is gathered of a list and of a digest that come in parts. */
  list: { readonly room: RoomId; next: number; readonly users: PresentUser[] } | undefined;
  digest: { next: number; readonly rooms: Set<RoomId> } | undefined;
}

export interface PresenceDeskParts {
  readonly shard: number;
  readonly bus: Bus;
  readonly meters: PresenceMeters;
  /** The room's presence if it is in memory. */
  readonly find: (room: RoomId) => RoomPresence | undefined;
  /** Takes the room into memory; rejects when it cannot be had. */
  readonly load: (room: RoomId) => Promise<unknown>;
}

export class PresenceDesk {
  readonly #parts: PresenceDeskParts;
  readonly #edges = new Map<string, Heard>();
  /** Asked of the edge whose report is being taken. */
  #wanted = new Map<RoomId, Kept>();

  constructor(parts: PresenceDeskParts) {
    this.#parts = parts;
  }

  /** Takes one report, whatever its bytes are. */
  take(bytes: Uint8Array, now: number): void {
    const { meters } = this.#parts;
    const report = decodePresenceReport(bytes);
    const heard = report === undefined ? undefined : this.#heard(report.edge, now, report.run);
    if (report === undefined || heard === undefined) {
      meters.reports.add('unreadable');
      return;
    }
    if (report.run < heard.run || (report.run === heard.run && report.seq <= heard.seq)) {
      meters.reports.add('stale');
      return;
    }
    meters.reports.add('taken');
    this.#number(heard, report);
    this.#apply(heard, report);
    this.#ask(heard);
  }

  /** The edge lives, as another report of it shows; of one not known the users are asked for. */
  alive(edge: string, now: number): void {
    const heard = this.#heard(edge, now, 0);
    if (heard !== undefined) this.#ask(heard);
  }

  /** The users of edges not heard of for a while are gone; asks again for what was not answered. */
  forget(now: number): void {
    for (const [edge, heard] of this.#edges) {
      heard.asked.clear();
      heard.isDigestAsked = false;
      if (now - heard.digestAt >= DIGEST_LATE_MS) heard.isDoubtful = true;
      if (now - heard.at <= AUDIENCE_FORGET_MS) {
        this.#ask(heard);
        continue;
      }
      this.#edges.delete(edge);
      this.#parts.meters.edgesForgotten.add();
      for (const room of heard.rooms) this.#parts.find(room)?.dropped(edge);
    }
  }

  #heard(edge: string, now: number, run: number): Heard | undefined {
    const known = this.#edges.get(edge);
    if (known !== undefined) {
      known.at = now;
      return known;
    }
    if (this.#edges.size >= EDGES_MAX) return undefined;
    const heard: Heard = {
      ...{
        edge,
        run,
        seq: 0,
        at: now,
        digestAt: now,
        rooms: new Set<RoomId>(),
        asked: new Set<RoomId>(),
      },
      ...{ isDoubtful: true, isDigestAsked: false, list: undefined, digest: undefined },
    };
    this.#edges.set(edge, heard);
    return heard;
  }

  /** A hole in the numbers, or a new run: what was gathered is worth nothing, and a digest is wanted. */
  #number(heard: Heard, { run, seq }: PresenceReport): void {
    const isNext = run === heard.run && seq === heard.seq + 1;
    if (!isNext) {
      if (run === heard.run && heard.seq > 0) this.#parts.meters.holes.add();
      heard.list = undefined;
      heard.digest = undefined;
      heard.isDoubtful = true;
    }
    heard.run = run;
    heard.seq = seq;
  }

  #apply(heard: Heard, report: PresenceReport): void {
    const { edge } = heard;
    for (const [room, users] of report.changes ?? []) {
      this.#with(heard, room, (presence) => presence.changed(edge, users));
    }
    for (const [room, users, sketch] of report.counts ?? []) {
      this.#with(heard, room, (presence) => this.#counted(presence, edge, users, sketch));
    }
    if (report.list !== undefined) this.#list(heard, report.list);
    if (report.digest !== undefined) this.#digest(heard, report.digest);
  }

  #list(heard: Heard, { room, part, parts, users }: NonNullable<PresenceReport['list']>): void {
    if (part === 0) heard.list = { room, next: 0, users: [] };
    const { list } = heard;
    if (list?.room !== room || list.next !== part || list.users.length > LIST_USERS_MAX) {
      heard.list = undefined;
      return;
    }
    list.users.push(...users);
    list.next++;
    if (list.next < parts) return;
    heard.list = undefined;
    this.#with(heard, room, (presence) => {
      this.#parts.meters.repairs.add(presence.listed(heard.edge, list.users));
      return presence.kept === 'list';
    });
  }

  /** Rooms the whole digest does not name have nobody there. */
  #digest(heard: Heard, digest: NonNullable<PresenceReport['digest']>): void {
    const { part, parts, rooms } = digest;
    if (part === 0) heard.digest = { next: 0, rooms: new Set() };
    const gathered = heard.digest?.next === part ? heard.digest : undefined;
    for (const [room, users, text] of rooms) {
      gathered?.rooms.add(room);
      this.#with(heard, room, (presence) => presence.agrees(heard.edge, users, text));
    }
    heard.digest = gathered;
    if (gathered === undefined || ++gathered.next < parts) return;
    heard.digest = undefined;
    heard.isDoubtful = false;
    heard.digestAt = heard.at;
    for (const room of heard.rooms) {
      if (gathered.rooms.has(room)) continue;
      heard.rooms.delete(room);
      this.#parts.meters.repairs.add(this.#parts.find(room)?.dropped(heard.edge) ?? 0);
    }
  }

  #counted(
    presence: RoomPresence,
    edge: string,
    users: number,
    sketch: string | undefined,
  ): boolean {
    try {
      return presence.counted(edge, users, sketch);
    } catch {
      this.#parts.meters.reports.add('unreadable');
      return presence.counted(edge, users, undefined);
    }
  }

  /** Tells the room; one that is not in memory is taken in and told by what the edge then answers. */
  #with(heard: Heard, room: RoomId, tell: (presence: RoomPresence) => boolean): void {
    heard.rooms.add(room);
    const presence = this.#parts.find(room);
    if (presence === undefined) {
      this.#parts.load(room).then(
        () => {
          const kept = this.#parts.find(room)?.kept;
          if (kept === undefined) return;
          this.#wanted.set(room, kept);
          this.#ask(heard);
        },
        // A room that cannot be had is asked for again with the next digest.
        () => undefined,
      );
      return;
    }
    presence.keptChanged ??= (kept) => this.#tellAll(room, kept);
    if (!tell(presence)) this.#wanted.set(room, presence.kept);
  }

  /** All edges with users of the room hear at once what of them is wanted from now on. */
  #tellAll(room: RoomId, kept: Kept): void {
    for (const heard of this.#edges.values()) {
      if (!heard.rooms.has(room)) continue;
      heard.asked.delete(room);
      this.#send(heard, { shard: this.#parts.shard, rooms: [[room, kept]] });
      this.#parts.meters.asks.add(kept);
      heard.asked.add(room);
    }
  }

  /** Asks what is wanted, about nothing twice within a turn of `forget`. */
  #ask(heard: Heard): void {
    const rooms = [...this.#wanted].filter(([room]) => !heard.asked.has(room));
    this.#wanted.clear();
    const digest = heard.isDoubtful && !heard.isDigestAsked;
    if (rooms.length === 0 && !digest) return;
    for (const [room, kept] of rooms) {
      heard.asked.add(room);
      this.#parts.meters.asks.add(kept);
    }
    if (digest) this.#parts.meters.asks.add('digest');
    heard.isDigestAsked ||= digest;
    this.#send(heard, {
      shard: this.#parts.shard,
      ...(rooms.length === 0 ? {} : { rooms }),
      ...(digest ? { digest } : {}),
    });
  }

  /** A question that gets lost is asked again: what it was about still differs. */
  #send({ edge }: Heard, ask: PresenceAsk): void {
    this.#parts.bus.publish(presenceAskSubject(edge as EdgeId), encodeJson(ask));
  }
}
