/**
 * Owns when a room's counters are stored: likes and runs of gifts now and then, the numbers a reloaded
 * room goes on from when it leaves memory. Losing the last few seconds of likes with a process is
 * accepted; gifts since then are counted again from the log.
 */
import type { Clock } from '../src/ports/clock.js';
import { storedCombos } from './core/combos.js';
import type { RoomState } from './core/state.js';
import { COUNTERS_RECORD, type Counters } from './records.js';
import type { RoomLog } from './room-log.js';

/** Likes and runs are stored at most this often. */
const SAVE_EVERY_MS = 5000;

export class CounterSaver {
  readonly #clock: Clock;
  #saved: Counters;
  #mark = 0;
  #savedAt: number;

  constructor(clock: Clock, saved: Counters) {
    this.#clock = clock;
    this.#saved = saved;
    this.#savedAt = clock.now();
  }

  /** When likes and runs are to be stored next (unix milliseconds); Infinity when they are. */
  dueAt({ likes, comboMark }: RoomState): number {
    const isStored = likes === this.#saved.likes && comboMark === this.#mark;
    return isStored ? Infinity : this.#savedAt + SAVE_EVERY_MS;
  }

  /** Stores the counters if any changed. Rejects as `RoomLog.change` does. */
  async save(log: RoomLog, state: RoomState, tick: number): Promise<void> {
    this.#savedAt = this.#clock.now();
    const { likes, epoch, seq, comboMark } = state;
    const combos = storedCombos(state);
    const runs = combos.length === 0 ? {} : { combos, offset: log.nextOffset - 1 };
    const counters: Counters = { likes, epoch, tick, seq, ...runs };
    if (comboMark === this.#mark && isEqual(counters, this.#saved)) return;
    await log.change((work) => work.records.set(COUNTERS_RECORD, JSON.stringify(counters)));
    this.#saved = counters;
    this.#mark = comboMark;
  }
}

function isEqual(a: Counters, b: Counters): boolean {
  return a.likes === b.likes && a.epoch === b.epoch && a.tick === b.tick && a.seq === b.seq;
}
