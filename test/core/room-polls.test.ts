/** Polls and their voters: one vote a user, times, bounds, and the records they come back from. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advancePoll,
  castVote,
  endPoll,
  newPoll,
  POLL_MS_MAX,
  pollDueAt,
  ROOM_VOTERS_MAX,
  type Poll,
  type PollSpec,
} from '../../room/core/polls.js';
import { CHUNK_VOTERS, Voters } from '../../room/core/voters.js';
import type { UserId } from '../../src/ids.js';

const NOW = 1_000_000;
const SALT = [12345, 67890] as const;
const SPEC: PollSpec = { question: 'Which?', options: ['a', 'b', 'c'] };

function poll(more: Partial<PollSpec> = {}): Poll {
  return newPoll({ ...SPEC, ...more }, SALT, NOW) as Poll;
}

function running(more: Partial<PollSpec> = {}): { poll: Poll; voters: Voters } {
  const voters = new Voters(3, SALT);
  return { poll: advancePoll(poll(more), voters, NOW), voters };
}

const vote = (user: string, option: number, inRoom = 0) => ({
  user: user as UserId,
  option,
  inRoom,
});

describe('a poll', () => {
  it('R-POLL-1 a user has one vote', () => {
    const { poll: open, voters } = running();
    expect(castVote(open, voters, vote('ann', 1))).toBe('counted');
    expect(castVote(open, voters, vote('ann', 1))).toBe('same');
    expect(castVote(open, voters, vote('ann', 2))).toBe('voted');
    expect(voters.counts).toEqual([0, 1, 0]);
  });

  it('R-POLL-1 where votes may be changed the last one counts', () => {
    const { poll: open, voters } = running({ changeable: true });
    for (const option of [1, 2, 0]) castVote(open, voters, vote('ann', option));
    castVote(open, voters, vote('bob', 2));
    expect([voters.counts, voters.size]).toEqual([[1, 0, 1], 2]);
  });

  it('R-POLL-2 votes count only while it is open, and only for what it has', () => {
    const voters = new Voters(3, SALT);
    const waiting = poll({ opensAt: NOW + 10, endsAt: NOW + 20 });
    expect([waiting.status, pollDueAt(waiting)]).toEqual(['waiting', NOW + 10]);
    expect(castVote(waiting, voters, vote('ann', 0))).toBe('not_open');
    expect(advancePoll(waiting, voters, NOW + 9)).toBe(waiting);
    const open = advancePoll(waiting, voters, NOW + 10);
    expect([open.status, pollDueAt(open)]).toEqual(['open', NOW + 20]);
    for (const option of [-1, 3, 0.5, NaN]) {
      expect(castVote(open, voters, vote('ann', option))).toBe('no_option');
    }
    castVote(open, voters, vote('ann', 2));
    const ended = advancePoll(open, voters, NOW + 20);
    expect(ended).toMatchObject({ status: 'ended', counts: [0, 0, 1] });
    expect(castVote(ended, voters, vote('bob', 0))).toBe('not_open');
    expect([pollDueAt(ended), endPoll(ended, voters) === ended]).toEqual([Infinity, true]);
  });

  const flaws: [string, Partial<PollSpec>, string][] = [
    ['an option twice', { options: ['a', 'a'] }, 'options'],
    ['an end before the opening', { opensAt: NOW + 5, endsAt: NOW + 5 }, 'endsAt'],
    ['an end in the past', { endsAt: NOW }, 'endsAt'],
    ['an opening too far', { opensAt: NOW + POLL_MS_MAX + 1 }, 'opensAt'],
    ['an end too far', { endsAt: NOW + POLL_MS_MAX + 1 }, 'endsAt'],
  ];
  it.each(flaws)('R-POLL-2 %s is refused', (_, more, field) => {
    expect(newPoll({ ...SPEC, ...more }, SALT, NOW)).toMatchObject({ field });
  });

  it('R-POLL-4 voters past the bound of the poll or of the room are refused, changes are not', () => {
    const { poll: open, voters } = running({ votersMax: 2, changeable: true });
    expect(castVote(open, voters, vote('ann', 0))).toBe('counted');
    expect(castVote(open, voters, vote('eve', 0, ROOM_VOTERS_MAX))).toBe('full');
    expect(castVote(open, voters, vote('bob', 0))).toBe('counted');
    expect(castVote(open, voters, vote('eve', 0))).toBe('full');
    expect(castVote(open, voters, vote('bob', 1, ROOM_VOTERS_MAX))).toBe('counted');
  });
});

describe('the voters', () => {
  it('R-POLL-1 count as a map of users to options would', () => {
    const votes = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.nat(4)), {
      maxLength: 600,
    });
    fc.assert(
      fc.property(votes, fc.nat(), (all, salt) => {
        const voters = new Voters(5, [salt, salt ^ 0x5555]);
        const model = new Map<string, number>();
        for (const [id, option] of all) {
          voters.vote(`user-${id}`, option);
          model.set(`user-${id}`, option);
        }
        const counts = [0, 0, 0, 0, 0];
        for (const option of model.values()) counts[option]! += 1;
        expect([voters.size, voters.counts]).toEqual([model.size, counts]);
        for (const [user, option] of model) expect(voters.optionOf(user)).toBe(option);
        expect(voters.optionOf('nobody')).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it('R-POLL-5 come back from their chunks, and only changed chunks are written', () => {
    const voters = new Voters(3, SALT);
    const count = 2 * CHUNK_VOTERS + 10;
    for (let i = 0; i < count; i++) voters.vote(`u${i}`, i % 3);
    expect([...voters.dirty]).toEqual([0, 1, 2]);
    const chunks = [0, 1, 2].map((chunk) => voters.takeChunk(chunk));
    expect(voters.dirty.size).toBe(0);
    voters.vote('u1', 1);
    voters.vote(`u${CHUNK_VOTERS + 3}`, (CHUNK_VOTERS + 4) % 3);
    expect([...voters.dirty]).toEqual([1]);
    chunks[1] = voters.takeChunk(1);
    voters.returnChunk(1);
    expect([...voters.dirty]).toEqual([1]);
    const again = new Voters(3, SALT);
    expect(chunks.map((chunk) => again.load(chunk))).toEqual([true, true, true]);
    expect([again.counts, again.size, again.dirty.size]).toEqual([voters.counts, count, 0]);
    expect(again.load('AAAA')).toBe(false);
    expect(new Voters(1, SALT).load(chunks[0]!)).toBe(false);
  });

  it('R-POLL-4 a million voters are told apart in at most 40 bytes each', () => {
    const before = process.memoryUsage().arrayBuffers;
    const voters = new Voters(2, SALT);
    for (let i = 0; i < 1_000_000; i++) voters.vote(`user-${i}`, i & 1);
    expect(voters.counts).toEqual([500_000, 500_000]);
    expect((process.memoryUsage().arrayBuffers - before) / 1_000_000).toBeLessThan(40);
  });
});
