/**
 * Owns what is heard and by whom, across connections: one subscription a subject however many
 * subscribe, told anew to each server. Knows nothing of publishing.
 */
import type { Cancel } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { NatsWire, WireSubscription } from './nats-bus-wire.js';
import type { Inbound, Receiver } from './nats-inbound.js';
import type { NatsMeters } from './nats-meters.js';

export type Deliver = (bytes: Uint8Array) => void;

interface Subscription extends Receiver {
  readonly subject: string;
  readonly isServer: boolean;
  wired: WireSubscription | undefined;
}

interface Subscriber {
  readonly deliver: Deliver;
  cancelled: boolean;
}

interface Group {
  readonly own: Cancel;
  /** In the order in which they subscribed; replaced, never changed. */
  all: readonly Subscriber[];
}

export interface SubscriptionParts {
  readonly inbound: Inbound;
  readonly meters: NatsMeters;
  readonly log: Log;
  /** Hears of a subscriber that threw. */
  readonly fault: (error: unknown) => void;
  /** A request arrived that cannot be taken. */
  readonly refuse: (reply: string) => void;
}

export class NatsSubscriptions {
  readonly #parts: SubscriptionParts;
  readonly #all = new Set<Subscription>();
  readonly #groups = new Map<string, Group>();
  #wire: NatsWire | undefined;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  subscribe(subject: string, deliver: Deliver): Cancel {
    const group = this.#groups.get(subject) ?? this.#group(subject);
    const own: Subscriber = { deliver, cancelled: false };
    group.all = [...group.all, own];
    return {
      cancel: () => {
        if (own.cancelled) return;
        own.cancelled = true;
        group.all = group.all.filter((each) => each !== own);
        if (group.all.length > 0) return;
        this.#groups.delete(subject);
        group.own.cancel();
      },
    };
  }

  /** Hears a subject for itself; `isServer`: answers requests. */
  listen(subject: string, isServer: boolean, deliver: Receiver['deliver']): Cancel {
    const own: Subscription = {
      ...{ subject, isServer, deliver, wired: undefined },
      ...{ cancelled: false, waitingItems: 0, waitingBytes: 0 },
    };
    this.#all.add(own);
    this.#connect(own);
    return {
      cancel: () => {
        own.cancelled = true;
        this.#all.delete(own);
        own.wired?.cancel();
      },
    };
  }

  /** Tells a new connection of everything. */
  attach(wire: NatsWire): void {
    this.#wire = wire;
    for (const own of this.#all) this.#connect(own);
  }

  /** The connection is gone. */
  detach(): void {
    this.#wire = undefined;
    for (const own of this.#all) own.wired = undefined;
  }

  /** Resolves when all that the server sent has arrived and it sends no more. */
  async drain(): Promise<void> {
    await Promise.all([...this.#all].map(({ wired }) => wired?.drain()));
  }

  #group(subject: string): Group {
    const own = this.listen(subject, false, (bytes) => {
      for (const each of group.all) if (!each.cancelled) this.#deliver(each, bytes);
    });
    const group: Group = { own, all: [] };
    this.#groups.set(subject, group);
    return group;
  }

  #deliver(to: Subscriber, bytes: Uint8Array): void {
    try {
      to.deliver(bytes);
    } catch (error) {
      this.#parts.fault(error);
    }
  }

  #connect(own: Subscription): void {
    const { subject, isServer } = own;
    const { log } = this.#parts;
    try {
      own.wired = this.#wire?.listen(subject, isServer, {
        heard: (bytes, reply) => this.#arrived(own, bytes, reply),
        refused: (error) => log.error('NATS refuses a subscription', { subject, error }),
      });
    } catch (error) {
      // The connection is over; the next one is told of the subscription.
      log.debug('a subscription waits for a connection', { subject, error });
    }
  }

  #arrived(own: Subscription, bytes: Uint8Array, reply: string): void {
    const { inbound, meters, refuse } = this.#parts;
    meters.arrivedBytes.add(bytes.byteLength);
    const isTaken = inbound.push(own, bytes, reply);
    meters.arrivals.add(isTaken ? 'taken' : 'dropped');
    if (!isTaken && reply !== '') refuse(reply);
  }
}
