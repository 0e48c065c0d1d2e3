/**
 * Owns the users of one room at this edge: how many connections each has, who changed since the last
 * report, and what the owner wants to hear of them. Guests are none of it. Knows no bus.
 */
import type { UserId } from '../../src/ids.js';
import { SetDigest } from '../../src/sketch/set-digest.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { hashUser } from '../../src/sketch/user-hash.js';
import { presentUser, type Kept, type PresentUser } from '../../src/wire/presence.js';
import type { Speaker } from '../../src/words.js';

interface Several {
  user: Speaker;
  connections: number;
}

/** Nearly everyone has one connection: an object for the number would cost more than the rest. */
type Present = Speaker | Several;

function isSeveral(present: Present): present is Several {
  return 'connections' in present;
}

function connectionsOf(present: Present): number {
  return isSeveral(present) ? present.connections : 1;
}

function userOf(present: Present): Speaker {
  return isSeveral(present) ? present.user : present;
}

function rowOf(present: Present): PresentUser {
  return presentUser(userOf(present), connectionsOf(present));
}

export class RoomUsers {
  readonly #users = new Map<UserId, Present>();
  readonly #digest = new SetDigest();
  readonly #changed = new Set<UserId>();
  /** Users seen since only numbers are kept. */
  #seen: UniqueCount | undefined;
  #isSketchNew = false;
  #toldCount: number | undefined;

  get size(): number {
    return this.#users.size;
  }

  get kept(): Kept {
    return this.#seen === undefined ? 'list' : 'counts';
  }

  /** Whether there is something the owner was not told. */
  get isChanged(): boolean {
    if (this.#seen === undefined) return this.#changed.size > 0;
    return this.#toldCount !== this.size;
  }

  enter(user: Speaker): void {
    const present = this.#users.get(user.id);
    if (present === undefined) {
      this.#users.set(user.id, user);
      if (this.#seen !== undefined) {
        this.#seen.add(hashUser(user.id));
        this.#isSketchNew = true;
      }
      this.#digest.toggle(user.id, 1);
    } else {
      const before = connectionsOf(present);
      this.#users.set(user.id, { user, connections: before + 1 });
      this.#digest.toggle(user.id, before);
      this.#digest.toggle(user.id, before + 1);
    }
    this.#note(user.id);
  }

  leave(id: UserId): void {
    const present = this.#users.get(id);
    if (present === undefined) return;
    const before = connectionsOf(present);
    this.#digest.toggle(id, before);
    if (before === 1) {
      this.#users.delete(id);
    } else {
      this.#users.set(id, { user: userOf(present), connections: before - 1 });
      this.#digest.toggle(id, before - 1);
    }
    this.#note(id);
  }

  /** From now on the owner wants this of the room; true when it is another than before. */
  keep(kept: Kept): boolean {
    if (kept === this.kept) return false;
    this.#changed.clear();
    this.#seen = undefined;
    this.#toldCount = undefined;
    if (kept === 'list') return true;
    this.#seen = new UniqueCount();
    for (const id of this.#users.keys()) this.#seen.add(hashUser(id));
    this.#isSketchNew = true;
    return true;
  }

  /** Up to `most` users that changed, as they are now; they count as told. */
  takeChanges(most: number): PresentUser[] {
    const rows: PresentUser[] = [];
    for (const id of this.#changed) {
      if (rows.length >= most) break;
      this.#changed.delete(id);
      const present = this.#users.get(id);
      rows.push(present === undefined ? [id, 0] : rowOf(present));
    }
    return rows;
  }

  /** The number of users, and with `sketched` who was seen, if that is new; they count as told. */
  takeCount(sketched: boolean): [users: number, sketch?: string] {
    this.#toldCount = this.size;
    const isWanted = sketched || this.size === 0;
    if (this.#seen === undefined || !this.#isSketchNew || !isWanted) return [this.size];
    this.#isSketchNew = false;
    return [this.size, Buffer.from(this.#seen.encode()).toString('base64')];
  }

  /** All users; what changed counts as told. */
  takeList(): PresentUser[] {
    this.#changed.clear();
    return Array.from(this.#users.values(), rowOf);
  }

  /** What the owner must have when nothing was lost; empty where only numbers are kept. */
  get digest(): string {
    return this.#seen === undefined ? this.#digest.text : '';
  }

  #note(id: UserId): void {
    if (this.#seen === undefined) this.#changed.add(id);
  }
}
