/**
 * Owns a room's announcements: said at their times through the log, in the commit that books them as
 * said, hence once each, across restarts. When they are due is the core's.
 */
import { BarrageError } from '../../src/errors.js';
import { randomId } from '../../src/random.js';
import { classOf } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';
import {
  beginProgress,
  planDue,
  type DuePlan,
  type Progress,
  type Schedule,
} from '../core/announcements.js';
import { laneOf } from '../core/state.js';
import { checkDraft } from '../studio/drafts.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { readRecords } from './record-json.js';
import { told } from './told.js';

export const ANNOUNCEMENT_PREFIX = 'announce:';
/** In one room; those that have ended make place for new ones. */
export const ANNOUNCEMENTS_MAX = 50;
const RETRY_MS = 1000;

export interface Announcement {
  readonly id: string;
  readonly schedule: Schedule;
  readonly draft: Draft;
  readonly progress: Progress;
}

/** JSON has no Infinity: an announcement that ended has no next time. */
interface Stored extends Omit<Announcement, 'progress'> {
  readonly progress: Omit<Progress, 'nextAt'> & { readonly nextAt?: number };
}

export class Announcer implements Power {
  readonly #host: PowerHost;
  readonly #all = new Map<string, Announcement>();
  readonly #busy = new Set<string>();
  /** Earliest next try of one that could not be said. */
  readonly #retryAt = new Map<string, number>();

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    for (const [id, stored] of readRecords<Stored>(records, ANNOUNCEMENT_PREFIX)) {
      const { nextAt = Infinity } = stored.progress;
      this.#all.set(id, { ...stored, progress: { ...stored.progress, nextAt } });
    }
  }

  /** By their next time; those that ended come last. */
  list(): Announcement[] {
    return [...this.#all.values()].sort((a, b) =>
      a.progress.nextAt === b.progress.nextAt
        ? a.schedule.at - b.schedule.at
        : a.progress.nextAt - b.progress.nextAt,
    );
  }

  /** Throws BarrageError `invalid` naming field and rule, `too_large` when all places are taken. */
  async add(schedule: Schedule, draft: Draft): Promise<Announcement> {
    checkDraft(draft);
    const kept = { ...draft, lane: this.#laneFor(draft) };
    const displaced = this.#place();
    const announcement = {
      ...{ id: randomId(), schedule, draft: kept },
      progress: beginProgress(schedule),
    };
    await this.#host.keepAwake();
    await this.#host.change(
      (work) => {
        if (displaced !== '') work.records.set(ANNOUNCEMENT_PREFIX + displaced, null);
        work.records.set(ANNOUNCEMENT_PREFIX + announcement.id, encode(announcement));
      },
      () => {
        if (displaced !== '') this.#all.delete(displaced);
        this.#all.set(announcement.id, announcement);
      },
    );
    this.#host.wake();
    return announcement;
  }

  /** Whether there was one. */
  async remove(id: string): Promise<boolean> {
    if (!this.#all.has(id)) return false;
    await this.#host.change(
      (work) => work.records.set(ANNOUNCEMENT_PREFIX + id, null),
      () => {
        this.#all.delete(id);
        this.#retryAt.delete(id);
      },
    );
    return true;
  }

  nextAt(): number {
    if (this.#all.size === 0 || this.#host.status() === 'closed') return Infinity;
    let next = Infinity;
    for (const { id, progress } of this.#all.values()) {
      if (this.#busy.has(id)) continue;
      next = Math.min(next, Math.max(progress.nextAt, this.#retryAt.get(id) ?? 0));
    }
    return next;
  }

  step(now: number): void {
    for (const announcement of this.#all.values()) {
      const { id, schedule, progress } = announcement;
      if (this.#busy.has(id) || (this.#retryAt.get(id) ?? 0) > now) continue;
      if (progress.nextAt > now) continue;
      this.#busy.add(id);
      this.#carryOut(announcement, planDue(schedule, progress, now), now);
    }
  }

  /** While one is to come the room stays in memory, or nobody would look at the clock. */
  idle(): boolean {
    if (this.#host.status() === 'closed') return true;
    return [...this.#all.values()].every(({ progress }) => progress.nextAt === Infinity);
  }

  #carryOut(announcement: Announcement, plan: DuePlan, now: number): void {
    const { id, draft } = announcement;
    const next = { ...announcement, progress: plan.progress };
    const name = ANNOUNCEMENT_PREFIX + id;
    const adopt = (): void => {
      if (this.#all.has(id)) this.#all.set(id, next);
    };
    const done =
      plan.fire === undefined
        ? this.#host.change((work) => void work.records.set(name, encode(next)), adopt)
        : told(this.#host, draft, (work) => {
            // Taken out meanwhile: it is said once more, but not booked anew.
            if (this.#all.has(id)) work.records.set(name, encode(next));
            work.after.push(adopt);
          });
    done
      .then(
        () => this.#retryAt.delete(id),
        () => this.#retryAt.set(id, now + RETRY_MS),
      )
      .finally(() => {
        this.#busy.delete(id);
        this.#host.wake();
      });
  }

  /** What is announced is kept: on a droppable lane nobody could say whether it went out. */
  #laneFor(draft: Draft): 'control' | 'high' {
    const lane = draft.lane ?? laneOf(this.#host.settings(), draft.kind);
    if (lane === 'control' || lane === 'high') return lane;
    if (draft.lane === undefined && classOf(lane) === 'drop') return 'high';
    const rule = 'control or high';
    throw new BarrageError('invalid', `"lane" must be: ${rule}`, { field: 'draft.lane', rule });
  }

  #place(): string {
    if (this.#all.size < ANNOUNCEMENTS_MAX) return '';
    const ended = this.list().find(({ progress }) => progress.nextAt === Infinity);
    if (ended !== undefined) return ended.id;
    const rule = `at most ${ANNOUNCEMENTS_MAX} announcements`;
    throw new BarrageError('too_large', `a room holds ${rule}`, { field: 'announcements', rule });
  }
}

function encode({ progress, ...rest }: Announcement): string {
  const { nextAt, ...counts } = progress;
  const stored: Stored = {
    ...rest,
    progress: nextAt === Infinity ? counts : { ...counts, nextAt },
  };
  return JSON.stringify(stored);
}
