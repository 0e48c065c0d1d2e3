/**
 * Owns the tags a studio gave users of one room while it runs: bounded in users and bytes, in order
 * of user id. Knows no store and no edge.
 */
import type { UserId } from '../../src/ids.js';
import type { UserTags } from '../../src/wire/internal.js';

export const TAGGED_USERS_MAX = 5000;
/** JSON of all of them together: a room's snapshot has to fit what a broker carries. */
export const TAGGED_BYTES_MAX = 256 * 1024;
export const TAGS_PER_USER_MAX = 32;

/** Quotes, brackets and commas beside the ids and tags. */
const ENTRY_BYTES = 8;

export class TagBook {
  readonly #byUser = new Map<UserId, readonly string[]>();
  #bytes = 0;

  of(user: UserId): readonly string[] {
    return this.#byUser.get(user) ?? [];
  }

  /** Why these tags cannot be given, as a rule; undefined when they can. */
  refusal(user: UserId, tags: readonly string[]): string | undefined {
    if (tags.length > TAGS_PER_USER_MAX) return `at most ${TAGS_PER_USER_MAX} tags`;
    const before = this.#byUser.get(user);
    if (before === undefined && this.#byUser.size >= TAGGED_USERS_MAX) {
      return `at most ${TAGGED_USERS_MAX} users with tags`;
    }
    const bytes = this.#bytes + bytesOf(user, tags) - (before ? bytesOf(user, before) : 0);
    return bytes > TAGGED_BYTES_MAX ? `at most ${TAGGED_BYTES_MAX} bytes of tags` : undefined;
  }

  /** No tags: the user is forgotten. */
  set(user: UserId, tags: readonly string[]): void {
    const before = this.#byUser.get(user);
    if (before !== undefined) this.#bytes -= bytesOf(user, before);
    this.#byUser.delete(user);
    if (tags.length === 0) return;
    this.#byUser.set(user, tags);
    this.#bytes += bytesOf(user, tags);
  }

  get all(): readonly UserTags[] {
    return [...this.#byUser];
  }

  /** The next `limit` after a user id, in order of user id. */
  page(after: string, limit: number): { items: UserTags[]; isWhole: boolean } {
    const rest = this.all.filter(([user]) => user > after).sort(([a], [b]) => (a < b ? -1 : 1));
    return { items: rest.slice(0, limit), isWhole: rest.length <= limit };
  }
}

function bytesOf(user: UserId, tags: readonly string[]): number {
  let bytes = Buffer.byteLength(user) + ENTRY_BYTES;
  for (const tag of tags) bytes += tag.length + 3;
  return bytes;
}
