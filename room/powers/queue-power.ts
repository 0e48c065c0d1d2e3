/**
 * Owns a room's queues at work: viewers' acts, records in the store, what viewers are told. The
 * rules of one queue are in core/queues.ts.
 */
import type { UserId } from '../../src/ids.js';
import { DATA_BYTES_MAX } from '../../src/limits.js';
import type { Fact } from '../../src/wire/internal.js';
import { QUEUE_KIND } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';
import {
  actInQueue,
  leaveQueue,
  newQueue,
  QUEUES_MAX,
  tuneQueue,
  type Queue,
  type QueueAct,
  type QueueRefusal,
  type QueueTerms,
} from '../core/queues.js';
import type { Arrival } from '../core/types.js';
import { GroupChange } from './group-change.js';
import type { Power, PowerHost, PresenceChange, RawRecords, Settled } from './power.js';
import { readRecord } from '../records.js';

export const QUEUE_PREFIX = 'queue:';
/** A queue is stored and told at most this often. */
const EVERY_MS = 200;
/** As many viewers as a room lets wait at once. */
const WAITING_MAX = 2500;
const FACT = 'queues';
/** What a list of users may take of a publication's data beside the rest of it. */
const HEAD_BYTES_MAX = DATA_BYTES_MAX - 256;

/** A queue that was deleted: its record is to go. */
type Held = Queue | undefined;
type Group = GroupChange<Held>;

const INVALID: Settled = { verdict: 'invalid' };
const COUNTED: Settled = { verdict: 'counted' };
const FORBIDDEN: Settled = { verdict: 'forbidden' };

export class QueuePower implements Power {
  readonly kinds = [QUEUE_KIND];
  readonly #host: PowerHost;
  readonly #groups = new Map<string, Group>();

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    for (const [record, json] of records) {
      const name = record.slice(QUEUE_PREFIX.length);
      this.#groups.set(name, this.#group(name, readRecord<Queue>(host.room, record, json)));
    }
  }

  /** What is durable, in order of making. */
  get queues(): (readonly [name: string, queue: Queue])[] {
    const all = [...this.#groups].map(([name, { stored }]) => [name, stored] as const);
    return all.filter((each): each is [string, Queue] => each[1] !== undefined);
  }

  /** A queue as it is, changes not stored yet included. */
  find(name: string): Queue | undefined {
    return this.#groups.get(name)?.state;
  }

  /** Makes or changes a queue; `full` when the room has as many as it may. */
  async put(name: string, terms: QueueTerms): Promise<Queue | 'full'> {
    const known = this.find(name);
    if (known === undefined && this.#count() >= QUEUES_MAX) return 'full';
    const group = this.#groups.get(name) ?? this.#group(name, undefined);
    this.#groups.set(name, group);
    const version = (group.stored?.version ?? 0) + 1;
    const next = known === undefined ? newQueue(terms, version) : tuneQueue(known, terms);
    await group.change(next);
    return next;
  }

  /** Whether there was one to delete. */
  async remove(name: string): Promise<boolean> {
    const group = this.#groups.get(name);
    if (group?.state === undefined) return false;
    await group.change(undefined);
    return true;
  }

  /** Resolves when the act is stored; undefined: there is no such queue. */
  async act(name: string, act: QueueAct, now: number): Promise<Queue | QueueRefusal | undefined> {
    const group = this.#groups.get(name);
    const queue = group?.state;
    if (group === undefined || queue === undefined) return undefined;
    const next = actInQueue(queue, act, now);
    if (typeof next === 'string') return next;
    // An act that changes nothing waits all the same: what it builds on may not be stored yet.
    await group.change(next);
    return next;
  }

  arrival(arrival: Arrival, now: number): Settled | Promise<Settled> {
    const asked = readAct(arrival);
    if (asked === undefined) return INVALID;
    const queue = this.find(asked.queue);
    if (queue === undefined) return INVALID;
    return this.act(asked.queue, asked.act, now).then((done) =>
      typeof done === 'string' || done === undefined ? FORBIDDEN : COUNTED,
    );
  }

  online({ user, isHere }: PresenceChange): void {
    if (isHere) return;
    for (const group of this.#groups.values()) {
      if (group.state?.leaveWithRoom !== true) continue;
      const next = leaveQueue(group.state, user);
      if (next !== 'not_in') group.adopt(next);
    }
  }

  facts(): readonly Fact[] {
    return this.queues.map(([name, queue]): Fact => [FACT, name, JSON.stringify(shown(queue))]);
  }

  nextAt(): number {
    let next = Infinity;
    for (const group of this.#groups.values()) next = Math.min(next, group.nextAt());
    return next;
  }

  step(now: number): void {
    for (const group of this.#groups.values()) group.step(now);
  }

  idle(): boolean {
    return [...this.#groups.values()].every((group) => group.isIdle);
  }

  save(now: number): boolean {
    return [...this.#groups.values()].filter((group) => group.save(now)).length > 0;
  }

  drop(): void {
    for (const group of this.#groups.values()) group.drop();
  }

  #count(): number {
    return [...this.#groups.values()].filter(({ state }) => state !== undefined).length;
  }

  #group(name: string, queue: Held): Group {
    const group: Group = new GroupChange<Held>(this.#host, queue, {
      everyMs: EVERY_MS,
      waitingMax: WAITING_MAX,
      names: () => [QUEUE_PREFIX + name],
      record: (state) => (state === undefined ? null : JSON.stringify(state)),
      draft: (_, after) => draftOf(name, after),
      stored: (_, after) => this.#stored(name, group, after),
    });
    return group;
  }

  #stored(name: string, group: Group, after: Held): void {
    const json = after === undefined ? null : JSON.stringify(shown(after));
    this.#host.show([[FACT, name, json]]);
    if (after === undefined && group.state === undefined) this.#groups.delete(name);
  }
}

function draftOf(name: string, queue: Held): Draft {
  const data =
    queue === undefined ? { queue: name, deleted: true } : { queue: name, ...shown(queue) };
  return { kind: QUEUE_KIND, lane: 'control', data };
}

/** A queue as viewers see it: as many of the first as fit, and how many there are. */
function shown(queue: Queue) {
  const { version, isOpen, seats, max, entries } = queue;
  const first: { id: UserId; name?: string }[] = [];
  let bytes = 0;
  for (const { id, name } of entries) {
    const entry = name === undefined ? { id } : { id, name };
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (bytes > HEAD_BYTES_MAX) break;
    first.push(entry);
  }
  return { version, open: isOpen, seats, max, count: entries.length, first };
}

/** `{queue, op}` of a viewer. */
function readAct({ data, user }: Arrival): { queue: string; act: QueueAct } | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { queue, op } = data as { queue?: unknown; op?: unknown };
  if (typeof queue !== 'string') return undefined;
  if (op === 'leave') return { queue, act: { op, user: user.id } };
  if (op !== 'join' && op !== 'grab') return undefined;
  const name = user.name === undefined ? {} : { name: user.name };
  return { queue, act: { op, user: user.id, ...name } };
}
