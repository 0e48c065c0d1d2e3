/**
 * Owns the list of a room's powers and hands each what is its: kinds, danmaku to judge, time,
 * presence. The order of the list is the order of judging. Knows no power's rules.
 */
import type { EdgeRules } from '../../src/room-settings.js';
import type { Fact } from '../../src/wire/internal.js';
import type { Publication } from '../../src/words.js';
import { ATTRIBUTE_PREFIX, AttributePower } from './attribute-power.js';
import { CDN_RECORD, CdnPower } from './cdn-power.js';
import type { Arrival } from '../core/types.js';
import { POLL_PREFIX } from './held-poll.js';
import { PollPower } from './poll-power.js';
import { QUEUE_PREFIX, QueuePower } from './queue-power.js';
import { Scopes } from './scopes.js';
import { TAGS_PREFIX } from './user-tags.js';
import type { Judgement, Power, PowerHost, PresenceChange, RawRecords, Settled } from './power.js';
import { screenPowers } from './screen-powers.js';
import { studioPowers } from './studio-powers.js';
import { PRESENCE_PREFIX, RoomPresence } from './presence.js';

/** The part of a room's records whose names begin with a power's prefix. */
type RecordsOf = (prefix: string) => RawRecords;

/** One line a part: its name here is how the studio's calls find it (`room.powers.all.<name>`). */
function makePowers(host: PowerHost, recordsOf: RecordsOf) {
  return {
    scopes: new Scopes(host, recordsOf(TAGS_PREFIX)),
    presence: new RoomPresence(host, recordsOf(PRESENCE_PREFIX)),
    ...studioPowers(host, recordsOf),
    ...screenPowers(host, recordsOf),
    attributes: new AttributePower(host, recordsOf(ATTRIBUTE_PREFIX)),
    queues: new QueuePower(host, recordsOf(QUEUE_PREFIX)),
    polls: new PollPower(host, recordsOf(POLL_PREFIX)),
    cdn: new CdnPower(host, recordsOf(CDN_RECORD)),
  };
}

export type AllPowers = ReturnType<typeof makePowers>;

/** The powers of one room. `records` are those the core does not know. */
export function openPowers(host: PowerHost, records: RawRecords): Powers<AllPowers> {
  return new Powers(makePowers(host, (prefix) => recordsOf(records, prefix)));
}

export class Powers<All extends Readonly<Record<keyof All, Power>>> {
  readonly all: All;
  readonly #list: readonly Power[];
  readonly #judges: readonly Power[];
  readonly #byKind = new Map<string, Power>();
  readonly #guestKinds: readonly string[];

  /** Throws for a kind that two powers claim. */
  constructor(all: All) {
    this.all = all;
    this.#list = Object.values(all);
    this.#judges = this.#list.filter((power) => power.judge !== undefined);
    this.#guestKinds = this.#list.flatMap((power) => power.guestKinds ?? []);
    for (const power of this.#list) {
      for (const kind of power.kinds ?? []) {
        if (this.#byKind.has(kind)) throw new Error(`two powers claim the kind ${kind}`);
        this.#byKind.set(kind, power);
      }
    }
  }

  /** Whether anyone judges danmaku before the core now. */
  get hasJudges(): boolean {
    return this.#judges.some((power) => power.isJudging?.() ?? true);
  }

  takes(kind: string): boolean {
    return this.#byKind.has(kind);
  }

  takesOfGuests(kind: string): boolean {
    return this.#guestKinds.includes(kind);
  }

  /** The edges' rules with the powers' kinds in them. */
  rules(rules: EdgeRules): EdgeRules {
    if (this.#byKind.size === 0) return rules;
    const powerKinds = [...this.#byKind.keys()];
    const others = powerKinds.filter((kind) => !rules.viewerKinds.includes(kind));
    const viewerKinds = [...rules.viewerKinds, ...others];
    return { ...rules, viewerKinds, powerKinds, guestKinds: this.#guestKinds };
  }

  /** The verdict of the power that takes the kind; call only when one does. */
  arrival(arrival: Arrival, now: number): Settled | Promise<Settled> {
    return this.#byKind.get(arrival.kind)?.arrival?.(arrival, now) ?? { verdict: 'forbidden' };
  }

  /**
   * What all judges together make of a danmaku, each seeing what the one before made of it. A promise
   * only when one of them needs time.
   */
  judge(arrival: Arrival, now: number): Judgement | Promise<Judgement> {
    return this.#judgeFrom(0, arrival, arrival, now);
  }

  published(publications: readonly Publication[], now: number): void {
    if (publications.length === 0) return;
    for (const power of this.#list) power.published?.(publications, now);
  }

  online(change: PresenceChange, now: number): void {
    for (const power of this.#list) power.online?.(change, now);
  }

  facts(): readonly Fact[] {
    return this.#list.flatMap((power) => power.facts?.() ?? []);
  }

  nextAt(): number {
    let next = Infinity;
    for (const power of this.#list) next = Math.min(next, power.nextAt?.() ?? Infinity);
    return next;
  }

  /** Steps the powers whose time has come. */
  step(now: number): void {
    for (const power of this.#list) {
      if ((power.nextAt?.() ?? Infinity) <= now) power.step?.(now);
    }
  }

  sweep(now: number): void {
    for (const power of this.#list) power.sweep?.(now);
  }

  get isIdle(): boolean {
    return this.#list.every((power) => power.idle?.() ?? true);
  }

  /** True while a power has something unstored; its storing has begun. */
  save(now: number): boolean {
    return this.#list.filter((power) => power.save?.(now) ?? false).length > 0;
  }

  /** Resolves when nothing of a power's own is under way in the store. */
  async ended(): Promise<void> {
    await Promise.all(this.#list.map((power) => power.ended?.()));
  }

  drop(): void {
    for (const power of this.#list) power.drop?.();
  }

  #judgeFrom(
    from: number,
    said: Arrival,
    arrival: Arrival,
    now: number,
  ): Judgement | Promise<Judgement> {
    let current = arrival;
    for (let i = from; i < this.#judges.length; i++) {
      const judged = this.#judges[i]!.judge?.(current, now);
      if (judged instanceof Promise) {
        const before = current;
        return judged.then((later) => this.#judgeOn(i + 1, said, after(before, later), now));
      }
      if (judged !== undefined && 'settled' in judged) return judged;
      current = after(current, judged) as Arrival;
    }
    return current === said ? undefined : { altered: current };
  }

  #judgeOn(
    from: number,
    said: Arrival,
    current: Arrival | { readonly settled: Settled },
    now: number,
  ): Judgement | Promise<Judgement> {
    return 'settled' in current ? current : this.#judgeFrom(from, said, current, now);
  }
}

/** The arrival the next judge sees, or the end; who said it stays. */
function after(arrival: Arrival, judged: Judgement): Arrival | { readonly settled: Settled } {
  if (judged === undefined) return arrival;
  if ('settled' in judged) return judged;
  return { ...judged.altered, ref: arrival.ref, role: arrival.role };
}

function recordsOf(records: RawRecords, prefix: string): RawRecords {
  const own = new Map<string, string>();
  for (const [name, json] of records) if (name.startsWith(prefix)) own.set(name, json);
  return own;
}
