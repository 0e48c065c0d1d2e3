/**
 * Owns one poll of a room at work: its record, its voters' chunks in the store, what viewers are told
 * while it runs. Votes are counted at once and stored within a second: a process that is killed loses
 * those of its last second, one that is stopped none. The rules are in core/polls.ts.
 */
import type { UserId } from '../../src/ids.js';
import { DATA_BYTES_MAX } from '../../src/limits.js';
import type { Fact } from '../../src/wire/internal.js';
import { POLL_KIND } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';
import {
  advancePoll,
  castVote,
  endPoll,
  pollDueAt,
  type Poll,
  type PollStatus,
  type VoteEnd,
} from '../core/polls.js';
import { CHUNK_VOTERS, Voters } from '../core/voters.js';
import { GroupChange } from './group-change.js';
import type { PowerHost } from './power.js';

export const POLL_PREFIX = 'poll:';
const FACT = 'polls';
const EVERY_MS = 50;
const WAITING_MAX = 100;
/** Voters are stored and counts told at most this often. */
const SAVE_EVERY_MS = 1000;
const TELL_EVERY_MS = 1000;
/** Chunks in one commit, 50 KB each. */
const CHUNKS_AT_ONCE_MAX = 16;

export interface PollState {
  readonly question: string;
  readonly options: readonly string[];
  readonly changeable: boolean;
  readonly status: PollStatus;
  readonly opensAt: number;
  readonly endsAt?: number;
  readonly counts: readonly number[];
  readonly voters: number;
}

export class HeldPoll {
  readonly #name: string;
  readonly #host: PowerHost;
  readonly #group: GroupChange<Poll | undefined>;
  readonly #deleted: () => void;
  #voters: Voters;
  /** Chunks the store may hold. */
  #chunks: number;
  #isSaving = false;
  #savedAt = -Infinity;
  #toldAt = -Infinity;
  /** Counts changed since they were told. */
  #isNews = false;

  /** `stored` is undefined for a poll just made; `deleted` is called when its record is gone. */
  constructor(
    name: string,
    host: PowerHost,
    stored: { readonly poll: Poll; readonly voters: Voters } | undefined,
    deleted: () => void,
  ) {
    this.#name = name;
    this.#host = host;
    this.#deleted = deleted;
    this.#voters = stored?.voters ?? new Voters(0, [0, 0]);
    this.#chunks = chunksOf(this.#voters);
    this.#group = new GroupChange<Poll | undefined>(host, stored?.poll, {
      everyMs: EVERY_MS,
      waitingMax: WAITING_MAX,
      names: (_, after) => this.#names(after),
      record: (poll, record) => (poll && record === this.#record ? JSON.stringify(poll) : null),
      draft: (_, after) => this.#draft(after),
      stored: (_, after) => this.#stored(after),
    });
  }

  /** The poll, changes not stored yet included; undefined when it is deleted. */
  get poll(): Poll | undefined {
    return this.#group.state;
  }

  /** Voters counted while it runs; 0 when it does not. */
  get running(): number {
    return this.poll?.status === 'open' ? this.#voters.size : 0;
  }

  /** Whether its own times or the store still need it in memory. */
  get isIdle(): boolean {
    const isOver = this.poll === undefined || this.poll.status === 'ended';
    return isOver && this.#group.isIdle && !this.#isSaving;
  }

  /** What is durable of the poll, with votes counted since; undefined when there is none. */
  read(): PollState | undefined {
    const poll = this.#group.stored;
    return poll && this.#state(poll);
  }

  async open(poll: Poll): Promise<void> {
    this.#voters = new Voters(poll.options.length, poll.salt);
    await this.#group.change(advancePoll(poll, this.#voters, this.#host.clock.now()));
  }

  /** Ends it now; `ended` already is fine. */
  async end(): Promise<void> {
    const { poll } = this;
    if (poll !== undefined) await this.#group.change(endPoll(poll, this.#voters));
  }

  async remove(): Promise<void> {
    await this.#group.change(undefined);
  }

  /** `inRoom`: voters in all running polls of the room. */
  vote(user: UserId, option: number, inRoom: number): VoteEnd {
    this.#advance(this.#host.clock.now());
    const { poll } = this;
    if (poll === undefined) return 'not_open';
    const end = castVote(poll, this.#voters, { user, option, inRoom });
    if (end === 'counted') this.#isNews = true;
    return end;
  }

  get fact(): Fact | undefined {
    const state = this.read();
    return state && [FACT, this.#name, JSON.stringify(state)];
  }

  nextAt(): number {
    const { poll } = this;
    const due = Math.min(this.#group.nextAt(), poll === undefined ? Infinity : pollDueAt(poll));
    if (poll?.status !== 'open') return due;
    const isUnsaved = this.#voters.dirty.size > 0 && !this.#isSaving;
    const saveAt = isUnsaved ? this.#savedAt + SAVE_EVERY_MS : Infinity;
    return Math.min(due, saveAt, this.#isNews ? this.#toldAt + TELL_EVERY_MS : Infinity);
  }

  step(now: number): void {
    this.#advance(now);
    if (this.poll?.status === 'open') {
      if (now >= this.#savedAt + SAVE_EVERY_MS) this.#save(now);
      if (this.#isNews && now >= this.#toldAt + TELL_EVERY_MS) this.#tell(now, this.poll);
    }
    this.#group.step(now);
  }

  /** Stores at once what is not stored; true while anything is not. */
  save(now: number): boolean {
    const isStoring = this.#group.save(now);
    if (this.poll?.status !== 'open') return isStoring;
    this.#save(now);
    return isStoring || this.#isSaving;
  }

  drop(): void {
    this.#group.drop();
  }

  get #record(): string {
    return POLL_PREFIX + this.#name;
  }

  #advance(now: number): void {
    const { poll } = this;
    if (poll !== undefined) this.#group.adopt(advancePoll(poll, this.#voters, now));
  }

  /** An ended poll keeps its counts, not who voted. */
  #names(after: Poll | undefined): string[] {
    if (after?.status === 'open' || after?.status === 'waiting') return [this.#record];
    const chunks = Array.from({ length: this.#chunks }, (_, i) => this.#chunkRecord(i));
    return [this.#record, ...chunks];
  }

  #chunkRecord(chunk: number): string {
    return `${this.#record}:${chunk}`;
  }

  #draft(poll: Poll | undefined): Draft | undefined {
    if (poll === undefined) return draft({ poll: this.#name, deleted: true });
    if (poll.status === 'waiting') return undefined;
    const { question, options, ...short } = this.#state(poll);
    const whole = { poll: this.#name, question, options, ...short };
    const isSmall = Buffer.byteLength(JSON.stringify(whole)) <= DATA_BYTES_MAX;
    return draft(isSmall ? whole : { poll: this.#name, ...short, resync: true });
  }

  #stored(poll: Poll | undefined): void {
    const { fact } = this;
    this.#host.show([fact ?? [FACT, this.#name, null]]);
    if (poll === undefined) return this.#deleted();
    if (poll.status !== 'ended') return;
    this.#voters = new Voters(poll.options.length, poll.salt);
    this.#chunks = 0;
    this.#isNews = false;
  }

  #save(now: number): void {
    const voters = this.#voters;
    if (this.#isSaving || voters.dirty.size === 0) return;
    const chunks = [...voters.dirty].slice(0, CHUNKS_AT_ONCE_MAX);
    const texts = chunks.map(
      (chunk) => [this.#chunkRecord(chunk), voters.takeChunk(chunk)] as const,
    );
    this.#isSaving = true;
    this.#savedAt = now;
    this.#chunks = chunksOf(voters);
    this.#host
      .change((work) => {
        for (const [name, text] of texts) work.records.set(name, JSON.stringify({ voters: text }));
      })
      .catch((error: unknown) => {
        for (const chunk of chunks) voters.returnChunk(chunk);
        this.#host.log.warn('votes not stored yet', { room: this.#host.room, error });
      })
      .finally(() => {
        this.#isSaving = false;
        this.#host.wake();
      })
      .catch(() => undefined);
  }

  /** Counts of a running poll are news, not record: they may be lost under load. */
  #tell(now: number, poll: Poll): void {
    this.#isNews = false;
    this.#toldAt = now;
    if (this.#host.status() === 'closed') return;
    const { status, counts, voters } = this.#state(poll);
    const data = { poll: this.#name, status, counts, voters };
    const { fact } = this;
    if (fact !== undefined) this.#host.show([fact]);
    this.#host.post({ kind: POLL_KIND, lane: 'normal', data }).catch(() => undefined);
  }

  #state(poll: Poll): PollState {
    const { question, options, isChangeable, status, opensAt, endsAt } = poll;
    const counts = poll.counts ?? [...this.#voters.counts];
    return {
      ...{ question, options, changeable: isChangeable, status, opensAt },
      ...(endsAt === undefined ? {} : { endsAt }),
      counts,
      voters: counts.reduce((sum, count) => sum + count, 0),
    };
  }
}

function draft(data: object): Draft {
  return { kind: POLL_KIND, lane: 'control', data };
}

function chunksOf(voters: Voters): number {
  return Math.ceil(voters.size / CHUNK_VOTERS);
}
