/**
 * Owns who of a room's viewers at this edge can be addressed: by account, by device, by tags. Tags a
 * studio gave a user in the room stand beside those of its token. Rules: SPEC E-SCOPE-1, R-SCOPE-3.
 */
import type { UserId } from '../src/ids.js';
import type { UserTags } from '../src/wire/internal.js';
import { isMeant, type Aim, type Cohort, type Viewing } from './core/aim.js';
import type { Identity } from './identity.js';
import type { Seat } from './slice.js';

interface KnownCohort extends Cohort {
  readonly key: string;
  seats: number;
}

/** Nearly everyone has one seat: a set for each would cost more than the seat. */
type Seats = Map<string, Seat | Set<Seat>>;

/** Made when a room first means someone by name: most rooms never do. */
interface Named {
  readonly users: Seats;
  readonly devices: Seats;
}

export class AudienceIndex {
  /** All seats, to look for users and devices in once someone asks for one. */
  readonly #seats: () => Iterable<Seat>;
  #named: Named | undefined;
  readonly #cohorts = new Map<string, KnownCohort>();
  #tags = new Map<UserId, readonly string[]>();

  /** `seats`: everyone seated, in any order. */
  constructor(seats: () => Iterable<Seat>) {
    this.#seats = seats;
  }

  /** Different sets of tags among those seated. */
  get cohorts(): number {
    return this.#cohorts.size;
  }

  /** What decides for a viewer of this identity; its cohort counts only once it is seated. */
  viewing({ user, role, device, tags }: Identity): Viewing {
    const account = role === 'guest' ? undefined : user.id;
    const given = account === undefined ? undefined : this.#tags.get(account);
    return { account, device, cohort: this.#cohort(given ? [...tags, ...given] : tags) };
  }

  add(seat: Seat): void {
    const { account, device } = seat.viewing;
    const cohort = seat.viewing.cohort as KnownCohort;
    const known = this.#cohorts.get(cohort.key) ?? cohort;
    if (known !== cohort) seat.viewing = { account, device, cohort: known };
    this.#cohorts.set(known.key, known);
    known.seats++;
    if (this.#named !== undefined) note(this.#named, seat);
  }

  remove(seat: Seat): void {
    const { account, device, cohort } = seat.viewing;
    const known = cohort as KnownCohort;
    if (--known.seats === 0) this.#cohorts.delete(known.key);
    if (this.#named === undefined) return;
    if (account !== undefined) leave(this.#named.users, account, seat);
    if (device !== undefined) leave(this.#named.devices, device, seat);
  }

  /** Seats of the users and devices an aim names, whoever else it excludes; undefined: it names none. */
  named({ users, devices }: Aim): Set<Seat> | undefined {
    if (users === undefined && devices === undefined) return undefined;
    const seats = new Set<Seat>();
    const named = this.#byName();
    for (const user of users ?? []) for (const seat of seatsAt(named.users, user)) seats.add(seat);
    for (const device of devices ?? []) {
      for (const seat of seatsAt(named.devices, device)) seats.add(seat);
    }
    return seats;
  }

  /** Whether anyone seated can be meant; may say yes for nothing, never no. */
  mayMatch(aim: Aim): boolean {
    const seats = this.named(aim);
    if (seats !== undefined) return [...seats].some((seat) => isMeant(aim, seat.viewing));
    for (const cohort of this.#cohorts.values()) if (aim.tags?.has(cohort) !== false) return true;
    return false;
  }

  /** All tags anew, as a snapshot has them; seats change their cohorts. */
  replaceTags(tags: readonly UserTags[] = []): void {
    const before = this.#tags;
    this.#tags = new Map(tags);
    for (const user of new Set([...before.keys(), ...this.#tags.keys()])) this.#regroup(user);
  }

  setTags(user: UserId, tags: readonly string[]): void {
    if (tags.length === 0) this.#tags.delete(user);
    else this.#tags.set(user, tags);
    this.#regroup(user);
  }

  #regroup(user: UserId): void {
    for (const seat of [...seatsAt(this.#byName().users, user)]) {
      this.remove(seat);
      seat.viewing = this.viewing(seat.identity);
      this.add(seat);
    }
  }

  #byName(): Named {
    if (this.#named !== undefined) return this.#named;
    const named: Named = { users: new Map(), devices: new Map() };
    for (const seat of this.#seats()) note(named, seat);
    this.#named = named;
    return named;
  }

  /** Equal tags make the same cohort while anyone of it is seated. */
  #cohort(tags: readonly string[]): KnownCohort {
    const unique = tags.length < 2 ? tags : [...new Set(tags)].sort();
    const key = unique.join('\n');
    return this.#cohorts.get(key) ?? { key, tags: new Set(unique), seats: 0 };
  }
}

function seatsAt(map: Seats, key: string): Iterable<Seat> {
  const held = map.get(key);
  if (held === undefined) return [];
  return held instanceof Set ? held : [held];
}

function note({ users, devices }: Named, seat: Seat): void {
  const { account, device } = seat.viewing;
  if (account !== undefined) enter(users, account, seat);
  if (device !== undefined) enter(devices, device, seat);
}

function enter(map: Seats, key: string, seat: Seat): void {
  const held = map.get(key);
  if (held === undefined) map.set(key, seat);
  else if (held instanceof Set) held.add(seat);
  else map.set(key, new Set([held, seat]));
}

function leave(map: Seats, key: string, seat: Seat): void {
  const held = map.get(key);
  if (held === seat) map.delete(key);
  else if (held instanceof Set && held.delete(seat) && held.size === 0) map.delete(key);
}
