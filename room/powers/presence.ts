/**
 * Owns presence as one of a room's powers: gives the core what edges report, tells the other powers
 * who came and went, and keeps on record who was told as present and how many different users came.
 * Rules: SPEC R-PRES-1 to R-PRES-9.
 */
import { BarrageError } from '../../src/errors.js';
import { parseUserId, type UserId } from '../../src/ids.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { PRESENCE_DIGEST_MS, type Kept, type PresentUser } from '../../src/wire/presence.js';
import type { Speaker } from '../../src/words.js';
import type { MemberAnswer, MembersPage, MemberView, PresenceStats } from '../calls/presence.js';
import {
  agrees,
  dropEdge,
  memberPage,
  openPresence,
  presenceDueAt,
  stepPresence,
  takeChanges,
  takeCount,
  takeList,
  takePresenceEvents,
  takeSketch,
  usersOf,
  type Member,
  type PresenceState,
  type PresenceTerms,
} from '../core/presence.js';
import type { Power, PowerHost, RawRecords } from './power.js';

export const PRESENCE_PREFIX = 'presence:';
const UNIQUE_RECORD = `${PRESENCE_PREFIX}unique`;
const USER_PREFIX = `${PRESENCE_PREFIX}user:`;

/** Records are written at most once in this time. */
const STORE_EVERY_MS = 5000;
/** Users whose records change in one write, and the pause when there are more. */
const STORE_USERS_MAX = 1000;
const STORE_PAUSE_MS = 200;
/** Who was present under an owner before goes unless edges report it in this time: one digest more. */
const RESUME_MS = PRESENCE_DIGEST_MS + 2000;

export class RoomPresence implements Power {
  readonly #host: PowerHost;
  readonly #state: PresenceState;
  readonly #uniqueSince: number;
  /** Users on record as present, and since when. */
  readonly #stored: Map<UserId, number>;
  /** Users whose record may have to change. */
  readonly #unstored = new Set<UserId>();
  #storedSketch: string;
  #isSketchNew = false;
  #isStoring = false;
  #storeAt = -Infinity;
  /** Told when a list is kept from now on, or none. */
  keptChanged: ((kept: Kept) => void) | undefined;

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    const now = host.clock.now();
    const { unique, sketch, since, members } = decode(records);
    this.#storedSketch = sketch;
    this.#uniqueSince = since ?? Math.floor(now);
    this.#stored = new Map(members);
    this.#state = openPresence({ unique, members, until: now + RESUME_MS });
  }

  /** What edges should tell of the room. */
  get kept(): Kept {
    return this.#state.kept;
  }

  get users(): number {
    return usersOf(this.#state);
  }

  /** False: the edge is to be told what is kept. */
  changed(edge: string, users: readonly PresentUser[]): boolean {
    return this.#take(() => takeChanges(this.#state, edge, users, this.#terms()));
  }

  /** How many users of the edge were not as known. */
  listed(edge: string, users: readonly PresentUser[]): number {
    return this.#take(() => takeList(this.#state, edge, users, this.#terms()));
  }

  /** False: the edge is to be told what is kept. Throws BarrageError `invalid` for a broken sketch. */
  counted(edge: string, users: number, sketch: string | undefined): boolean {
    if (sketch !== undefined) takeSketch(this.#state, Buffer.from(sketch, 'base64'));
    return this.#take(() => takeCount(this.#state, edge, users, this.#terms()));
  }

  /** False: the edge is to be asked for all it has. */
  agrees(edge: string, users: number, digest: string): boolean {
    return this.#take(() => agrees(this.#state, edge, [users, digest], this.#terms()));
  }

  /** The edge has nobody here; how many it had. */
  dropped(edge: string): number {
    return this.#take(() => dropEdge(this.#state, edge, this.#terms()));
  }

  nextAt(): number {
    const due = presenceDueAt(this.#state, this.#terms());
    return this.#isStoring || !this.#isUnstored ? due : Math.min(due, this.#storeAt);
  }

  step(now: number): void {
    stepPresence(this.#state, this.#terms());
    this.#tell();
    if (now >= this.#storeAt) this.#store(STORE_USERS_MAX);
  }

  idle(): boolean {
    return (
      this.#state.members.size === 0 && this.users === 0 && !this.#isStoring && !this.#isUnstored
    );
  }

  save(): boolean {
    this.#store(Infinity);
    return this.#isStoring || this.#isUnstored;
  }

  members(after: string, limit: number): MembersPage {
    this.#checkListed();
    const page = memberPage(this.#state, after, limit + 1);
    const members = page.slice(0, limit).map(viewOf);
    const last = members.at(-1)?.user;
    const shown = { members, users: this.users };
    return page.length > limit && last !== undefined ? { ...shown, next: last } : shown;
  }

  member(user: UserId): MemberAnswer {
    this.#checkListed();
    const member = this.#state.members.get(user);
    if (member === undefined) return { present: false, user, connections: 0 };
    return { present: true, ...viewOf(member) };
  }

  stats(): PresenceStats {
    const { kept, unique } = this.#state;
    return {
      presence: kept,
      connections: this.#host.state.online,
      users: this.users,
      uniqueUsers: unique.count(),
      uniqueSince: this.#uniqueSince,
    };
  }

  get #isUnstored(): boolean {
    return this.#unstored.size > 0 || this.#isSketchNew;
  }

  #terms(): PresenceTerms {
    const { presenceMax, presenceLingerMs } = this.#host.settings();
    return { now: this.#host.clock.now(), presenceMax, presenceLingerMs };
  }

  #take<T>(take: () => T): T {
    const taken = take();
    if (this.#state.kept === 'counts') this.#isSketchNew = true;
    this.#tell();
    this.#host.wake();
    return taken;
  }

  #tell(): void {
    for (const event of takePresenceEvents(this.#state)) {
      if (event.what === 'counts') for (const id of this.#stored.keys()) this.#unstored.add(id);
      if (!('user' in event)) {
        this.keptChanged?.(event.what);
        continue;
      }
      const { user } = event;
      this.#unstored.add(user.id);
      this.#isSketchNew = true;
      if (event.what === 'enter') this.#announce(user);
      this.#host.tellOnline({ user: user.id, isHere: event.what === 'enter' });
    }
  }

  #announce(user: Speaker): void {
    if (!this.#host.settings().enterNotices || this.#host.status() === 'closed') return;
    // A notice that finds no place is counted by its verdict; nobody waits for it.
    this.#host.post({ kind: 'enter', user }).catch(() => undefined);
  }

  #checkListed(): void {
    if (this.#state.kept === 'list') return;
    const rule = `presenceMax ${this.#host.settings().presenceMax}`;
    const text = 'with this many users only their number is kept';
    throw new BarrageError('conflict', text, { rule });
  }

  #store(usersMax: number): void {
    if (this.#isStoring || !this.#isUnstored) return;
    const { members, unique } = this.#state;
    const records = new Map<string, string | null>();
    const taken: UserId[] = [];
    for (const id of this.#unstored) {
      if (taken.length >= usersMax) break;
      taken.push(id);
      this.#unstored.delete(id);
      const since = members.get(id)?.since;
      if (since === this.#stored.get(id)) continue;
      records.set(USER_PREFIX + id, since === undefined ? null : JSON.stringify({ since }));
    }
    const sketch = Buffer.from(unique.encode()).toString('base64');
    if (sketch !== this.#storedSketch) {
      records.set(UNIQUE_RECORD, JSON.stringify({ since: this.#uniqueSince, sketch }));
    }
    this.#isSketchNew = false;
    if (records.size === 0) return;
    this.#isStoring = true;
    void this.#commit(records, sketch)
      .catch(() => {
        for (const id of taken) this.#unstored.add(id);
        this.#isSketchNew = true;
      })
      .finally(() => {
        this.#isStoring = false;
        const isMore = this.#unstored.size >= STORE_USERS_MAX;
        const now = this.#host.clock.now();
        this.#storeAt = now + (isMore ? STORE_PAUSE_MS : STORE_EVERY_MS);
        this.#host.wake();
      });
  }

  #commit(records: ReadonlyMap<string, string | null>, sketch: string): Promise<void> {
    return this.#host.change(
      (work) => {
        for (const [name, json] of records) work.records.set(name, json);
      },
      () => {
        this.#storedSketch = sketch;
        for (const [name, json] of records) {
          if (!name.startsWith(USER_PREFIX)) continue;
          const id = name.slice(USER_PREFIX.length) as UserId;
          if (json === null) this.#stored.delete(id);
          else this.#stored.set(id, (JSON.parse(json) as { since: number }).since);
        }
      },
    );
  }
}

function viewOf({ user, since, connections }: Member): MemberView {
  const { id, name, level, badge } = user;
  return {
    user: id,
    ...(name === undefined ? {} : { name }),
    ...(level === undefined ? {} : { level }),
    ...(badge === undefined ? {} : { badge }),
    since: Math.floor(since),
    connections,
  };
}

function decode(records: RawRecords) {
  const members: [UserId, number][] = [];
  let unique = new UniqueCount();
  let sketch = '';
  let since: number | undefined;
  for (const [name, json] of records) {
    try {
      const value = JSON.parse(json) as { since: unknown; sketch?: unknown };
      if (typeof value.since !== 'number') throw new TypeError('no since');
      const user = parseUserId(name.slice(USER_PREFIX.length));
      if (name === UNIQUE_RECORD) {
        since = value.since;
        sketch = String(value.sketch);
        unique = UniqueCount.decode(Buffer.from(sketch, 'base64'));
      } else if (name.startsWith(USER_PREFIX) && user !== undefined) {
        members.push([user, value.since]);
      } else throw new TypeError('no such record');
    } catch (cause) {
      throw new BarrageError('store_failed', `the record "${name}" is unreadable`, { cause });
    }
  }
  return { unique, sketch, since, members };
}
