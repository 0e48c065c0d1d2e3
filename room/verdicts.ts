/**
 * Owns the way of verdicts back to the edges: gathered per edge for a moment, so that a batch of
 * danmaku is answered by a batch. Bounded: a full batch leaves at once.
 */
import type { EdgeId } from '../src/ids.js';
import { UPLINK_BATCH_ITEMS_MAX } from '../src/limits.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { verdictSubject } from '../src/subjects.js';
import { encodeVerdicts, type VerdictItem } from '../src/wire/internal.js';
import type { RoomMeters } from './meters.js';

const GATHER_MS = 2;

export class Verdicts {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #meters: RoomMeters;
  readonly #waiting = new Map<string, VerdictItem[]>();
  #timer: Cancel | undefined;

  constructor(bus: Bus, clock: Clock, meters: RoomMeters) {
    this.#bus = bus;
    this.#clock = clock;
    this.#meters = meters;
  }

  add(edge: string, item: VerdictItem): void {
    let items = this.#waiting.get(edge);
    if (items === undefined) this.#waiting.set(edge, (items = []));
    items.push(item);
    if (items.length >= UPLINK_BATCH_ITEMS_MAX) {
      this.#waiting.delete(edge);
      this.#send(edge, items);
    }
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.flush());
  }

  /** Sends all that waits. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [edge, items] of waiting) this.#send(edge, items);
  }

  #send(edge: string, items: readonly VerdictItem[]): void {
    this.#meters.verdictBatches.add();
    const answer = this.#bus.publish(verdictSubject(edge as EdgeId), encodeVerdicts({ items }));
    if (answer !== 'sent') this.#meters.busLosses.add(answer);
  }
}
