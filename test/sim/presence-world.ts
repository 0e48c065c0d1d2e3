/**
 * Edges and the owner of one shard over a bus that loses, repeats and reorders, in time moved by hand:
 * users connect, reconnect and leave on any edge, edges die and come back, the owner is replaced.
 */
import { Presence } from '../../edge/presence.js';
import { edgeMeters } from '../../edge/meters.js';
import type { PowerHost } from '../../room/powers/power.js';
import { PresenceDesk } from '../../room/powers/presence-desk.js';
import { presenceMeters } from '../../room/powers/presence-meters.js';
import { RoomPresence } from '../../room/powers/presence.js';
import type { EdgeId, RoomId, UserId } from '../../src/ids.js';
import type { Bus, BusAnswer } from '../../src/ports/bus.js';
import type { Random } from '../../src/random.js';
import { seededRandom } from '../../src/random.js';
import { shardOf } from '../../src/shards.js';
import { presenceSubject } from '../../src/subjects.js';
import { Meter } from '../../src/telemetry/meter.js';
import { AUDIENCE_EVERY_MS } from '../../src/wire/internal.js';
import { ManualClock } from '../kit/manual-clock.js';

const SHARD = 7;
/** Three rooms of one shard. */
export const ROOMS = Array.from({ length: 1000 }, (_, i) => `hall-${i}` as RoomId)
  .filter((room) => shardOf(room) === SHARD)
  .slice(0, 3);
const DELAY_MS = 300;

/** Loses, repeats and delays while `isBad`; otherwise delivers in order a millisecond later. */
export class BadBus implements Bus {
  isBad = true;
  lost = 0;
  readonly #subscribers = new Map<string, Set<(bytes: Uint8Array) => void>>();

  constructor(
    readonly clock: ManualClock,
    readonly random: Random,
  ) {}

  publish(subject: string, bytes: Uint8Array): BusAnswer {
    if (!this.isBad) {
      this.#deliver(subject, bytes, 1);
      return 'sent';
    }
    const chance = this.random.next();
    if (chance < 0.1) this.lost++;
    else this.#deliver(subject, bytes, this.random.below(DELAY_MS));
    if (chance > 0.9) this.#deliver(subject, bytes, this.random.below(DELAY_MS));
    return chance < 0.02 ? 'full' : 'sent';
  }

  subscribe(subject: string, deliver: (bytes: Uint8Array) => void) {
    const all = this.#subscribers.get(subject) ?? new Set();
    this.#subscribers.set(subject, all.add(deliver));
    return { cancel: () => void all.delete(deliver) };
  }

  request(): Promise<Uint8Array> {
    return Promise.reject(new Error('nobody asks here'));
  }

  serve() {
    return { cancel: () => undefined };
  }

  isUp(): boolean {
    return true;
  }

  onChange() {
    return { cancel: () => undefined };
  }

  drain(): Promise<void> {
    return Promise.resolve();
  }

  #deliver(subject: string, bytes: Uint8Array, ms: number): void {
    this.clock.after(ms, () => {
      for (const deliver of [...(this.#subscribers.get(subject) ?? [])]) deliver(bytes);
    });
  }
}

interface EdgeLife {
  readonly presence: Presence;
  readonly stop: () => void;
  /** Connections here: room and user, as often as there are. */
  readonly seats: (readonly [RoomId, UserId])[];
}

/** What one room of the owner told. */
export interface Told {
  readonly user: UserId;
  readonly isHere: boolean;
  readonly at: number;
}

export class PresenceWorld {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly bus: BadBus;
  readonly told = new Map<RoomId, Told[]>(ROOMS.map((room) => [room, []]));
  readonly edges: (EdgeLife | undefined)[] = [];
  readonly meters = presenceMeters(new Meter());
  readonly settings = { presenceMax: 1000, presenceLingerMs: 2000, enterNotices: false };
  readonly #records = new Map<RoomId, Map<string, string>>(ROOMS.map((room) => [room, new Map()]));
  readonly rooms = new Map<RoomId, RoomPresence>();
  #desk: PresenceDesk;
  #stopDesk: () => void = () => undefined;
  #runs = 0;

  constructor(seed: number, edges: number) {
    this.random = seededRandom(seed);
    this.bus = new BadBus(this.clock, this.random);
    this.#desk = this.#openDesk();
    for (let i = 0; i < edges; i++) this.startEdge(i);
  }

  startEdge(at: number): void {
    const edge = `edge-${at}` as EdgeId;
    const { bus, clock } = this;
    // An edge that came back has the same id and a later run.
    clock.advance(++this.#runs > 0 ? 1 : 0);
    let isDead = false;
    const own = {
      publish: (subject: string, bytes: Uint8Array) =>
        isDead ? 'down' : bus.publish(subject, bytes),
      subscribe: (subject: string, deliver: (bytes: Uint8Array) => void) =>
        bus.subscribe(subject, (bytes) => (isDead ? undefined : deliver(bytes))),
    } as unknown as Bus;
    const presence = new Presence({ edge, bus: own, clock, meters: edgeMeters(new Meter()) });
    const alive = clock.every(AUDIENCE_EVERY_MS, () => {
      if (!bus.isBad || this.random.next() > 0.1) this.#desk.alive(edge, clock.now());
    });
    const stop = () => {
      isDead = true;
      alive.cancel();
      presence.stop();
    };
    this.edges[at] = { presence, stop, seats: [] };
  }

  /** The edge says nothing more; its connections are over. */
  killEdge(at: number): void {
    this.edges[at]?.stop();
    this.edges[at] = undefined;
  }

  connect(at: number, room: RoomId, user: UserId): void {
    const edge = this.edges[at];
    if (edge === undefined) return;
    edge.presence.enter(room, { user: { id: user }, role: 'member' });
    edge.seats.push([room, user]);
  }

  disconnect(at: number): readonly [RoomId, UserId] | undefined {
    const edge = this.edges[at];
    if (edge === undefined || edge.seats.length === 0) return undefined;
    const [seat] = edge.seats.splice(this.random.below(edge.seats.length), 1);
    const [room, id] = seat!;
    edge.presence.leave(room, { user: { id }, role: 'member' });
    return seat;
  }

  /** Another owner takes the shard with what is on record; a studio's calls take the rooms in. */
  async replaceOwner(): Promise<void> {
    for (const presence of this.rooms.values()) while (presence.save()) await Promise.resolve();
    this.rooms.clear();
    this.#stopDesk();
    this.#desk = this.#openDesk();
    for (const room of ROOMS) this.#load(room);
  }

  /** Moves time on and steps what is due. */
  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.clock.advance(Math.min(50, left));
      const now = this.clock.now();
      for (const presence of this.rooms.values()) if (presence.nextAt() <= now) presence.step(now);
      for (let i = 0; i < 6; i++) await Promise.resolve();
    }
  }

  /** Users with a connection anywhere. */
  truth(room: RoomId): Map<string, number> {
    const out = new Map<string, number>();
    for (const edge of this.edges) {
      for (const [at, user] of edge?.seats ?? []) {
        if (at === room) out.set(user, (out.get(user) ?? 0) + 1);
      }
    }
    return out;
  }

  /** Users with their connections as the owner has them. */
  known(room: RoomId): Map<string, number> {
    const out = new Map<string, number>();
    const members = this.rooms.get(room)?.members('', 10_000).members ?? [];
    for (const { user, connections } of members) out.set(user, connections);
    return out;
  }

  #openDesk(): PresenceDesk {
    const { bus, clock, rooms, meters } = this;
    const desk = new PresenceDesk({
      ...{ shard: SHARD, bus, meters },
      find: (room) => rooms.get(room),
      load: async (room) => {
        await Promise.resolve();
        this.#load(room);
      },
    });
    const cancels = [
      bus.subscribe(presenceSubject(SHARD), (bytes) => desk.take(bytes, clock.now())),
      clock.every(AUDIENCE_EVERY_MS, () => desk.forget(clock.now())),
    ];
    this.#stopDesk = () => cancels.forEach((each) => each.cancel());
    return desk;
  }

  #load(room: RoomId): void {
    if (this.rooms.has(room)) return;
    this.rooms.set(room, new RoomPresence(this.#host(room), new Map(this.#records.get(room))));
  }

  #host(room: RoomId): PowerHost {
    const { clock } = this;
    const host: Pick<
      PowerHost,
      'room' | 'clock' | 'settings' | 'status' | 'change' | 'tellOnline' | 'wake'
    > = {
      room,
      clock,
      settings: () => this.settings as ReturnType<PowerHost['settings']>,
      status: () => 'open',
      change: async (add, kept) => {
        await Promise.resolve();
        const records = new Map<string, string | null>();
        add({ records } as Parameters<typeof add>[0]);
        const stored = this.#records.get(room)!;
        for (const [name, json] of records) {
          if (json === null) stored.delete(name);
          else stored.set(name, json);
        }
        kept?.();
      },
      tellOnline: ({ user, isHere }) => {
        this.told.get(room)!.push({ user, isHere, at: clock.now() });
      },
      wake: () => undefined,
    };
    return host as PowerHost;
  }
}
