/** Owns the order of what each user said while answers about it arrive in any order. */
import type { UserId } from '../../src/ids.js';

interface Line {
  tail: Promise<unknown>;
  count: number;
}

export class UserOrder {
  readonly #lines = new Map<UserId, Line>();

  /** How many of the user's answers are still to come. */
  waiting(user: UserId): number {
    return this.#lines.get(user)?.count ?? 0;
  }

  /** The answer, not before those of what the user said earlier. `answer` must not reject. */
  async after<T>(user: UserId, answer: Promise<T>): Promise<T> {
    const line = this.#lines.get(user) ?? { tail: Promise.resolve(), count: 0 };
    this.#lines.set(user, line);
    line.count++;
    const both = Promise.all([line.tail, answer]);
    // The next one waits for this one; it must not hold on to what this one was.
    line.tail = both.then(() => undefined);
    const [, mine] = await both;
    if (--line.count === 0) this.#lines.delete(user);
    return mine;
  }
}
