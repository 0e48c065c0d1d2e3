/** What a studio may set of its room, and what it changes. */
import { describe, expect, it } from 'vitest';
import {
  differences,
  mergeSettings,
  patchSettings,
  soundSettings,
  type SettingsChange,
} from '../../room/limits.js';
import type { BarrageError } from '../../src/errors.js';
import { DEFAULT_SETTINGS, SETTINGS } from '../../src/room-settings.js';

const { lanes, kinds } = DEFAULT_SETTINGS;

function flawOf(change: unknown): [field: string | undefined, rule: string | undefined] {
  try {
    patchSettings(DEFAULT_SETTINGS, {}, change as SettingsChange);
  } catch (error) {
    const { code, field, rule } = error as BarrageError;
    expect(code).toBe('invalid');
    return [field, rule];
  }
  throw new Error('accepted');
}

/** A mark comes with the other one of its pair where the default would not let it. */
function partnerOf(name: string): SettingsChange {
  if (name === 'cdnOnAbove') return { cdnOffBelow: 0 };
  if (name === 'cdnOffBelow') return { cdnOnAbove: SETTINGS.cdnOnAbove.max };
  if (name === 'cdnEgressOffBelow') return { cdnEgressOnAbove: SETTINGS.cdnEgressOnAbove.max };
  return {};
}

const row = { viewers: 10, budgetPerSecond: 10, tickMs: 100 };
const tooMany = Array.from({ length: 17 }, (_, i) => ({ ...row, viewers: i + 1 }));

describe('patches', () => {
  it.each([
    [{ tickMs: 5001 }, 'tickMs', 'maximum 5000'],
    [{ tickMs: 20.5 }, 'tickMs', 'a whole number'],
    [{ tickMs: '50' }, 'tickMs', 'type number'],
    [{ tickMs: Number.NaN }, 'tickMs', 'type number'],
    [{ userPerSecond: 0.001 }, 'userPerSecond', 'minimum 0.01'],
    [{ guestsSpeak: 1 }, 'guestsSpeak', 'true or false'],
    [{ nothing: 1 }, 'nothing', 'a known setting'],
    [{ toString: 1 }, 'toString', 'a known setting'],
    [{ lanes: [] }, 'lanes', 'an object of the four lanes'],
    [
      { lanes: { ...lanes, urgent: lanes.low } },
      'lanes.urgent',
      'one of control, high, normal, low',
    ],
    [{ lanes: { ...lanes, low: null } }, 'lanes.low', 'an object of share, depth, bytes'],
    [
      { lanes: { ...lanes, low: { ...lanes.low, share: 11 } } },
      'lanes',
      'shares that add up to 100',
    ],
    [{ lanes: { ...lanes, low: { ...lanes.low, depth: 0 } } }, 'lanes.low.depth', 'minimum 1'],
    [{ lanes: { ...lanes, low: { ...lanes.low, x: 0 } } }, 'lanes.low.x', 'no unknown field'],
    [{ cdnOffBelow: 200_000 }, 'cdnOffBelow', 'below cdnOnAbove (200000)'],
    [{ cdnOnAbove: 100_000 }, 'cdnOnAbove', 'above cdnOffBelow (100000)'],
    [{ cdnOnAbove: 1000, cdnOffBelow: 1000 }, 'cdnOffBelow', 'below cdnOnAbove (1000)'],
    [{ cdnEgressOffBelow: 2 ** 30 }, 'cdnEgressOffBelow', 'below cdnEgressOnAbove (1073741824)'],
    [{ cdnEgressOnAbove: 1000 }, 'cdnEgressOnAbove', 'above cdnEgressOffBelow (536870912)'],
    [{ cdnEgressOnAbove: -1 }, 'cdnEgressOnAbove', 'minimum 0'],
    [{ cdnEgressOnAbove: 0.5 }, 'cdnEgressOnAbove', 'a whole number'],
    [{ audience: {} }, 'audience', 'a list of rows'],
    [{ audience: tooMany }, 'audience', 'maxItems 16'],
    [{ audience: [row, row] }, 'audience.1.viewers', 'more than the row before'],
    [{ audience: [{ ...row, tickMs: 1 }] }, 'audience.0.tickMs', 'minimum 20'],
    [{ kinds: 'x' }, 'kinds', 'an object of kind to lane'],
    [{ kinds: { gift: 'top' } }, 'kinds.gift', 'one of control, high, normal, low'],
    [{ kinds: { Gift: 'low' } }, 'kinds.Gift', 'pattern ^[a-z][a-z0-9_.-]{0,31}$'],
    [{ viewerKinds: {} }, 'viewerKinds', 'a list of kinds'],
    [{ viewerKinds: ['chat', 'chat'] }, 'viewerKinds.1', 'no kind twice'],
    [{ viewerKinds: [7] }, 'viewerKinds.0', 'pattern ^[a-z][a-z0-9_.-]{0,31}$'],
    [{ viewerKinds: ['system'] }, 'kinds.system', 'not control while viewers may say it'],
    [
      { kinds: { ...kinds, chat: 'control' } },
      'kinds.chat',
      'not control while viewers may say it',
    ],
  ])('R-SET-4 %j is refused by path and bound', (change, field, rule) => {
    expect(flawOf(change)).toEqual([field, rule]);
  });

  it('R-SET-4 every setting takes its bounds and nothing beyond', () => {
    for (const [name, setting] of Object.entries(SETTINGS)) {
      if (setting.type !== 'number') continue;
      for (const value of [setting.min, setting.max]) {
        const change = { ...partnerOf(name), [name]: value };
        expect(patchSettings(DEFAULT_SETTINGS, {}, change)).toEqual(change);
      }
      expect(flawOf({ [name]: setting.min - 1 })).toEqual([name, `minimum ${setting.min}`]);
      expect(flawOf({ [name]: setting.max + 1 })).toEqual([name, `maximum ${setting.max}`]);
    }
  });

  it('R-CDN-11 a lower mark stays below its upper one, whatever holds it; a mark of 0 needs none', () => {
    const of = (own: SettingsChange, change: SettingsChange) =>
      patchSettings(DEFAULT_SETTINGS, own as typeof DEFAULT_SETTINGS, change);
    const own = { cdnEgressOnAbove: 2000, cdnEgressOffBelow: 1000 };
    expect(of({}, own)).toEqual(own);
    expect(of(own, { cdnEgressOffBelow: 1999 })).toMatchObject({ cdnEgressOffBelow: 1999 });
    expect(() => of(own, { cdnEgressOffBelow: 2000 })).toThrow('below cdnEgressOnAbove (2000)');
    // Given back to the file, where it is 512 MiB.
    expect(() => of(own, { cdnEgressOffBelow: null })).toThrow('below cdnEgressOnAbove (2000)');
    expect(of(own, { cdnEgressOnAbove: null })).toEqual({ cdnEgressOffBelow: 1000 });
    expect(of(own, { cdnEgressOnAbove: 0 })).toMatchObject({ cdnEgressOnAbove: 0 });
    // What another change touches is let be.
    const turned = { cdnEgressOnAbove: 10, cdnEgressOffBelow: 20 };
    expect(of(turned, { tickMs: 50 })).toMatchObject({ tickMs: 50 });
  });

  it('R-SET-2 own values are laid over the defaults; null gives them back', () => {
    const own = patchSettings(
      DEFAULT_SETTINGS,
      { recent: 9, replay: 8 },
      { recent: null, tickMs: 50 },
    );
    expect(own).toEqual({ replay: 8, tickMs: 50 });
    const merged = mergeSettings({ ...DEFAULT_SETTINGS, recent: 3, tickMs: 70 }, own);
    expect(merged).toEqual({ ...DEFAULT_SETTINGS, recent: 3, replay: 8, tickMs: 50 });
  });

  it('R-SET-3 differences are told by path, down to the single value', () => {
    const after = mergeSettings(DEFAULT_SETTINGS, {
      tickMs: 50,
      lanes: { ...lanes, low: { ...lanes.low, depth: 7 } },
      kinds: { chat: 'low' },
      audience: [],
    });
    const told = differences(DEFAULT_SETTINGS, after);
    expect(told).toContainEqual({ path: 'lanes.low.depth', before: 500, after: 7 });
    expect(told).toContainEqual({ path: 'kinds.chat', before: 'normal', after: 'low' });
    expect(told).toContainEqual({ path: 'kinds.gift', before: 'high', after: undefined });
    expect(told).toContainEqual({
      path: 'audience',
      before: DEFAULT_SETTINGS.audience,
      after: [],
    });
    expect(differences(after, after)).toEqual([]);
  });

  it('R-SET-1 stored values that no longer fit are left out by name', () => {
    const { own, dropped } = soundSettings({ tickMs: 1, recent: 5, gone: 1 } as never);
    expect([own, dropped]).toEqual([{ recent: 5 }, ['tickMs', 'gone']]);
  });
});
