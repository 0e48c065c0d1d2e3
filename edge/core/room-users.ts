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

interface Present {
  user: Speaker;
  connections: number;
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
      this.#users.set(user.id, { user, connections: 1 });
      if (this.#seen !== undefined) {
        this.#seen.add(hashUser(user.id));
        this.#isSketchNew = true;
      }
    } else {
      this.#digest.toggle(user.id, present.connections);
      present.connections++;
      present.user = user;
    }
    this.#digest.toggle(user.id, present?.connections ?? 1);
    this.#note(user.id);
  }

  leave(id: UserId): void {
    const present = this.#users.get(id);
    if (present === undefined) return;
    this.#digest.toggle(id, present.connections);
    if (--present.connections === 0) this.#users.delete(id);
    else this.#digest.toggle(id, present.connections);
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
      rows.push(present === undefined ? [id, 0] : presentUser(present.user, present.connections));
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
    return Array.from(this.#users.values(), (each) => presentUser(each.user, each.connections));
  }

  /** What the owner must have when nothing was lost; empty where only numbers are kept. */
  get digest(): string {
    return this.#seen === undefined ? this.#digest.text : '';
  }

  #note(id: UserId): void {
    if (this.#seen === undefined) this.#changed.add(id);
  }
}
