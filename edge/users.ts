/**
 * Owns the connections of each user on this edge: over the bound the oldest goes. Guests are not
 * counted. Bounded by the connections themselves. Rule: SPEC E-IN-7.
 */
import type { UserId } from '../src/ids.js';

export class UserConnections<T> {
  readonly #byUser = new Map<UserId, Set<T>>();

  /** Notes one more; the answer is the connections that have to go, oldest first. */
  enter(user: UserId, connection: T, max: number): readonly T[] {
    const all = this.#byUser.get(user) ?? new Set<T>();
    this.#byUser.set(user, all.add(connection));
    const over: T[] = [];
    for (const oldest of all) {
      if (all.size - over.length <= max) break;
      over.push(oldest);
    }
    return over;
  }

  /** The user's connections, oldest first. */
  of(user: UserId): readonly T[] {
    return [...(this.#byUser.get(user) ?? [])];
  }

  leave(user: UserId, connection: T): void {
    const all = this.#byUser.get(user);
    if (all?.delete(connection) && all.size === 0) this.#byUser.delete(user);
  }
}
