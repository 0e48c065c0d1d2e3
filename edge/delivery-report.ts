/**
 * Owns the numbers of how far publications meant for some have got at this edge, and telling them to
 * the rooms' owners. Bounded; the oldest publications are let go of. Rule: SPEC R-ACK-4.
 */
import type { EdgeId, RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import { shardOf } from '../src/shards.js';
import { deliverySubject, everyoneDeliverySubject } from '../src/subjects.js';
import {
  DELIVERY_ITEMS_MAX,
  encodeJson,
  type DeliveryCount,
  type DeliveryReport,
} from '../src/wire/internal.js';

const PUBLICATIONS_MAX = 10_000;

/** The room of what is for users wherever they are. */
export const NO_ROOM = '' as const;
export type RoomOrNone = RoomId | typeof NO_ROOM;

interface Counted {
  readonly room: RoomOrNone;
  readonly id: string;
  readonly counts: { -readonly [K in keyof DeliveryCount]: number };
}

export class DeliveryReports {
  readonly #edge: EdgeId;
  readonly #bus: Bus;
  readonly #counted = new Map<string, Counted>();
  readonly #changed = new Set<Counted>();

  constructor(edge: EdgeId, bus: Bus) {
    this.#edge = edge;
    this.#bus = bus;
  }

  add(room: RoomOrNone, id: string, what: keyof DeliveryCount): void {
    const key = `${room} ${id}`;
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      counted = { room, id, counts: { delivered: 0, acked: 0, resent: 0, givenUp: 0 } };
      this.#counted.set(key, counted);
      this.#bound();
    }
    counted.counts[what]++;
    this.#changed.add(counted);
  }

  /** Tells what changed, up to the bound of a report a shard; the rest the next time. */
  flush(): void {
    const reports = new Map<string, Counted[]>();
    for (const counted of this.#changed) {
      const { room } = counted;
      const subject = room === NO_ROOM ? everyoneDeliverySubject() : deliverySubject(shardOf(room));
      const items = reports.get(subject) ?? [];
      reports.set(subject, items);
      if (items.length >= DELIVERY_ITEMS_MAX) continue;
      items.push(counted);
      this.#changed.delete(counted);
    }
    for (const [subject, items] of reports) {
      const report: DeliveryReport = {
        edge: this.#edge,
        items: items.map(({ room, id, counts }) => [room, id, counts]),
      };
      if (this.#bus.publish(subject, encodeJson(report)) === 'sent') continue;
      for (const counted of items) this.#changed.add(counted);
    }
  }

  #bound(): void {
    if (this.#counted.size <= PUBLICATIONS_MAX) return;
    const [key, oldest] = this.#counted.entries().next().value!;
    this.#counted.delete(key);
    this.#changed.delete(oldest);
  }
}
