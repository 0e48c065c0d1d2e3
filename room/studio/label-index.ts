/**
 * Owns which rooms carry which label: read from the store once in the background, kept up by every
 * room made or changed here. Bounded; past its bound it says that it is not whole.
 */
import type { RoomId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';

/** Rooms with labels; about 200 bytes each. */
export const LABELLED_ROOMS_MAX = 200_000;
const PAGE = 200;
/** Between two pages: a start with many rooms must not hold the process. */
const PAUSE_MS = 1;

export interface LabelSource {
  list(after: string, limit: number): Promise<readonly RoomId[]>;
  /** Undefined when the room is gone. */
  labelsOf(room: RoomId): Promise<readonly string[] | undefined>;
}

export class LabelIndex {
  readonly #labels = new Map<RoomId, readonly string[]>();
  readonly #rooms = new Map<string, Set<RoomId>>();
  readonly #max: number;
  /** Rooms set while the store is read: what is read of them may be older. */
  #fresh: Set<RoomId> | undefined = new Set();
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

  /** Whether the store has been read through. */
  get isRead(): boolean {
    return this.#fresh === undefined;
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

  /** Reads the store through. Rejects with the store's error; then it may be called again. */
  async read(source: LabelSource, clock: Clock): Promise<void> {
    for (let after = ''; ;) {
      const rooms = await source.list(after, PAGE);
      for (const room of rooms) {
        if (this.#isStopped) return;
        const labels = await source.labelsOf(room);
        if (labels !== undefined && this.#fresh?.has(room) !== true) this.#put(room, labels);
      }
      const last = rooms.at(-1);
      if (last === undefined || rooms.length < PAGE) break;
      after = last;
      await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve));
    }
    this.#fresh = undefined;
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
