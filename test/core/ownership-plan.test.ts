/** What a holder of leases does next: tables over the pure plan. */
import { beforeEach, describe, expect, it } from 'vitest';
import { decodeOwnerNote, encodeOwnerNote } from '../../src/ownership/owner-note.js';
import {
  countIn,
  fenceIn,
  HAND_OVERS_MAX,
  openHolder,
  plan,
  type HolderAct,
  type HolderEvent,
  type HolderState,
} from '../../src/ownership/plan.js';
import { shareOf } from '../../src/ownership/rendezvous.js';
import { seededRandom } from '../../src/random.js';

const LEASES = Array.from({ length: 8 }, (_, lease) => lease);
const LEASE_MS = 2000;
const random = seededRandom(1);
let state: HolderState;
let now: number;

beforeEach(() => {
  state = openHolder('a', LEASES, LEASE_MS);
  now = 1_000_000;
});

function on(event: HolderEvent): HolderAct[] {
  return plan(state, event, now, random);
}

function leasesOf(acts: readonly HolderAct[], act: HolderAct['act']): number[] {
  return acts
    .filter((each) => each.act === act)
    .map((each) => ('lease' in each ? each.lease : 'fence' in each ? each.fence.shard : -1));
}

/** Knows of these members and has all that is its, at epoch 5. */
function settle(...members: string[]): void {
  on({ event: 'time' });
  const acts = on({ event: 'enlisted', members });
  for (const lease of leasesOf(acts, 'acquire')) on({ event: 'acquired', lease, epoch: 5 });
}

const fence = (shard: number, epoch = 5) => ({ shard, epoch });

describe('a holder', () => {
  it('R-OWN-1 asks for all that is its as soon as it knows the members', () => {
    expect(on({ event: 'time' })).toEqual([{ act: 'enlist', isDeaf: false }]);
    expect(on({ event: 'time' })).toEqual([]);
    const acts = on({ event: 'enlisted', members: ['a', 'b'] });
    expect(leasesOf(acts, 'acquire')).toEqual([...shareOf('a', LEASES, ['a', 'b'])]);
    expect(
      on({
        event: 'acquired',
        lease: acts.length > 0 ? leasesOf(acts, 'acquire')[0]! : -1,
        epoch: 5,
      }),
    ).toMatchObject([{ act: 'take', fence: { epoch: 5 } }]);
    expect(countIn(state)).toBe(1);
  });

  it('R-OWN-3 what another has is asked for again in about 200 ms, and at once when it is released', () => {
    settle('a');
    on({ event: 'fenced', fence: fence(0) });
    on({ event: 'fenced', fence: fence(1) });
    now += LEASE_MS;
    expect(leasesOf(on({ event: 'time' }), 'acquire')).toEqual([0, 1]);
    on({ event: 'acquired', lease: 0 });
    on({ event: 'acquired', lease: 1 });
    now += 149;
    expect(leasesOf(on({ event: 'time' }), 'acquire')).toEqual([]);
    const released = { note: 'released', lease: 0, epoch: 6, owner: 'b' } as const;
    expect(leasesOf(on({ event: 'heard', note: released }), 'acquire')).toEqual([0]);
    now += 102;
    expect(leasesOf(on({ event: 'time' }), 'acquire')).toEqual([1]);
  });

  it('R-OWN-2 a release heard while the lease was asked for is not slept over', () => {
    on({ event: 'time' });
    on({ event: 'enlisted', members: ['a'] });
    on({ event: 'heard', note: { note: 'released', lease: 3, epoch: 4, owner: 'b' } });
    expect(leasesOf(on({ event: 'acquired', lease: 3 }), 'acquire')).toEqual([3]);
  });

  it('R-OWN-4 renews at a quarter of the lease and keeps all while the store is silent', () => {
    settle('a');
    now += LEASE_MS / 4;
    const renewing = leasesOf(on({ event: 'time' }), 'renew');
    expect(renewing).toEqual(LEASES);
    for (const shard of LEASES) on({ event: 'renewed', fence: fence(shard), answer: 'unknown' });
    for (let i = 0; i < 100; i++) {
      now += 250;
      const acts = on({ event: 'time' });
      for (const shard of leasesOf(acts, 'renew')) {
        on({ event: 'renewed', fence: fence(shard), answer: 'unknown' });
      }
      on({ event: 'enlistFailed' });
    }
    expect(LEASES.map((lease) => fenceIn(state, lease))).toEqual(LEASES.map((l) => fence(l)));
  });

  it('R-OWN-5 loses a lease when the store, a commit or a newer owner says so, and only then', () => {
    settle('a');
    expect(on({ event: 'renewed', fence: fence(0), answer: false })[0]).toEqual({
      act: 'lose',
      fence: fence(0),
    });
    expect(leasesOf(on({ event: 'fenced', fence: fence(1) }), 'lose')).toEqual([1]);
    const taken = (lease: number, epoch: number) =>
      on({ event: 'heard', note: { note: 'taken', lease, epoch, owner: 'b' } });
    expect(leasesOf(taken(2, 6), 'lose')).toEqual([2]);
    expect(taken(3, 5)).toEqual([]);
    expect(taken(3, 4)).toEqual([]);
    expect(on({ event: 'fenced', fence: fence(4, 4) })).toEqual([]);
    expect(fenceIn(state, 3)).toEqual(fence(3));
    expect(fenceIn(state, 2)).toBeUndefined();
  });

  it('R-OWN-2 hands over what another is to have, some at a time, serving nobody meanwhile', () => {
    settle('a');
    const kept = shareOf('a', LEASES, ['a', 'b']);
    const going = LEASES.filter((lease) => !kept.has(lease));
    const handing = leasesOf(on({ event: 'enlisted', members: ['a', 'b'] }), 'handOver');
    expect(handing).toEqual(going.slice(0, HAND_OVERS_MAX));
    for (const lease of handing) expect(fenceIn(state, lease)).toBeUndefined();
    expect(on({ event: 'finished', fence: fence(handing[0]!) })[0]).toEqual({
      act: 'release',
      fence: fence(handing[0]!),
    });
    on({ event: 'released', fence: fence(handing[0]!) });
    expect(countIn(state)).toBe(7);
  });

  it('R-OWN-2 the end leaves the list first, then hands over all; what comes late is given back', () => {
    settle('a');
    on({ event: 'renewed', fence: fence(7), answer: false });
    const acts = on({ event: 'stop' });
    expect(acts[0]).toEqual({ act: 'delist' });
    expect(leasesOf(acts, 'handOver')).toEqual(LEASES.slice(0, 7));
    expect(on({ event: 'acquired', lease: 7, epoch: 9 })).toEqual([
      { act: 'release', fence: fence(7, 9) },
    ]);
    for (const lease of LEASES.slice(0, 7)) on({ event: 'finished', fence: fence(lease) });
    for (const lease of LEASES.slice(0, 7)) on({ event: 'released', fence: fence(lease) });
    on({ event: 'released', fence: fence(7, 9) });
    expect(state.slots.size).toBe(0);
    now += 10_000;
    expect(on({ event: 'time' })).toEqual([]);
  });

  it('R-OWN-2 a shard lost in the middle of its hand-over is not released', () => {
    settle('a');
    const lease = leasesOf(on({ event: 'enlisted', members: ['a', 'b'] }), 'handOver')[0]!;
    const note = { note: 'taken', lease, epoch: 6, owner: 'b' } as const;
    expect(leasesOf(on({ event: 'heard', note }), 'lose')).toEqual([lease]);
    expect(leasesOf(on({ event: 'finished', fence: fence(lease) }), 'release')).toEqual([]);
  });

  it('R-OWN-3 looks at the list twice as often as it renews, and at once when told of a change', () => {
    settle('a');
    now += LEASE_MS / 8;
    expect(leasesOf(on({ event: 'time' }), 'enlist')).toHaveLength(1);
    on({ event: 'heard', note: { note: 'left', owner: 'b' } });
    expect(on({ event: 'enlisted', members: ['a'] })).toEqual([{ act: 'enlist', isDeaf: false }]);
  });
});

describe('notes of owners', () => {
  it.each([
    { note: 'taken', lease: 3, epoch: 7, owner: 'a' },
    { note: 'released', lease: 63, epoch: 1_700_000_000, owner: 'room-x' },
    { note: 'joined', owner: 'a' },
    { note: 'left', owner: 'b' },
  ] as const)('R-OWN-2 $note is read as it was written', (note) => {
    expect(decodeOwnerNote(encodeOwnerNote(note))).toEqual(note);
  });

  it.each(['', '{', 'null', '[]', '{"note":"taken","owner":"a"}', '{"note":"gone","owner":"a"}'])(
    'R-OWN-5 what is no note is passed over: %s',
    (text) => {
      expect(decodeOwnerNote(Buffer.from(text))).toBeUndefined();
    },
  );

  it('R-OWN-5 a lease that nobody has is not remembered from a note', () => {
    settle('a');
    on({ event: 'heard', note: { note: 'released', lease: 1e9, epoch: 1, owner: 'b' } });
    expect(state.retryAt.size).toBe(0);
  });
});

describe('a holder without the bus', () => {
  /** What the list is read as at a time after the bus went. */
  function listAt(ms: number, members: readonly string[]): HolderAct[] {
    now += ms - passed;
    passed = ms;
    const asks = on({ event: 'time', hasBus: false });
    return [...asks, ...on({ event: 'enlisted', members })];
  }
  let passed = 0;

  beforeEach(() => {
    settle('a', 'b', 'c');
    passed = 0;
    on({ event: 'time', hasBus: false });
  });

  it('R-OWN-8 says so on the list, and yields after others had the bus for 1.5 s', () => {
    const mine = countIn(state);
    expect(mine).toBeGreaterThan(0);
    expect(listAt(250, ['a', 'b', 'c'])).toEqual([{ act: 'enlist', isDeaf: false }]);
    expect(listAt(500, ['b', 'c', '~a'])).toContainEqual({ act: 'enlist', isDeaf: true });
    expect(leasesOf(listAt(1700, ['b', 'c', '~a']), 'handOver')).toEqual([]);
    expect(leasesOf(listAt(1950, ['b', 'c', '~a']), 'handOver')).toHaveLength(mine);
    expect(state.members).toEqual(['b', 'c']);
  });

  it('R-OWN-8 keeps all when nobody has it, in whatever order they come back', () => {
    const before = state.wanted;
    expect(leasesOf(listAt(500, ['c', '~a', '~b']), 'handOver')).toEqual([]);
    expect(leasesOf(listAt(1000, ['~a', '~b', '~c']), 'handOver')).toEqual([]);
    expect(leasesOf(listAt(9000, ['~a', '~b', '~c']), 'handOver')).toEqual([]);
    // One is back: a second later this one is too.
    listAt(9500, ['b', '~a', '~c']);
    expect(leasesOf(listAt(10_500, ['b', '~a', '~c']), 'handOver')).toEqual([]);
    on({ event: 'time', hasBus: true });
    on({ event: 'enlisted', members: ['a', 'b', '~c'] });
    expect(on({ event: 'enlisted', members: ['a', 'b', 'c'] })).not.toContainEqual(
      expect.objectContaining({ act: 'handOver' }),
    );
    expect(state.wanted).toEqual(before);
  });

  it('R-OWN-8 is passed over by those who have it, and counted again when it is back', () => {
    on({ event: 'time', hasBus: true });
    on({ event: 'enlisted', members: ['a', '~b', 'c', 'b'] });
    expect(state.members).toEqual(['a', 'c']);
    on({ event: 'enlisted', members: ['a', 'b', 'c'] });
    expect(state.members).toEqual(['a', 'b', 'c']);
  });
});
