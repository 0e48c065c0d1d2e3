/**
 * Owns the tags a studio gives users of one room while it runs: stored first, then told to the
 * edges, who put them beside the tags of tokens. Rules: SPEC R-SCOPE-3, R-SCOPE-4.
 */
import { BarrageError } from '../../src/errors.js';
import { parseUserId, type UserId } from '../../src/ids.js';
import { TAG_PATTERN } from '../../src/tags/tag-parser.js';
import type { UserTags } from '../../src/wire/internal.js';
import type { TaggedUser } from '../calls/scopes.js';
import { TagBook } from '../core/tag-book.js';
import type { PowerHost, RawRecords } from './power.js';

export const TAGS_PREFIX = 'tags:';

const tagPattern = new RegExp(TAG_PATTERN);

export class UserTagging {
  readonly #host: PowerHost;
  readonly #book = new TagBook();

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    for (const [name, json] of records) {
      const user = parseUserId(name.slice(TAGS_PREFIX.length));
      const tags = readTags(json);
      if (user === undefined || tags === undefined) {
        host.log.warn('a record of tags is unreadable and left out', { record: name });
      } else if (this.#book.refusal(user, tags) === undefined) this.#book.set(user, tags);
    }
  }

  /** For the snapshot edges start from. */
  get all(): readonly UserTags[] {
    return this.#book.all;
  }

  of(user: UserId): TaggedUser {
    return { user, tags: this.#book.of(user) };
  }

  /** Replaces the user's tags; none takes them away. Throws BarrageError `invalid`, `too_large`. */
  async set(user: UserId, given: readonly string[]): Promise<TaggedUser> {
    const tags = [...new Set(given)].sort();
    if (!tags.every((tag) => tagPattern.test(tag))) {
      throw new BarrageError('invalid', `"tags" must be: ${TAG_PATTERN}`, {
        field: 'tags',
        rule: `pattern ${TAG_PATTERN}`,
      });
    }
    const rule = this.#book.refusal(user, tags);
    if (rule !== undefined) {
      throw new BarrageError('too_large', `a room holds ${rule}`, { field: 'tags', rule });
    }
    await this.#host.change(
      (work) => {
        const record = tags.length === 0 ? null : JSON.stringify(tags);
        work.records.set(TAGS_PREFIX + user, record);
      },
      () => {
        this.#book.set(user, tags);
        this.#host.note({ note: 'tags', user, tags });
      },
    );
    return { user, tags };
  }

  page(after: string, limit: number): { items: TaggedUser[]; next?: string } {
    const { items, isWhole } = this.#book.page(after, limit);
    const tagged = items.map(([user, tags]) => ({ user, tags }));
    const next = tagged.at(-1)?.user;
    return isWhole || next === undefined ? { items: tagged } : { items: tagged, next };
  }
}

function readTags(json: string): readonly string[] | undefined {
  try {
    const value = JSON.parse(json) as unknown;
    const isSound =
      Array.isArray(value) && value.every((tag) => typeof tag === 'string' && tagPattern.test(tag));
    return isSound ? (value as string[]) : undefined;
  } catch {
    return undefined;
  }
}
