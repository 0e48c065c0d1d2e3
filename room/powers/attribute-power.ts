/**
 * Owns a room's attributes at work: their records in the store, what viewers are told of a change,
 * and their ends. The rules are in core/attributes.ts.
 */
import type { RoomId } from '../../src/ids.js';
import { DATA_BYTES_MAX } from '../../src/limits.js';
import type { Fact, FactChange } from '../../src/wire/internal.js';
import { ATTRIBUTES_KIND } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';
import {
  changeAttributes,
  expireAttributes,
  isAttributeFlaw,
  nextEnd,
  NO_ATTRIBUTES,
  ownerLeft,
  type Attribute,
  type AttributeChange,
  type AttributeFlaw,
  type Attributes,
} from '../core/attributes.js';
import { GroupChange } from './group-change.js';
import type { Power, PowerHost, PresenceChange, RawRecords } from './power.js';
import { readRecord } from '../records.js';

export const ATTRIBUTE_PREFIX = 'attribute:';
/** Versions and deletions; no key is empty. */
const BOOK_RECORD = ATTRIBUTE_PREFIX;
const EVERY_MS = 50;
const WAITING_MAX = 1000;

/** What the record of the whole holds; each attribute has a record of its own. */
interface Book {
  readonly version: number;
  readonly gone: readonly (readonly [key: string, version: number])[];
  readonly forgotten: number;
}

export class AttributePower implements Power {
  readonly #group: GroupChange<Attributes>;

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords) {
    this.#group = new GroupChange(host, attributesOf(host.room, records), {
      everyMs: EVERY_MS,
      waitingMax: WAITING_MAX,
      names: namesOf,
      record: recordOf,
      draft: draftOf,
      stored: (before, after) => host.show(factChanges(before, after)),
    });
  }

  /** What is durable. */
  get attributes(): Attributes {
    return this.#group.stored;
  }

  /** The version of the change once it is stored, or why it is refused. */
  async change(change: AttributeChange, now: number): Promise<number | AttributeFlaw> {
    const next = changeAttributes(this.#group.state, change, now);
    if (isAttributeFlaw(next)) return next;
    await this.#group.change(next);
    return next.version;
  }

  online({ user, isHere }: PresenceChange): void {
    if (!isHere) this.#group.adopt(ownerLeft(this.#group.state, user));
  }

  facts(): readonly Fact[] {
    const { version, entries } = this.attributes;
    if (version === 0) return [];
    const all = [...entries].map(([key, { json }]): Fact => [ATTRIBUTES_KIND, key, json]);
    return [...all, versionFact(version)];
  }

  nextAt(): number {
    return Math.min(this.#group.nextAt(), nextEnd(this.#group.state));
  }

  step(now: number): void {
    this.#group.adopt(expireAttributes(this.#group.state, now));
    this.#group.step(now);
  }

  idle(): boolean {
    return this.#group.isIdle;
  }

  save(now: number): boolean {
    return this.#group.save(now);
  }

  drop(): void {
    this.#group.drop();
  }
}

/** Changed since the state before: one publication for all changes of a commit. */
function draftOf(before: Attributes, after: Attributes): Draft {
  const set = changed(before, after).map(([key, { json }]) => [key, JSON.parse(json) as unknown]);
  const head = { from: before.version, version: after.version };
  const whole = { ...head, set: Object.fromEntries(set) as unknown, deleted: lost(before, after) };
  const isSmall = Buffer.byteLength(JSON.stringify(whole)) <= DATA_BYTES_MAX;
  const data = isSmall ? whole : { ...head, resync: true };
  return { kind: ATTRIBUTES_KIND, lane: 'control', data };
}

function factChanges(before: Attributes, after: Attributes): FactChange[] {
  return [
    ...changed(before, after).map(([key, { json }]): FactChange => [ATTRIBUTES_KIND, key, json]),
    ...lost(before, after).map((key): FactChange => [ATTRIBUTES_KIND, key, null]),
    versionFact(after.version),
  ];
}

function versionFact(version: number): Fact {
  return ['attributesVersion', null, String(version)];
}

function changed(before: Attributes, after: Attributes): [string, Attribute][] {
  return [...after.entries].filter(([, { version }]) => version > before.version);
}

function lost(before: Attributes, after: Attributes): string[] {
  return [...before.entries.keys()].filter((key) => !after.entries.has(key));
}

function namesOf(before: Attributes, after: Attributes): string[] {
  const keys = [...changed(before, after).map(([key]) => key), ...lost(before, after)];
  return [BOOK_RECORD, ...keys.map((key) => ATTRIBUTE_PREFIX + key)];
}

function recordOf(state: Attributes, name: string): string | null {
  if (name === BOOK_RECORD) {
    const { version, gone, forgotten } = state;
    return JSON.stringify({ version, gone: [...gone], forgotten } satisfies Book);
  }
  const entry = state.entries.get(name.slice(ATTRIBUTE_PREFIX.length));
  return entry === undefined ? null : JSON.stringify(entry);
}

function attributesOf(room: RoomId, records: RawRecords): Attributes {
  const entries: [string, Attribute][] = [];
  let book: Book = { version: 0, gone: [], forgotten: 0 };
  for (const [name, json] of records) {
    if (name === BOOK_RECORD) book = readRecord<Book>(room, name, json);
    else
      entries.push([name.slice(ATTRIBUTE_PREFIX.length), readRecord<Attribute>(room, name, json)]);
  }
  entries.sort(([, a], [, b]) => a.version - b.version);
  const bytes = entries.reduce(
    (sum, [key, { json }]) => sum + key.length + Buffer.byteLength(json),
    0,
  );
  const { version, gone, forgotten } = book;
  return {
    ...NO_ATTRIBUTES,
    version,
    forgotten,
    bytes,
    gone: new Map(gone),
    entries: new Map(entries),
  };
}
