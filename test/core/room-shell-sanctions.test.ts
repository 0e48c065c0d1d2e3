/** The list of a room's sanctions: its bound and its pages. */
import { describe, expect, it } from 'vitest';
import type { Sanction, SanctionKind } from '../../room/calls/calls.js';
import { openRoom } from '../../room/core/state.js';
import type { Room } from '../../room/room.js';
import { Sanctions } from '../../room/sanctions.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { seededRandom } from '../../src/random.js';
import { ManualClock } from '../kit/manual-clock.js';

/** As much of a room as sanctions need; its log takes everything. */
function roomOver(clock: ManualClock): Room {
  const state = openRoom({
    room: 'r' as RoomId,
    epoch: 1,
    status: 'open',
    settings: DEFAULT_SETTINGS,
    ...{ mutes: new Map(), bans: new Map(), allowed: new Map() },
    ...{ likes: 0, now: clock.now() },
  });
  const change = async (_: unknown, kept: () => void) => kept();
  return { clock, state, log: { change }, note: () => undefined } as unknown as Room;
}

function newSanctions(max: number, clock = new ManualClock()): Sanctions {
  const kinds: Record<SanctionKind, Map<UserId, Sanction>> = {
    mutes: new Map(),
    bans: new Map(),
    allowed: new Map(),
  };
  return new Sanctions(roomOver(clock), kinds, max);
}

describe('sanctions', () => {
  it('A-6 over the bound a new one is refused too_large, a renewal is not', async () => {
    const sanctions = newSanctions(2);
    const impose = (id: string) => sanctions.impose('bans', { user: id as UserId, until: 0 });
    await impose('a');
    await impose('b');
    await expect(impose('c')).rejects.toMatchObject({ code: 'too_large', field: 'bans' });
    await impose('a');
    await sanctions.lift('bans', 'b' as UserId);
    await impose('c');
    expect(sanctions.page('bans', '', 10).items.map((each) => each.user)).toEqual(['a', 'c']);
  });

  it('A-6 pages of any size give every user once, in order', async () => {
    const clock = new ManualClock();
    const sanctions = newSanctions(1000, clock);
    const random = seededRandom(11);
    const users = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const id = random.below(1_000_000).toString(36);
      users.add(id);
      await sanctions.impose('mutes', { user: id as UserId, until: 0 });
      await sanctions.impose('mutes', { user: `ends-${i}` as UserId, until: clock.now() + 5 });
    }
    clock.advance(5);
    for (const limit of [1, 7, 300, 1000]) {
      const seen: string[] = [];
      for (let after: string | undefined = ''; after !== undefined;) {
        const page = sanctions.page('mutes', after, limit);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map((each) => each.user));
        after = page.next;
      }
      expect(seen).toEqual([...users].sort());
    }
  });
});
