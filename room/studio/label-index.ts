/**
 * Owns which rooms of the shards owned here carry which label: read from the store in the background
 * when a shard is taken, kept up by every room made or changed here. Others relabel only rooms of
 * other shards. Bounded; past its bound it says that it is not whole.
 */
import type { RoomId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';

/** Rooms with labels; about 200 bytes each. */
export const LABELLED_ROOMS_MAX = 200_000;
const PAGE = 200;
/** Between two pages: a start with many rooms must not hold the process. */
const PAUSE_MS = 1;

/** The epoch under which a shard is owned here; undefined when it is not. */
export type EpochOf = (shard: number) => number | undefined;

export interface LabelSource {
  readonly epochOf: EpochOf;
  list(after: string, limit: number): Promise<readonly RoomId[]>;
  /** Undefined when the room is gone. */
  labelsOf(room: RoomId): Promise<readonly string[] | undefined>;
}

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);

export class LabelIndex {
  readonly #labels = new Map<RoomId, readonly string[]>();
  readonly #rooms = new Map<string, Set<RoomId>>();
  readonly #max: number;
  /** Epochs under which shards were read through. */
  readonly #read = new Map<number, number>();
  /** Rooms set while the store is read: what is read of them may be older. */
  #fresh: Set<RoomId> | undefined;
  #isWhole = true;
  #isStopped = false;

  constructor(max = LABELLED_ROOMS_MAX) {
    this.#max = max;
  }

  /** Whether every labelled room is in it, as far as has been read. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Shards owned now that have not been read through since they were taken. */
  unread(epochOf: EpochOf): number[] {
    return ALL_SHARDS.filter((shard) => {
      const epoch = epochOf(shard);
      return epoch !== undefined && this.#read.get(shard) !== epoch;
    });
  }

  /** Lets go of rooms of shards that are owned no more. */
  forget(epochOf: EpochOf): void {
    const lost = [...this.#read.keys()].filter((shard) => epochOf(shard) === undefined);
    if (lost.length === 0) return;
    for (const room of this.#labels.keys()) if (lost.includes(shardOf(room))) this.#put(room, []);
    for (const shard of lost) this.#read.delete(shard);
    this.#isWhole ||= this.#labels.size === 0;
  }

  /** Rooms with the label, in order of id. */
  of(label: string): readonly RoomId[] {
    return [...(this.#rooms.get(label) ?? [])].sort();
  }

  /** A room was made, loaded or changed here. */
  set(room: RoomId, labels: readonly string[]): void {
    this.#fresh?.add(room);
    this.#put(room, labels);
  }

  /**
   * Reads the rooms of all unread shards. Rejects with the store's error; then it may be called
   * again. Not to be called while it runs.
   */
  async read(source: LabelSource, clock: Clock): Promise<void> {
    const epochs = this.unread(source.epochOf).map((shard) => [shard, source.epochOf(shard)!]);
    const wanted = new Map(epochs as [number, number][]);
    this.#fresh = new Set();
    for (let after = ''; ;) {
      const rooms = await source.list(after, PAGE);
      for (const room of rooms) {
        if (this.#isStopped) return;
        if (!wanted.has(shardOf(room))) continue;
        const labels = await source.labelsOf(room);
        if (labels !== undefined && !this.#fresh.has(room)) this.#put(room, labels);
      }
      const last = rooms.at(-1);
      if (last === undefined || rooms.length < PAGE) break;
      after = last;
      await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve));
    }
    this.#fresh = undefined;
    for (const [shard, epoch] of wanted) this.#read.set(shard, epoch);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #put(room: RoomId, labels: readonly string[]): void {
    for (const label of this.#labels.get(room) ?? []) {
      const rooms = this.#rooms.get(label);
      if (rooms?.delete(room) && rooms.size === 0) this.#rooms.delete(label);
    }
    this.#labels.delete(room);
    if (labels.length === 0) return;
    if (this.#labels.size >= this.#max) {
      this.#isWhole = false;
      return;
    }
    this.#labels.set(room, labels);
    for (const label of labels) {
      const rooms = this.#rooms.get(label);
      if (rooms === undefined) this.#rooms.set(label, new Set([room]));
      else rooms.add(room);
    }
  }
}
