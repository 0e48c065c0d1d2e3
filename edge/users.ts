/**
 * Owns the connections of each user on this edge: over the bound the oldest goes. Guests are not
 * counted. Bounded by the connections themselves. Rule: SPEC E-IN-7.
 */
import type { UserId } from '../src/ids.js';

export class UserConnections<T> {
  /** Nearly everyone has one: a set for each would cost more than the rest. */
  readonly #byUser = new Map<UserId, T | Set<T>>();

  /** Notes one more; the answer is the connections that have to go, oldest first. */
  enter(user: UserId, connection: T, max: number): readonly T[] {
    const held = this.#byUser.get(user);
    if (held === undefined || held === connection) {
      this.#byUser.set(user, connection);
      return max < 1 ? [connection] : [];
    }
    const all = held instanceof Set ? held : new Set([held]);
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
    const held = this.#byUser.get(user);
    if (held === undefined) return [];
    return held instanceof Set ? [...held] : [held];
  }

  leave(user: UserId, connection: T): void {
    const held = this.#byUser.get(user);
    if (held === connection) this.#byUser.delete(user);
    else if (held instanceof Set && held.delete(connection) && held.size === 0) {
      this.#byUser.delete(user);
    }
  }
}
