/**
 * Owns what is served for each shard owned: the subjects of its uplink, its audience reports and its
 * calls, from the moment it is taken until it is lost.
 */
import type { RoomId } from '../src/ids.js';
import { shardOf } from '../src/shards.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import {
  audienceSubject,
  callSubject,
  deliverySubject,
  presenceSubject,
  uplinkSubject,
} from '../src/subjects.js';
import { AUDIENCE_FORGET_MS, decodeJson } from '../src/wire/internal.js';
import { Audience, parseReport } from './audience.js';
import type { EdgeCalls } from './edge-calls.js';
import { HeldUplink } from './held-uplink.js';
import type { RoomMeters } from './meters.js';
import { PresenceDesk } from './powers/presence-desk.js';
import type { Rooms } from './rooms.js';
import { takeDeliveries } from './powers/scopes.js';
import type { Uplink } from './uplink.js';

export interface DeskParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: RoomMeters;
  readonly rooms: Rooms;
  readonly uplink: Uplink;
  readonly calls: EdgeCalls;
}

interface Desk {
  readonly fence: Fence;
  /** Danmaku wait here while the shard changes hands. */
  held: HeldUplink | undefined;
  readonly uplink: Cancel;
  readonly audience: Audience;
  readonly presence: PresenceDesk;
  readonly cancels: readonly Cancel[];
}

/** How often silent edges are looked for. */
const FORGET_EVERY_MS = 250;
/** How often users of silent edges are looked for, and edges asked again what they did not answer. */
const PRESENCE_EVERY_MS = 1000;

export class ShardDesks {
  readonly #desks = new Map<number, Desk>();
  /** Hand-overs whose next owner is being waited for. */
  readonly #passing = new Set<Promise<void>>();
  #parts: DeskParts | undefined;
  #timer: Cancel | undefined;
  #presenceTimer: Cancel | undefined;

  /** Must be called once, before any shard is opened. */
  start(parts: DeskParts): void {
    this.#parts = parts;
    this.#timer = parts.clock.every(FORGET_EVERY_MS, () => {
      // Looked at often and a look early, so that nobody counts longer than that.
      const before = parts.clock.now() - AUDIENCE_FORGET_MS + FORGET_EVERY_MS;
      for (const { audience } of this.#desks.values()) {
        this.#tell(audience, audience.forget(before));
      }
    });
    this.#presenceTimer = parts.clock.every(PRESENCE_EVERY_MS, () => {
      for (const { presence } of this.#desks.values()) presence.forget(parts.clock.now());
    });
  }

  /** Viewers of all rooms owned here. */
  get online(): number {
    let sum = 0;
    for (const { audience } of this.#desks.values()) sum += audience.total;
    return sum;
  }

  onlineOf(room: RoomId): number {
    return this.#desks.get(shardOf(room))?.audience.of(room) ?? 0;
  }

  /** Serves the shard. Throws what the bus throws; then nothing of it is served. */
  open(fence: Fence): void {
    const { shard } = fence;
    const { bus, clock, uplink, calls, rooms, meters } = this.#parts!;
    const audience = new Audience();
    const presence = new PresenceDesk({
      ...{ shard, bus, meters: meters.presence },
      find: (room) => rooms.peek(room)?.powers.all.presence,
      load: (room) => rooms.get(room),
    });
    const serving = bus.serve(callSubject(shard), (bytes) => calls.answer(bytes));
    const cancels = [
      serving,
      bus.subscribe(audienceSubject(shard), (bytes) => this.#report(audience, presence, bytes)),
      bus.subscribe(presenceSubject(shard), (bytes) => presence.take(bytes, clock.now())),
      bus.subscribe(deliverySubject(shard), (bytes) => takeDeliveries(bytes, { rooms, meters })),
    ];
    const taking = bus.subscribe(uplinkSubject(shard), (bytes) => {
      if (desk.held === undefined) uplink.take(shard, bytes);
      else desk.held.hold(bytes);
    });
    const desk: Desk = { fence, held: undefined, uplink: taking, audience, presence, cancels };
    this.#desks.set(shard, desk);
  }

  close(shard: number): void {
    const desk = this.#desks.get(shard);
    if (desk === undefined) return;
    this.#desks.delete(shard);
    for (const cancel of [desk.uplink, ...desk.cancels]) cancel.cancel();
    desk.held?.passOn();
    this.#parts!.uplink.forget(shard);
  }

  /** From now on danmaku of the shard wait for its next owner. */
  hold(shard: number): void {
    const desk = this.#desks.get(shard);
    if (desk === undefined) return;
    const { bus, clock, meters, uplink } = this.#parts!;
    const refuse = (bytes: Uint8Array): void => uplink.refuse(bytes);
    desk.held = new HeldUplink({ fence: desk.fence, bus, clock, meters, refuse });
  }

  /** Serves the shard no longer; what is held goes to the next owner when it comes. */
  passOn(shard: number, hasOthers: boolean): void {
    const desk = this.#desks.get(shard);
    if (desk?.held === undefined) return;
    this.#desks.delete(shard);
    for (const cancel of desk.cancels) cancel.cancel();
    this.#parts!.uplink.forget(shard);
    const { held, uplink } = desk;
    const passing = held.nextOwner(hasOthers).then(() => {
      uplink.cancel();
      held.passOn();
      this.#passing.delete(passing);
    });
    this.#passing.add(passing);
  }

  /** Resolves when nothing is held for a next owner any more. */
  async passedOn(): Promise<void> {
    await Promise.all(this.#passing);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#presenceTimer?.cancel();
    for (const shard of [...this.#desks.keys()]) this.close(shard);
  }

  #report(audience: Audience, presence: PresenceDesk, bytes: Uint8Array): void {
    const { clock, meters } = this.#parts!;
    let value: unknown;
    try {
      value = decodeJson(bytes);
    } catch {
      value = undefined;
    }
    const report = parseReport(value);
    if (report === undefined) meters.uplinkFlaws.add('unreadable');
    else {
      const now = clock.now();
      this.#tell(audience, audience.report(report, now));
      presence.alive(report.edge, now);
    }
  }

  /** Loaded rooms hear their number; a room with viewers that is not loaded is taken in. */
  #tell(audience: Audience, changed: ReadonlySet<RoomId>): void {
    const { rooms } = this.#parts!;
    for (const id of changed) {
      const online = audience.of(id);
      const room = rooms.peek(id);
      if (room !== undefined) room.setOnline(online);
      // A room that cannot be had is asked for again with the next danmaku or call.
      else if (online > 0) rooms.get(id).catch(() => undefined);
    }
  }
}
