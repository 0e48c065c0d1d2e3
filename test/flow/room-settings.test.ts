/** Limits that change while a room runs. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import { ROOM, restart, startService, stopAll } from '../kit/room-service.js';

describe('settings', () => {
  it('R-SET-1 a change holds at once, is told to the edges, and survives a restart', async () => {
    const service = await startService();
    const { calls } = service;
    const change = await service.run(calls.changeLimits(ROOM, { textCharacters: 3 }, false));
    expect(change.changed).toEqual([{ path: 'textCharacters', before: 100, after: 3 }]);
    service.say({ ref: 1, text: 'long' }, { ref: 2, text: 'ok' });
    await service.until(() => service.verdicts.length === 2);
    expect(service.verdict(1)!.verdict).toBe('invalid');
    expect(service.verdict(2)!.verdict).toBe('published');
    const rules = { note: 'rules', rules: { textCharacters: 3 } };
    expect(service.ear.notes).toMatchObject([rules]);
    await service.run(calls.changeLimits(ROOM, { budgetPerSecond: 30 }, false));
    expect(service.ear.notes).toHaveLength(1);
    const after = await restart(service);
    const view = await after.run(after.calls.limits(ROOM));
    expect(view.own).toEqual({ textCharacters: 3, budgetPerSecond: 30 });
    expect(view.effective.textCharacters).toBe(3);
    await stopAll(after);
  });

  it('R-SET-2 new defaults hold for what a studio did not set, in loaded and parked rooms', async () => {
    const service = await startService({ options: { parkAfterMs: 1000 } });
    const { calls } = service;
    await service.run(calls.changeLimits(ROOM, { slowModeMs: 5000 }, false));
    const defaults = { ...DEFAULT_SETTINGS, slowModeMs: 1000, textCharacters: 50 };
    service.rooms.setDefaults(defaults);
    const loaded = await service.run(calls.limits(ROOM));
    expect(loaded.effective).toMatchObject({ slowModeMs: 5000, textCharacters: 50 });
    service.clock.advance(3000);
    await service.until(() => service.metric('barrage_room_rooms') === 0);
    service.rooms.setDefaults({ ...defaults, textCharacters: 40 });
    const reloaded = await service.run(calls.limits(ROOM));
    expect(reloaded.effective).toMatchObject({ slowModeMs: 5000, textCharacters: 40 });
    await stopAll(service);
  });

  it('R-SET-3 a dry run answers with the same differences and changes nothing', async () => {
    const service = await startService();
    const { calls } = service;
    const patch = { recent: 10, kinds: { ...DEFAULT_SETTINGS.kinds, gift: 'low' } } as const;
    const commits = service.store.commits.length;
    const dry = await service.run(calls.changeLimits(ROOM, patch, true));
    expect(service.store.commits).toHaveLength(commits);
    expect((await service.run(calls.limits(ROOM))).own).toEqual({});
    const wet = await service.run(calls.changeLimits(ROOM, patch, false));
    expect(wet.changed).toEqual(dry.changed);
    expect(wet.changed.map((each) => each.path)).toEqual(['recent', 'kinds.gift']);
    expect([dry.dryRun, wet.dryRun]).toEqual([true, false]);
    await stopAll(service);
  });

  it('R-SET-4 a flaw in a patch refuses the whole of it', async () => {
    const service = await startService();
    const { calls } = service;
    const patch = { slowModeMs: 1000, tickMs: 19 };
    await expect(service.run(calls.changeLimits(ROOM, patch, false))).rejects.toMatchObject({
      code: 'invalid',
      field: 'tickMs',
      rule: 'minimum 20',
    });
    expect((await service.run(calls.limits(ROOM))).effective).toEqual(DEFAULT_SETTINGS);
    await stopAll(service);
  });

  it('R-SET-2 null gives a setting back to the configuration file', async () => {
    const service = await startService();
    const { calls } = service;
    await service.run(calls.changeLimits(ROOM, { recent: 10, replay: 5 }, false));
    const back = await service.run(calls.changeLimits(ROOM, { recent: null }, false));
    expect(back.own).toEqual({ replay: 5 });
    expect(back.changed).toEqual([{ path: 'recent', before: 10, after: 50 }]);
    await stopAll(service);
  });
});
