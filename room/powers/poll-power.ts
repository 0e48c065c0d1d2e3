/**
 * Owns the polls of a room: which there are, which vote goes to which, and how they come out of their
 * records. One poll at work is in held-poll.ts.
 */
import { BarrageError } from '../../src/errors.js';
import type { Fact } from '../../src/wire/internal.js';
import { VOTE_KIND } from '../../src/words.js';
import { POLLS_MAX, type Poll, type VoteEnd } from '../core/polls.js';
import type { Arrival } from '../core/types.js';
import { Voters, type Salt } from '../core/voters.js';
import { HeldPoll, POLL_PREFIX } from './held-poll.js';
import type { Power, PowerHost, RawRecords, Settled } from './power.js';
import { readRecord } from '../records.js';

const RETRY_MS = 1000;

const VERDICTS: Readonly<Record<VoteEnd, Settled>> = {
  counted: { verdict: 'counted' },
  same: { verdict: 'counted' },
  not_open: { verdict: 'forbidden' },
  voted: { verdict: 'forbidden' },
  no_option: { verdict: 'invalid' },
  full: { verdict: 'overloaded', retryAfterMs: RETRY_MS },
};

export class PollPower implements Power {
  readonly kinds = [VOTE_KIND];
  readonly #host: PowerHost;
  readonly #polls = new Map<string, HeldPoll>();

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    for (const [record, json] of records) {
      const name = record.slice(POLL_PREFIX.length);
      if (name.includes(':')) continue;
      const poll = readRecord<Poll>(host.room, record, json);
      const voters = votersOf(host, record, { poll, records });
      this.#polls.set(name, this.#held(name, { poll, voters }));
    }
  }

  get polls(): readonly (readonly [name: string, poll: HeldPoll])[] {
    return [...this.#polls].filter(([, held]) => held.read() !== undefined);
  }

  /** For a poll to be made. */
  newSalt(): Salt {
    const { random } = this.#host;
    return [random.below(2 ** 32), random.below(2 ** 32)];
  }

  find(name: string): HeldPoll | undefined {
    const held = this.#polls.get(name);
    return held?.poll === undefined ? undefined : held;
  }

  /** Makes a poll and opens it if its time has come; `why` when that may not be. */
  async create(name: string, poll: Poll): Promise<HeldPoll | 'exists' | 'full'> {
    if (this.#polls.has(name)) return 'exists';
    if (this.#polls.size >= POLLS_MAX) return 'full';
    const held = this.#held(name, undefined);
    this.#polls.set(name, held);
    try {
      await held.open(poll);
    } catch (error) {
      this.#polls.delete(name);
      throw error;
    }
    return held;
  }

  arrival({ data, user }: Arrival): Settled {
    const { poll: name, option } = (data ?? {}) as { poll?: unknown; option?: unknown };
    const held = typeof name === 'string' ? this.find(name) : undefined;
    if (held === undefined || typeof option !== 'number') return { verdict: 'invalid' };
    let inRoom = 0;
    for (const each of this.#polls.values()) inRoom += each.running;
    return VERDICTS[held.vote(user.id, option, inRoom)];
  }

  facts(): readonly Fact[] {
    return [...this.#polls.values()].flatMap(({ fact }) => (fact === undefined ? [] : [fact]));
  }

  nextAt(): number {
    let next = Infinity;
    for (const held of this.#polls.values()) next = Math.min(next, held.nextAt());
    return next;
  }

  step(now: number): void {
    for (const held of this.#polls.values()) held.step(now);
  }

  idle(): boolean {
    return [...this.#polls.values()].every((held) => held.isIdle);
  }

  save(now: number): boolean {
    return [...this.#polls.values()].filter((held) => held.save(now)).length > 0;
  }

  drop(): void {
    for (const held of this.#polls.values()) held.drop();
  }

  #held(name: string, stored: { poll: Poll; voters: Voters } | undefined): HeldPoll {
    return new HeldPoll(name, this.#host, stored, () => this.#polls.delete(name));
  }
}

/** The voters in a poll's chunks, in their order. */
function votersOf(
  host: PowerHost,
  record: string,
  from: { readonly poll: Poll; readonly records: RawRecords },
): Voters {
  const { options, salt } = from.poll;
  const voters = new Voters(options.length, salt);
  for (let chunk = 0; ; chunk++) {
    const name = `${record}:${chunk}`;
    const json = from.records.get(name);
    if (json === undefined) return voters;
    const { voters: text } = readRecord<{ voters?: unknown }>(host.room, name, json);
    if (typeof text !== 'string' || !voters.load(text)) {
      throw new BarrageError(
        'store_failed',
        `room ${host.room}: the record "${name}" is unreadable`,
      );
    }
  }
}
