/**
 * Owns a room's staged publications: drafts kept until they are published or withdrawn. Published in
 * the commit that says so, hence once, whatever happens between.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import { randomId } from '../../src/random.js';
import type { Draft, Fated } from '../calls/calls.js';
import {
  edited,
  isOpen,
  placeForOne,
  published,
  STAGED_MAX,
  withdrawn,
  type Staged,
} from '../core/staged.js';
import { checkDraft } from '../studio/drafts.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { readRecords } from './record-json.js';
import { told } from './told.js';
import { Turns } from './turns.js';

export const STAGED_PREFIX = 'staged:';
/** Tells of a draft, for those alone who preview it. */
export const PREVIEW_KIND = 'preview';

export type StagedDraft = Staged<Draft>;

export class Staging implements Power {
  readonly #host: PowerHost;
  readonly #turns = new Turns();
  readonly #all: Map<string, StagedDraft>;

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    this.#all = readRecords<StagedDraft>(records, STAGED_PREFIX);
  }

  /** Oldest first. */
  list(): StagedDraft[] {
    return [...this.#all.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Throws BarrageError `not_found`. */
  get(id: string): StagedDraft {
    const staged = this.#all.get(id);
    if (staged === undefined) throw new BarrageError('not_found', 'no such draft', { field: 'id' });
    return staged;
  }

  /** Throws BarrageError `invalid` for the draft, `too_large` when all places hold drafts. */
  add(draft: Draft, preview: readonly UserId[] = []): Promise<StagedDraft> {
    return this.#turns.take(async () => {
      checkDraft(draft);
      const displaced = placeForOne(this.#all.values());
      if (displaced === undefined) {
        const rule = `at most ${STAGED_MAX} drafts`;
        throw new BarrageError('too_large', `a room holds ${rule}`, { field: 'drafts', rule });
      }
      const now = Math.floor(this.#host.clock.now());
      const id = randomId();
      const base = { id, state: 'draft' as const, draft, createdAt: now, updatedAt: now };
      const staged = preview.length === 0 ? base : { ...base, preview };
      await this.#show(staged, displaced);
      return staged;
    });
  }

  /** Replaces the draft; throws `conflict` when it is none any more. */
  edit(id: string, change: Partial<Draft>): Promise<StagedDraft> {
    return this.#turns.take(async () => {
      const staged = this.#open(id, 'changed');
      const draft = { ...staged.draft, ...change };
      checkDraft(draft);
      const next = edited(staged, draft, this.#host.clock.now());
      await this.#show(next);
      return next;
    });
  }

  /** Publishes it; a second time throws `conflict`. */
  publish(id: string): Promise<{ staged: StagedDraft; fated: Fated }> {
    return this.#turns.take(async () => {
      const staged = this.#open(id, 'published');
      let next: StagedDraft | undefined;
      const fated = await told(this.#host, staged.draft, (work, { publication }) => {
        const stored = published(staged, publication.id, this.#host.clock.now());
        next = stored;
        work.records.set(STAGED_PREFIX + id, JSON.stringify(stored));
        work.after.push(() => this.#all.set(id, stored));
      });
      if (next === undefined) {
        // A droppable one has no commit of its own: it is out already.
        next = published(staged, fated.id, this.#host.clock.now());
        await this.#store(next);
      }
      return { staged: next, fated };
    });
  }

  /**
   * A draft is given up; what was published already is for the caller to recall. Answers what it
   * was before.
   */
  withdraw(id: string, recall: (publication: string) => Promise<void>): Promise<StagedDraft> {
    return this.#turns.take(async () => {
      const staged = this.get(id);
      if (staged.state === 'withdrawn') return staged;
      if (staged.publication !== undefined) await recall(staged.publication);
      const next = withdrawn(staged, this.#host.clock.now());
      await this.#store(next);
      return next;
    });
  }

  /** Drafts wait in the store, not in the room. */
  idle(): boolean {
    return true;
  }

  #open(id: string, what: string): StagedDraft {
    const staged = this.get(id);
    if (isOpen(staged)) return staged;
    throw new BarrageError('conflict', `it is ${staged.state} and cannot be ${what}`, {
      field: 'id',
      rule: 'still a draft',
    });
  }

  /** Stores a draft in the commit that shows it to those who preview it. */
  async #show(staged: StagedDraft, displaced = ''): Promise<void> {
    const { id, draft, preview } = staged;
    if (preview === undefined) return this.#store(staged, displaced);
    const { kind, data, ...said } = draft;
    const shown: Draft = {
      ...{ ...said, kind: PREVIEW_KIND, lane: 'control', reliable: false, to: { users: preview } },
      data: { id, kind, ...(data === undefined ? {} : { data }) },
    };
    await told(this.#host, shown, (work) => {
      this.#put(work.records, staged, displaced);
      work.after.push(() => this.#adopt(staged, displaced));
    });
  }

  async #store(staged: StagedDraft, displaced = ''): Promise<void> {
    await this.#host.change(
      (work) => this.#put(work.records, staged, displaced),
      () => this.#adopt(staged, displaced),
    );
  }

  #put(records: Map<string, string | null>, staged: StagedDraft, displaced: string): void {
    if (displaced !== '') records.set(STAGED_PREFIX + displaced, null);
    records.set(STAGED_PREFIX + staged.id, JSON.stringify(staged));
  }

  #adopt(staged: StagedDraft, displaced: string): void {
    if (displaced !== '') this.#all.delete(displaced);
    this.#all.set(staged.id, staged);
  }
}
