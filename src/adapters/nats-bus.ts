/**
 * Owns the bus of a cluster, over core NATS: what is subscribed and served outlives connections, and
 * all that waits is bounded. Adapter of src/ports/bus.ts; docs/adr/0016-nats-bus.md has the reasons.
 */
import { BarrageError, asBarrageError } from '../errors.js';
import type { Bus, BusAnswer } from '../ports/bus.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { systemRandom, type Random } from '../random.js';
import type { Meter } from '../telemetry/meter.js';
import { checkAccess, type NatsWire } from './nats-bus-wire.js';
import { Inbound } from './nats-inbound.js';
import { NatsLink } from './nats-link.js';
import { natsMeters, type NatsMeters, type RequestEnd } from './nats-meters.js';
import { Account, Pending } from './nats-pending.js';
import { NatsServing, type Answer } from './nats-serving.js';
import type { NatsBusOptions } from '../nats-settings.js';
import { NatsSubscriptions } from './nats-subscriptions.js';

const RETRY_MS = 1000;
/** Longest time that ending waits for a server or an answer. */
const DRAIN_MS = 2000;

export interface NatsBusParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly random?: Random;
  /** Hears of a subscriber that threw; logged where it is not given. */
  readonly fault?: (error: unknown) => void;
}

/**
 * Tries every server once and resolves, connected or not: `isUp` tells, and trying goes on for ever.
 * Rejects with BarrageError `config` for settings or credentials that cannot work.
 */
export async function openNatsBus(options: NatsBusOptions, parts: NatsBusParts): Promise<NatsBus> {
  checkAccess(options);
  const bus = new NatsBus(options, parts);
  await bus.start();
  return bus;
}

export class NatsBus implements Bus {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #meters: NatsMeters;
  readonly #pending: Pending;
  readonly #inbound: Inbound;
  readonly #requests: Account;
  readonly #serving: NatsServing;
  readonly #link: NatsLink;
  readonly #subscriptions: NatsSubscriptions;
  readonly #served = new Set<string>();
  readonly #listeners = new Set<(isUp: boolean) => void>();
  /** Set between `up` and `down` of the link. */
  #wire: NatsWire | undefined;
  #requestsEnded: (() => void)[] = [];
  #draining = false;
  #drained: Promise<void> | undefined;

  /** `openNatsBus` makes it. Throws BarrageError `config`. */
  constructor(options: NatsBusOptions, parts: NatsBusParts) {
    const { clock, log, meter, random = systemRandom() } = parts;
    const bounds = { items: options.pendingItemsMax, bytes: options.pendingBytesMax };
    this.#clock = clock;
    this.#log = log;
    const fault = parts.fault ?? ((error) => log.error('a subscriber failed', { error }));
    this.#pending = new Pending(bounds, () => clock.now());
    this.#inbound = new Inbound(
      { items: options.inboundItemsMax, bytes: options.inboundBytesMax },
      fault,
    );
    this.#requests = new Account(bounds);
    const { publishes, requests, answers } = this.#pending;
    this.#meters = natsMeters(meter, {
      isUp: () => this.isUp(),
      pending: () => [publishes, requests, answers],
      inbound: () => this.#inbound,
    });
    const meters = this.#meters;
    this.#serving = new NatsServing(bounds, {
      pending: this.#pending,
      meters,
      wire: () => this.#wire,
    });
    this.#subscriptions = new NatsSubscriptions({
      ...{ inbound: this.#inbound, meters, log, fault },
      refuse: (reply) => this.#serving.refuse(reply),
    });
    this.#link = new NatsLink(
      options,
      { clock, log, random, meters, pending: this.#pending },
      {
        prepare: (wire) => this.#prepare(wire),
        up: (wire) => this.#up(wire),
        down: () => this.#down(),
      },
    );
  }

  /** Rejects with BarrageError `config`. */
  start(): Promise<void> {
    return this.#link.start();
  }

  /** The server connected to, `host:port`. */
  get server(): string | undefined {
    return this.#wire?.server;
  }

  publish(subject: string, bytes: Uint8Array): BusAnswer {
    const wire = this.#wire;
    if (wire === undefined || this.#draining) return this.#count('down');
    if (bytes.byteLength > wire.maxPayload) {
      this.#meters.publishes.add('too_large');
      return 'full';
    }
    if (!this.#pending.publishes.take(bytes.byteLength)) return this.#count('full');
    try {
      wire.publish(subject, bytes);
    } catch {
      this.#pending.publishes.give(bytes.byteLength);
      return this.#count('down');
    }
    this.#meters.publishedBytes.add(bytes.byteLength);
    this.#pending.nudge();
    return this.#count('sent');
  }

  subscribe(subject: string, deliver: (bytes: Uint8Array) => void): Cancel {
    if (this.#draining) return { cancel: () => undefined };
    return this.#subscriptions.subscribe(subject, deliver);
  }

  async request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    try {
      const answer = await this.#request(subject, bytes, timeoutMs);
      this.#meters.requests.add('answered');
      return answer;
    } catch (error) {
      const known = asBarrageError(error);
      this.#meters.requests.add(known.code as RequestEnd);
      throw known;
    }
  }

  serve(subject: string, answer: Answer): Cancel {
    if (this.#served.has(subject)) {
      throw new BarrageError('conflict', `${subject} is served already`);
    }
    this.#served.add(subject);
    const listening = this.#subscriptions.listen(subject, true, (bytes, reply) => {
      void this.#serving.take(answer, bytes, reply);
    });
    let ended = false;
    return {
      cancel: () => {
        if (ended) return;
        ended = true;
        this.#served.delete(subject);
        listening.cancel();
      },
    };
  }

  isUp(): boolean {
    return this.#wire !== undefined && !this.#draining;
  }

  onChange(changed: (isUp: boolean) => void): Cancel {
    const own = (isUp: boolean) => changed(isUp);
    this.#listeners.add(own);
    return { cancel: () => this.#listeners.delete(own) };
  }

  /** At most 2 s: what a server that is gone or a request without answer still holds is given up. */
  drain(): Promise<void> {
    if (this.#drained === undefined) {
      const wasUp = this.isUp();
      this.#draining = true;
      if (wasUp) this.#tell(false);
      this.#drained = this.#drain(this.#wire);
    }
    return this.#drained;
  }

  async #drain(wire: NatsWire | undefined): Promise<void> {
    if (wire !== undefined) {
      const late = deadline(this.#clock, DRAIN_MS);
      await Promise.race([this.#finish(), wire.closed, late.passed]);
      late.cancel();
    }
    await this.#link.stop();
  }

  /** Nothing new is heard; what was heard is delivered; what was asked is answered; all is sent. */
  async #finish(): Promise<void> {
    await this.#subscriptions.drain();
    await this.#inbound.idle();
    await this.#serving.idle();
    if (this.#requests.items > 0) {
      await new Promise<void>((resolve) => this.#requestsEnded.push(resolve));
    }
    await this.#pending.settle();
  }

  async #request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const wire = this.#draining ? undefined : this.#wire;
    const length = bytes.byteLength;
    if (wire === undefined) throw refusal('bus_down', 'the bus is not connected');
    if (length > wire.maxPayload) {
      const rule = `at most ${wire.maxPayload} bytes`;
      throw new BarrageError('too_large', `the bus takes ${rule} at once`, { rule });
    }
    if (!this.#requests.take(length)) throw refusal('bus_full', 'too many requests wait');
    try {
      if (!this.#pending.requests.take(length)) throw refusal('bus_full', 'requests are held up');
      const answer = wire.request(subject, bytes, timeoutMs);
      this.#pending.nudge();
      return await answer;
    } finally {
      this.#requests.give(length);
      if (this.#requests.items === 0) for (const end of this.#requestsEnded.splice(0)) end();
    }
  }

  async #prepare(wire: NatsWire): Promise<void> {
    this.#subscriptions.attach(wire);
    await wire.ping();
  }

  #up(wire: NatsWire): void {
    this.#wire = wire;
    if (!this.#draining) this.#tell(true);
  }

  #down(): void {
    this.#subscriptions.detach();
    if (this.#wire === undefined) return;
    this.#wire = undefined;
    if (!this.#draining) this.#tell(false);
  }

  #tell(isUp: boolean): void {
    for (const changed of this.#listeners) {
      try {
        changed(isUp);
      } catch (error) {
        this.#log.error('a listener of the bus failed', { error });
      }
    }
  }

  #count(answer: BusAnswer): BusAnswer {
    this.#meters.publishes.add(answer);
    return answer;
  }
}

function refusal(code: 'bus_down' | 'bus_full', why: string): BarrageError {
  return new BarrageError(code, why, { retryAfterMs: RETRY_MS });
}

function deadline(clock: Clock, ms: number): Cancel & { readonly passed: Promise<void> } {
  let timer: Cancel | undefined;
  const passed = new Promise<void>((resolve) => (timer = clock.after(ms, resolve)));
  return { passed, cancel: () => timer?.cancel() };
}
