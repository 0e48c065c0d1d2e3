/**
 * Owns when rooms step: one timer for all of them, armed for the earliest. A room with nothing to do
 * is not in it and costs nothing; a late loop steps each room once, not once for each missed tick.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Histogram } from '../src/telemetry/meter.js';

export interface Steppable {
  /** Does what is due; schedules itself anew when more will be. */
  step(now: number): void;
}

interface Entry {
  readonly at: number;
  readonly item: Steppable;
}

/** Rooms stepped before others in the process get a turn. */
const STEPS_PER_TURN = 256;

export class TickLoop {
  readonly #clock: Clock;
  readonly #late: Histogram;
  readonly #fault: (error: unknown) => void;
  /** Binary heap by time; an entry that is not its item's newest is passed over. */
  readonly #heap: Entry[] = [];
  readonly #newest = new Map<Steppable, Entry>();
  #timer: Cancel | undefined;
  #armedFor = Infinity;
  #stepping = false;

  constructor(clock: Clock, late: Histogram, fault: (error: unknown) => void) {
    this.#clock = clock;
    this.#late = late;
    this.#fault = fault;
  }

  /** Steps the item at `at` (unix milliseconds) unless it is due earlier already. */
  schedule(item: Steppable, at: number): void {
    const waiting = this.#newest.get(item);
    if (waiting !== undefined && waiting.at <= at) return;
    const entry = { at, item };
    this.#newest.set(item, entry);
    push(this.#heap, entry);
    if (!this.#stepping) this.#arm();
  }

  forget(item: Steppable): void {
    this.#newest.delete(item);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#newest.clear();
    this.#heap.length = 0;
  }

  #arm(): void {
    const next = this.#heap[0];
    if (next === undefined || next.at >= this.#armedFor) return;
    this.#timer?.cancel();
    this.#armedFor = next.at;
    const waitMs = Math.max(0, Math.ceil(next.at - this.#clock.now()));
    this.#timer = this.#clock.after(waitMs, () => this.#run());
  }

  #run(): void {
    this.#armedFor = Infinity;
    this.#stepping = true;
    const now = this.#clock.now();
    for (let steps = 0; steps < STEPS_PER_TURN;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > now) break;
      pop(this.#heap);
      if (this.#newest.get(first.item) !== first) continue;
      this.#newest.delete(first.item);
      this.#late.observe(Math.max(0, now - first.at) / 1000);
      this.#step(first.item, now);
      steps++;
    }
    this.#stepping = false;
    this.#arm();
  }

  #step(item: Steppable, now: number): void {
    try {
      item.step(now);
    } catch (error) {
      this.#fault(error);
    }
  }
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    if (heap[up]!.at <= entry.at) break;
    heap[at] = heap[up]!;
    at = up;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    if (down >= heap.length) break;
    if (down + 1 < heap.length && heap[down + 1]!.at < heap[down]!.at) down++;
    if (heap[down]!.at >= last.at) break;
    heap[at] = heap[down]!;
    at = down;
  }
  heap[at] = last;
}
