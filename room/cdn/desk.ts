/**
 * Owns the table of CDNs in this process. The owner of one shard keeps it: it hears viewers' reports,
 * scores, stores what an operator sets, and tells all other services; these take what it tells. Also
 * knows which shards pushers write, and which rooms, whoever owns them, are on the CDN. Rules: SPEC
 * R-CDN-5, R-CDN-7, R-CDN-10, R-CDN-12, D-DISP-14.
 */
import { Announced } from '../../src/cdn-announced.js';
import { BarrageError } from '../../src/errors.js';
import { shelfOf, type RoomId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import type { Log } from '../../src/ports/log.js';
import type { Fence, Store } from '../../src/ports/store.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';
import { cdnSubject, cdnSumsSubject, cdnTableSubject, pushersSubject } from '../../src/subjects.js';
import type { Meter } from '../../src/telemetry/meter.js';
import {
  decodeCdnNote,
  manifestName,
  type CdnFact,
  type CdnNote,
  type CdnRegions,
  type CdnSource,
} from '../../src/wire/cdn.js';
import {
  CDN_BEAT_FORGET_MS,
  CDN_TABLE_MS,
  decodeBeat,
  decodeSums,
  decodeTable,
  type CdnEntry,
  type CdnSpec,
  type CdnTable,
} from '../../src/wire/cdn-state.js';
import { encodeJson } from '../../src/wire/internal.js';
import { QUALITY_RULES, type QualityRules } from './core/quality.js';
import { Scores } from './core/scoring.js';
import { isNews, toldOf, weightIn } from './core/told.js';
import { cdnMeters, type CdnMeters } from './meters.js';
import type { RoomCdn } from './room-cdn.js';

const ROOM = 'cdns' as RoomId;
/** Where the table is kept, and the shard whose owner keeps it. */
export const CDNS_SHARD = shardOf(ROOM);
const SHELF = shelfOf(ROOM, 'table');
const RECORD = 'specs';

export interface CdnDeskOptions {
  /** Of the configuration file. */
  readonly sources: readonly CdnSpec[];
  readonly pollMs: number;
  readonly segmentMs: number;
  /** How much worse than the best one may be, and what that costs; absent: the defaults. */
  readonly quality?: QualityRules;
}

export interface CdnDeskParts {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** The right to the shard while it is owned here. */
  readonly fenceOf: (shard: number) => Fence | undefined;
}

export class CdnDesk implements RoomCdn {
  #options: CdnDeskOptions;
  readonly #parts: CdnDeskParts;
  readonly #meters: CdnMeters;
  readonly #scores = new Scores();
  /** When each shard was last said to be written. */
  readonly #written = new Map<number, number>();
  /** When a shard's only pusher was last heard to end. */
  readonly #ending = new Map<number, number>();
  readonly #announced = new Announced();
  #own: readonly CdnSpec[] | undefined;
  #entries: readonly CdnEntry[] = [];
  /** As viewers were told, and when. */
  #told: readonly CdnEntry[] = [];
  #toldAt = 0;
  #heard = { epoch: 0, version: 0 };
  #ownEpoch = 0;
  #loadedEpoch = 0;
  #tableVersion = 0;
  #cancels: readonly Cancel[] = [];
  version = 0;
  sources: readonly CdnSource[] = [];
  regions: CdnRegions = {};

  constructor(options: CdnDeskOptions, parts: CdnDeskParts) {
    this.#options = options;
    this.#scores.tune(options.quality ?? QUALITY_RULES);
    this.#parts = parts;
    this.#meters = cdnMeters(parts.meter, {
      weights: () => this.#entries.map(({ spec, weight }) => [spec.id, weight] as const),
      written: () => [...this.#written.keys()].filter((shard) => this.isWritten(shard)).length,
    });
  }

  get pollMs(): number {
    return this.#options.pollMs;
  }

  get segmentMs(): number {
    return this.#options.segmentMs;
  }

  get entries(): readonly CdnEntry[] {
    return this.#entries;
  }

  get isOwn(): boolean {
    return this.#own !== undefined;
  }

  /** Resolves with the table as it was stored, so that no room takes an old one for the truth. */
  async start(): Promise<void> {
    const { bus, clock } = this.#parts;
    await this.#load();
    const announced = Array.from({ length: SHARD_COUNT }, (_, shard) =>
      bus.subscribe(cdnSubject(shard), (bytes) => this.#hear(shard, bytes)),
    );
    this.#cancels = [
      ...announced,
      bus.subscribe(pushersSubject(), (bytes) => this.#beat(bytes)),
      bus.subscribe(cdnSumsSubject(), (bytes) => this.#sums(bytes)),
      bus.subscribe(cdnTableSubject(), (bytes) => this.#take(bytes)),
      clock.every(CDN_TABLE_MS, () => this.#step()),
    ];
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel.cancel();
  }

  /** A changed configuration holds where no operator has set a table. */
  tune(options: CdnDeskOptions): void {
    this.#options = options;
    this.#scores.tune(options.quality ?? QUALITY_RULES);
    if (this.#own === undefined) this.#adopt(options.sources, undefined);
  }

  isWritten(shard: number): boolean {
    return this.#isLately(this.#written.get(shard));
  }

  isEnding(shard: number): boolean {
    return this.#isLately(this.#ending.get(shard));
  }

  announce({ shard, epoch }: Fence, room: RoomId, mode: 'on' | 'off'): void {
    const note: CdnNote = { epoch, rooms: [[room, mode]] };
    this.#parts.bus.publish(cdnSubject(shard), encodeJson(note));
  }

  /** What dispatch hands out to viewers of a region. */
  inRegion(region: string): readonly CdnSource[] {
    return this.#entries.flatMap((entry) => {
      const { id, url } = entry.spec;
      const weight = weightIn(entry, region);
      return weight === null ? [] : [{ id, url, weight }];
    });
  }

  /** The room as dispatch tells viewers of a region; undefined: it is on no CDN that is for them. */
  factIn(room: RoomId, region: string): CdnFact | undefined {
    if (!this.#announced.isOn(shardOf(room), room, this.#parts.clock.now())) return undefined;
    const sources = this.inRegion(region);
    if (sources.length === 0) return undefined;
    const { pollMs, segmentMs } = this;
    return { mode: 'on', pollMs, segmentMs, manifest: manifestName(room), sources };
  }

  /**
   * Stores and tells a new table; undefined: the configuration's again. Rejects with BarrageError
   * `unavailable` where the shard is not owned here, `invalid`, or the store's.
   */
  async set(specs: readonly CdnSpec[] | undefined): Promise<void> {
    const fence = this.#parts.fenceOf(CDNS_SHARD);
    if (fence === undefined) {
      throw new BarrageError('unavailable', 'the table is changing hands', { retryAfterMs: 1000 });
    }
    const repeated = specs?.find((spec, i) => specs.findIndex(({ id }) => id === spec.id) !== i);
    if (repeated !== undefined) {
      throw new BarrageError('invalid', '"cdns" must be: no id twice', {
        ...{ field: 'cdns', rule: 'no id twice' },
      });
    }
    const json = specs === undefined ? null : JSON.stringify({ specs });
    await this.#parts.store.commit(SHELF, fence, { records: new Map([[RECORD, json]]) });
    this.#adopt(specs ?? this.#options.sources, specs);
    this.#broadcast(fence);
  }

  async #load(): Promise<void> {
    const stored = await this.#parts.store.load(SHELF);
    const json = stored?.records.get(RECORD);
    const own = json === undefined ? undefined : (JSON.parse(json) as { specs: CdnSpec[] }).specs;
    this.#adopt(own ?? this.#options.sources, own);
  }

  #adopt(specs: readonly CdnSpec[], own: readonly CdnSpec[] | undefined): void {
    this.#own = own;
    this.#scores.set(specs);
    this.#show(this.#scores.entries(this.#parts.clock.now()), true);
  }

  /** The table as it is from now on; viewers hear of it when it is worth it. */
  #show(entries: readonly CdnEntry[], isAtOnce: boolean): void {
    const now = this.#parts.clock.now();
    this.#entries = entries;
    const sinceMs = isAtOnce ? Infinity : now - this.#toldAt;
    if (!isNews(this.#told, entries, sinceMs)) return;
    [this.#told, this.#toldAt] = [entries, now];
    ({ sources: this.sources, regions: this.regions } = toldOf(entries));
    this.version++;
    this.#tableVersion++;
  }

  #step(): void {
    const now = this.#parts.clock.now();
    // Lets go of rooms that are off.
    for (let shard = 0; shard < SHARD_COUNT; shard++) this.#announced.modes(shard, now);
    const fence = this.#parts.fenceOf(CDNS_SHARD);
    if (fence === undefined) return;
    if (fence.epoch !== this.#loadedEpoch) this.#reload(fence.epoch);
    this.#scores.step(now);
    this.#show(this.#scores.entries(now), false);
    this.#broadcast(fence);
  }

  /** The owner before may have stored a table it told nobody of. */
  #reload(epoch: number): void {
    this.#loadedEpoch = epoch;
    this.#load().catch((error: unknown) => {
      this.#loadedEpoch = 0;
      this.#parts.log.warn('the table of CDNs cannot be read yet', { error });
    });
  }

  #broadcast({ epoch }: Fence): void {
    if (epoch !== this.#ownEpoch) {
      this.#ownEpoch = epoch;
      this.#tableVersion = 0;
    }
    const told = new Map(this.#told.map((entry) => [entry.spec.id, entry]));
    const table: CdnTable = {
      ...{ epoch, version: this.#tableVersion, isOwn: this.isOwn },
      // Others tell their viewers the weights that were told here.
      entries: this.#entries.map((each) => ({
        ...each,
        weight: told.get(each.spec.id)?.weight ?? each.weight,
        regions: told.get(each.spec.id)?.regions ?? each.regions,
      })),
    };
    this.#parts.bus.publish(cdnTableSubject(), encodeJson(table));
  }

  /** Of whoever owns the table, unless that is this one. */
  #take(bytes: Uint8Array): void {
    if (this.#parts.fenceOf(CDNS_SHARD) !== undefined) return;
    const table = decodeTable(bytes);
    if (table === undefined) return this.#meters.notes.add('unreadable');
    const { epoch, version } = table;
    const isOld =
      epoch < this.#heard.epoch || (epoch === this.#heard.epoch && version < this.#heard.version);
    if (isOld) return this.#meters.notes.add('old');
    this.#meters.notes.add('table');
    this.#heard = { epoch, version };
    const specs = table.entries.map(({ spec }) => spec);
    this.#own = table.isOwn ? specs : undefined;
    // Should this one own the table next, it goes on with what it has learnt meanwhile.
    this.#scores.set(specs);
    this.#show(table.entries, true);
  }

  #hear(shard: number, bytes: Uint8Array): void {
    try {
      this.#announced.hear(shard, decodeCdnNote(bytes), this.#parts.clock.now());
      this.#meters.notes.add('rooms');
    } catch {
      this.#meters.notes.add('unreadable');
    }
  }

  #beat(bytes: Uint8Array): void {
    const beat = decodeBeat(bytes);
    if (beat === undefined) return this.#meters.notes.add('unreadable');
    this.#meters.notes.add('beat');
    const now = this.#parts.clock.now();
    const [into, from] =
      beat.isLast === true ? [this.#ending, this.#written] : [this.#written, this.#ending];
    for (const shard of beat.shards) {
      into.set(shard, now);
      from.delete(shard);
    }
  }

  #isLately(at: number | undefined): boolean {
    return at !== undefined && this.#parts.clock.now() - at < CDN_BEAT_FORGET_MS;
  }

  #sums(bytes: Uint8Array): void {
    const told = decodeSums(bytes);
    if (told === undefined) return this.#meters.notes.add('unreadable');
    const now = this.#parts.clock.now();
    for (const sum of told.sums) {
      const isKnown = this.#scores.hear(told.region, sum, now);
      this.#meters.notes.add(isKnown ? 'sum' : 'unknown_cdn');
    }
  }
}
