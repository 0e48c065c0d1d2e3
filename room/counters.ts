/**
 * Owns when a room's counters are stored: likes now and then, the numbers a reloaded room goes on
 * from when it leaves memory. Losing the last few seconds of likes with a process is accepted.
 */
import type { Clock } from '../src/ports/clock.js';
import { COUNTERS_RECORD, type Counters } from './records.js';
import type { RoomLog } from './room-log.js';

/** The like count is stored at most this often. */
const SAVE_EVERY_MS = 5000;

export class CounterSaver {
  readonly #clock: Clock;
  #saved: Counters;
  #savedAt: number;

  constructor(clock: Clock, saved: Counters) {
    this.#clock = clock;
    this.#saved = saved;
    this.#savedAt = clock.now();
  }

  /** When the likes are to be stored next (unix milliseconds); Infinity when they are. */
  dueAt(likes: number): number {
    return likes === this.#saved.likes ? Infinity : this.#savedAt + SAVE_EVERY_MS;
  }

  /** Stores the counters if any changed. Rejects as `RoomLog.change` does. */
  async save(log: RoomLog, counters: Counters): Promise<void> {
    this.#savedAt = this.#clock.now();
    if (isEqual(counters, this.#saved)) return;
    await log.change((work) => work.records.set(COUNTERS_RECORD, JSON.stringify(counters)));
    this.#saved = counters;
  }
}

function isEqual(a: Counters, b: Counters): boolean {
  return a.likes === b.likes && a.epoch === b.epoch && a.tick === b.tick && a.seq === b.seq;
}
