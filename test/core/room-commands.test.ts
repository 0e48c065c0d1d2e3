/** Changes of a room's own state: sanctions, settings, audience, and the forgetting of what lapsed. */
import { describe, expect, it } from 'vitest';
import * as commands from '../../room/core/commands.js';
import { rowFor, NO_ROW } from '../../room/core/audience.js';
import { checkInvariants } from '../../room/core/invariants.js';
import { openRoom, queuedOf, takeSettled } from '../../room/core/state.js';
import { dueAt } from '../../room/core/tick.js';
import { T0, Table, offered, room, said, user } from '../kit/room-core.js';

const U = user('u');

describe('sanctions', () => {
  it('R-ADMIT-2 a mute holds until it is lifted or ends', () => {
    const table = new Table(room());
    commands.mute(table.state, U, T0 + 100, T0);
    expect(table.admit(said('u', '1'), T0)?.verdict).toBe('muted');
    commands.mute(table.state, U, 0, T0);
    expect(table.admit(said('u', '2'), T0 + 1000)).toEqual({ ref: 'u:2', verdict: 'muted' });
    commands.unmute(table.state, U);
    expect(table.admit(said('u', '3'), T0 + 1000)).toBeUndefined();
    commands.ban(table.state, U, 0, T0);
    expect(table.admit(said('u', '4'), T0 + 2000)?.verdict).toBe('banned');
    commands.unban(table.state, U);
    expect(table.admit(said('u', '5'), T0 + 2000)).toBeUndefined();
  });

  it('R-ADMIT-2 an end in the past lifts', () => {
    const table = new Table(room({}, { mutes: new Map([[U, 0]]), bans: new Map([[U, 0]]) }));
    commands.mute(table.state, U, T0 - 1, T0);
    commands.ban(table.state, U, T0, T0);
    expect(table.admit(said('u', '1'))).toBeUndefined();
  });

  it('R-ADMIT-3 an allowed user is trusted until disallowed', () => {
    const table = new Table(room({}, { status: 'frozen' }));
    commands.allow(table.state, U, 0);
    expect(table.admit(said('u', '1'))).toBeUndefined();
    commands.disallow(table.state, U);
    expect(table.admit(said('u', '2'))?.verdict).toBe('frozen');
    commands.setStatus(table.state, 'open');
    expect(table.admit(said('u', '3'))).toBeUndefined();
  });

  it('R-ADMIT-2 a sweep forgets what has ended and says so, and nothing else', () => {
    const ends = new Map([
      [user('over'), T0],
      [user('later'), T0 + 1],
      [user('forever'), 0],
    ]);
    const state = room({}, { mutes: ends, bans: ends, allowed: ends });
    const over = [user('over')];
    expect(commands.sweep(state, T0)).toEqual({ mutes: over, bans: over, allowed: over });
    expect([...state.mutes!.keys()]).toEqual(['later', 'forever']);
    expect(ends.size).toBe(3);
  });
});

describe('settings', () => {
  it('R-SET-1 new limits hold for the next danmaku', () => {
    const table = new Table(room());
    const { state } = table;
    expect(table.admit(said('u', 'x'.repeat(20)))).toBeUndefined();
    commands.applySettings(state, { ...state.settings, textCharacters: 10 }, T0);
    expect(table.admit(said('u', 'y'.repeat(20)))?.verdict).toBe('invalid');
    commands.applySettings(state, { ...state.settings, slowModeMs: 1000 }, T0);
    expect(table.admit(said('u', 'z'), T0 + 1)?.verdict).toBe('slow_mode');
    commands.applySettings(state, { ...state.settings, viewerKinds: ['chat'] }, T0);
    expect(table.admit(said('v', 'z'), T0 + 1)?.verdict).toBe('forbidden');
  });

  it('R-SET-1 a new tick and budget hold for what waits already', () => {
    const table = new Table(room({ audience: [] }));
    table.offer(offered('normal', 'a'));
    table.tick(T0);
    for (let i = 0; i < 50; i++) table.offer(offered('normal', `${i}`));
    const settings = { ...table.state.settings, tickMs: 500, budgetPerSecond: 10 };
    commands.applySettings(table.state, settings, T0);
    expect(dueAt(table.state, T0)).toBe(T0 + 500);
    expect(table.tick(T0 + 500).drop.length).toBeLessThanOrEqual(9);
  });

  it('R-ADMIT-3 what was queued before a room closed still goes out', () => {
    const table = new Table(room());
    table.admit(said('u', 'last word'));
    commands.setStatus(table.state, 'closed');
    expect(table.tick(T0).drop.length).toBe(1);
  });

  it('R-TICK-9 rows are chosen by viewers, an empty table has none', () => {
    const settings = room().settings;
    expect(rowFor({ ...settings, audience: [] }, 1e9, NO_ROW)).toBe(NO_ROW);
    expect(rowFor(settings, 4999, NO_ROW)).toBe(NO_ROW);
    expect(rowFor(settings, 5000, NO_ROW)).toBe(0);
    expect(rowFor(settings, 10_000, NO_ROW)).toBe(1);
    expect(rowFor(settings, 95_000, NO_ROW)).toBe(1);
    expect(rowFor(settings, 95_000, 2)).toBe(2);
    expect(rowFor(settings, 9000, 2)).toBe(1);
  });
});

describe('a room at rest', () => {
  it('R-KEEP-8 starts with what it was given', () => {
    const state = room({}, { likes: 41, status: 'frozen', epoch: 9, seq: 100 });
    expect(state).toMatchObject({ likes: 41, status: 'frozen', epoch: 9, seq: 100, tick: 0 });
    expect(queuedOf(state)).toEqual({ control: 0, high: 0, normal: 0, low: 0 });
    expect([takeSettled(state), dueAt(state, T0), checkInvariants(state)]).toEqual([
      [],
      Infinity,
      [],
    ]);
  });

  it('R-LANE-1 invariants notice books that do not balance', () => {
    const table = new Table(room());
    table.admit(said('u', 'a'));
    const { state } = table;
    state.received += 1;
    expect(checkInvariants(state)).toEqual(['2 in, 0 ended, 1 queued']);
    state.received -= 1;
    state.lanes.normal.bytes += 1;
    expect(checkInvariants(state)).toEqual(['normal bytes']);
  });

  it('R-ADMIT-1 two rooms of one seed share settings and nothing else', () => {
    const seed = { mutes: new Map([[U, 0]]), bans: new Map(), allowed: new Map() };
    const one = room({}, seed);
    const two = openRoom({
      ...seed,
      ...one,
      room: one.room,
      now: T0,
      mutes: seed.mutes,
      bans: seed.bans,
      allowed: seed.allowed,
    });
    commands.unmute(one, U);
    one.verdicts.shed += 1;
    expect(two.settings).toBe(one.settings);
    expect(two.mutes?.size).toBe(1);
    expect(two.verdicts.shed).toBe(0);
  });
});
