/**
 * The other side of an edge for tests: an owner of all shards on a memory bus whose rooms say what
 * the test tells them to, and may lose, delay or repeat it.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { DEFAULT_SETTINGS, edgeRules, type EdgeRules } from '../../src/room-settings.js';
import { SHARD_COUNT } from '../../src/shards.js';
import {
  audienceSubject,
  callSubject,
  roomSubject,
  uplinkSubject,
  verdictSubject,
} from '../../src/subjects.js';
import type { EdgeId } from '../../src/ids.js';
import { ADMIT_ALL, encodeFrame, encodeNote } from '../../src/wire/envelope.js';
import {
  decodeJson,
  encodeJson,
  encodeVerdicts,
  type AudienceReport,
  type EdgeCall,
  type RoomNote,
  type RoomSnapshot,
  type UplinkBatch,
  type UplinkItem,
  type VerdictItem,
} from '../../src/wire/internal.js';
import { encodePublication } from '../../src/wire/publication.js';
import type { EpochStart, FrameClass, RoomStatus } from '../../src/words.js';

export interface PublishOptions {
  /** The room logs it, the bus loses it. */
  readonly lost?: boolean;
  /** Of an epoch other than the room's. */
  readonly epoch?: number;
  readonly kind?: string;
  readonly shed?: number;
}

type Answer = (item: UplinkItem) => Omit<VerdictItem, 'ref'> | undefined;

export class ScriptedRoom {
  epoch = 1;
  offset = 0;
  tick = 0;
  online = 1;
  admission = ADMIT_ALL;
  status: RoomStatus = 'open';
  rules: EdgeRules = edgeRules(DEFAULT_SETTINGS);
  banned: [UserId, number][] = [];
  epochs: EpochStart[] = [[1, 1]];
  readonly log = new Map<number, string>();
  recent: [number, string][] = [];
  #ids = 0;

  constructor(
    readonly room: RoomId,
    readonly bus: Bus,
  ) {}

  /** One keepable frame with these texts; the ids of its publications. */
  keep(texts: readonly string[], options: PublishOptions = {}): string[] {
    return this.#publish('keep', texts, options);
  }

  drop(texts: readonly string[], options: PublishOptions = {}): string[] {
    return this.#publish('drop', texts, options);
  }

  /** The envelope of the newest keepable publications again, as after a retry of the bus. */
  repeat(from: number, to: number): void {
    const jsons: string[] = [];
    for (let offset = from; offset <= to; offset++) jsons.push(this.log.get(offset)!);
    this.bus.publish(roomSubject(this.room), this.#envelope('keep', from, jsons, {}));
  }

  note(note: RoomNote): void {
    const bytes = encodeNote(this.epoch, JSON.stringify(note));
    this.bus.publish(roomSubject(this.room), bytes);
  }

  /** A new owner takes the room at the next epoch. */
  takeOver(): void {
    this.epoch++;
    this.tick = 0;
    this.epochs.push([this.epoch, this.offset + 1]);
    this.note({ note: 'owner' });
  }

  snapshot(): RoomSnapshot {
    const { room, status, epoch, offset, epochs, tick, online, rules, banned } = this;
    const recent = this.recent.slice(-rules.recent);
    return { room, status, epoch, offset, epochs, tick, online, rules, banned, recent };
  }

  #publish(frameClass: FrameClass, texts: readonly string[], options: PublishOptions): string[] {
    this.tick++;
    const first = frameClass === 'keep' ? this.offset + 1 : 0;
    const ids: string[] = [];
    const jsons = texts.map((text) => {
      const id = `${this.room}-${++this.#ids}`;
      ids.push(id);
      const offset = frameClass === 'keep' ? ++this.offset : 0;
      const lane = frameClass === 'keep' ? 'high' : 'normal';
      const kind = options.kind ?? 'danmaku';
      const place = offset > 0 ? { offset } : {};
      const json = encodePublication({ id, kind, lane, at: 1_700_000_000_000, text, ...place });
      if (offset > 0) this.log.set(offset, json);
      this.recent.push([offset, json]);
      return json;
    });
    this.recent = this.recent.slice(-200);
    if (options.lost !== true) {
      this.bus.publish(roomSubject(this.room), this.#envelope(frameClass, first, jsons, options));
    }
    return ids;
  }

  #envelope(
    frameClass: FrameClass,
    offset: number,
    jsons: readonly string[],
    options: PublishOptions,
  ): Buffer {
    const { room, tick, online, admission } = this;
    const head = { room, class: frameClass, epoch: options.epoch ?? this.epoch, tick, offset };
    return encodeFrame({ ...head, online, admission, shed: options.shed ?? 0 }, jsons);
  }
}

export class ScriptedOwner {
  readonly rooms = new Map<string, ScriptedRoom>();
  readonly said: UplinkItem[] = [];
  readonly batches: UplinkBatch[] = [];
  readonly calls: EdgeCall[] = [];
  readonly audience = new Map<string, number>();
  /** What becomes of a danmaku; undefined: no verdict ever comes. */
  answer: Answer = () => ({ verdict: 'published', id: 'p1' });
  /** Calls wait for this. */
  gate: Promise<void> = Promise.resolve();
  /** Calls are answered `unavailable`. */
  isDown = false;
  /** Replays are refused. */
  losesLog = false;

  constructor(readonly bus: Bus) {
    for (let shard = 0; shard < SHARD_COUNT; shard++) {
      bus.serve(callSubject(shard), (bytes) => this.#call(decodeJson<EdgeCall>(bytes)));
      bus.subscribe(uplinkSubject(shard), (bytes) => this.#uplink(decodeJson<UplinkBatch>(bytes)));
      bus.subscribe(audienceSubject(shard), (bytes) => {
        const report = decodeJson<AudienceReport>(bytes);
        for (const [room, viewers] of report.rooms) this.audience.set(room, viewers);
      });
    }
  }

  room(name: string): ScriptedRoom {
    const room = this.rooms.get(name) ?? new ScriptedRoom(name as RoomId, this.bus);
    this.rooms.set(name, room);
    return room;
  }

  async #call(call: EdgeCall): Promise<Uint8Array> {
    this.calls.push(call);
    await this.gate;
    const room = this.rooms.get(call.room);
    if (this.isDown || (call.call === 'replay' && this.losesLog)) {
      return encodeJson({ ok: false, code: 'unavailable', message: 'scripted' });
    }
    if (room === undefined) {
      return encodeJson({ ok: false, code: 'unknown_room', message: 'scripted' });
    }
    if (call.call === 'snapshot') return encodeJson({ ok: true, ...room.snapshot() });
    const entries: [number, string][] = [];
    for (let offset = call.from; offset < call.from + call.limit; offset++) {
      const json = room.log.get(offset);
      if (json === undefined) break;
      entries.push([offset, json]);
    }
    return encodeJson({ ok: true, entries });
  }

  #uplink(batch: UplinkBatch): void {
    this.batches.push(batch);
    this.said.push(...batch.items);
    const items: VerdictItem[] = [];
    for (const item of batch.items) {
      const answer = this.answer(item);
      if (answer !== undefined) items.push({ ref: item.ref, ...answer });
    }
    if (items.length === 0) return;
    this.bus.publish(verdictSubject(batch.edge as EdgeId), encodeVerdicts({ items }));
  }
}
