/**
 * Owns the rules of a room's settings: what a patch may contain, what holds when it is laid over the
 * configuration file's defaults, and what that changes. Pure; knows no room and no store.
 */
import { BarrageError } from '../src/errors.js';
import {
  KIND_LIMIT_BOUNDS,
  SETTINGS,
  SHED_ORDERS,
  type NumberSetting,
  type RoomSettings,
  type SettingName,
  type SettingsPatch,
} from '../src/room-settings.js';
import { LANES, classOf, type Lane } from '../src/words.js';
import { permissionsFlaw } from './powers/permission-rules.js';

/** A patch as a studio sends it: null gives a setting back to the configuration file. */
export type SettingsChange = { readonly [K in keyof SettingsPatch]: SettingsPatch[K] | null };

export interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

interface Flaw {
  readonly path: string;
  readonly rule: string;
}

const AUDIENCE_ROWS_MAX = 16;
const KINDS_MAX = 100;
const LANE_DEPTH_MAX = 100_000;
const LANE_BYTES_MIN = 8 << 10;
const LANE_BYTES_MAX = 256 << 20;
const CDN_MARKS = [
  ['cdnOnAbove', 'cdnOffBelow'],
  ['cdnEgressOnAbove', 'cdnEgressOffBelow'],
] as const;
const kindPattern = /^[a-z][a-z0-9_.-]{0,31}$/;

/** What holds: the studio's own values over the defaults, each whole. */
export function mergeSettings(defaults: RoomSettings, own: SettingsPatch): RoomSettings {
  return { ...defaults, ...own };
}

/**
 * The studio's own values after a change. Throws BarrageError `invalid` naming path and bound of
 * the first flaw; nothing of the change is taken then.
 */
export function patchSettings(
  defaults: RoomSettings,
  own: SettingsPatch,
  change: SettingsChange,
): SettingsPatch {
  const next: Record<string, unknown> = { ...own };
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaults, name)) throw refuse({ path: name, rule: 'a known setting' });
    if (value === null) {
      delete next[name];
      continue;
    }
    const flaw = settingFlaw(name, value);
    if (flaw !== undefined) throw refuse(flaw);
    next[name] = value;
  }
  if ('kinds' in change || 'viewerKinds' in change) {
    const flaw = viewerLaneFlaw(mergeSettings(defaults, next as SettingsPatch));
    if (flaw !== undefined) throw refuse(flaw);
  }
  const flaw = marksFlaw(mergeSettings(defaults, next as SettingsPatch), change);
  if (flaw !== undefined) throw refuse(flaw);
  return next as SettingsPatch;
}

/** A room goes back below a lower mark than it went over; told at what was changed. */
function marksFlaw(settings: RoomSettings, change: SettingsChange): Flaw | undefined {
  for (const [on, off] of CDN_MARKS) {
    if (!(on in change || off in change)) continue;
    const isUnused = on === 'cdnEgressOnAbove' && settings[on] === 0;
    if (isUnused || settings[off] < settings[on]) continue;
    return off in change
      ? { path: off, rule: `below ${on} (${settings[on]})` }
      : { path: on, rule: `above ${off} (${settings[off]})` };
  }
  return undefined;
}

/** Stored values that are still within their bounds; bounds may have changed with the version. */
export function soundSettings(own: SettingsPatch): { own: SettingsPatch; dropped: string[] } {
  const sound: Record<string, unknown> = {};
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(own)) {
    if (settingFlaw(name, value) === undefined) sound[name] = value;
    else dropped.push(name);
  }
  return { own: sound as SettingsPatch, dropped };
}

/** Every value that differs, by path; lists and rows are compared whole. */
export function differences(before: RoomSettings, after: RoomSettings): Difference[] {
  const out: Difference[] = [];
  for (const name of Object.keys(after)) {
    const key = name as keyof RoomSettings;
    compare(name, before[key], after[key], out);
  }
  return out;
}

function compare(path: string, before: unknown, after: unknown, out: Difference[]): void {
  if (!isRecord(before) || !isRecord(after)) {
    if (JSON.stringify(before) !== JSON.stringify(after)) out.push({ path, before, after });
    return;
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(`${path}.${name}`, before[name], after[name], out);
  }
}

function settingFlaw(name: string, value: unknown): Flaw | undefined {
  if (Object.hasOwn(SETTINGS, name)) {
    const setting = SETTINGS[name as SettingName];
    if (setting.type === 'number') return numberFlaw(name, value, setting);
    if (setting.type === 'choice') {
      const isWord = (setting.words as readonly unknown[]).includes(value);
      return isWord ? undefined : { path: name, rule: `one of ${setting.words.join(', ')}` };
    }
    return typeof value === 'boolean' ? undefined : { path: name, rule: 'true or false' };
  }
  switch (name) {
    case 'lanes':
      return lanesFlaw(value);
    case 'audience':
      return audienceFlaw(value);
    case 'kinds':
      return kindsFlaw(value);
    case 'viewerKinds':
      return viewerKindsFlaw(value);
    case 'kindLimits':
      return kindLimitsFlaw(value);
    case 'permissions':
      return permissionsFlaw(value);
    default:
      return { path: name, rule: 'a known setting' };
  }
}

type Bounds = Pick<NumberSetting, 'unit' | 'min' | 'max'>;

function numberFlaw(path: string, value: unknown, { unit, min, max }: Bounds): Flaw | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return { path, rule: 'type number' };
  if (unit !== 'perSecond' && !Number.isInteger(value)) return { path, rule: 'a whole number' };
  if (value < min) return { path, rule: `minimum ${min}` };
  return value > max ? { path, rule: `maximum ${max}` } : undefined;
}

const LANE_BOUNDS: Readonly<Record<string, Bounds>> = {
  share: { unit: 'percent', min: 0, max: 100 },
  depth: { unit: 'count', min: 1, max: LANE_DEPTH_MAX },
  bytes: { unit: 'bytes', min: LANE_BYTES_MIN, max: LANE_BYTES_MAX },
};

function lanesFlaw(value: unknown): Flaw | undefined {
  if (!isRecord(value)) return { path: 'lanes', rule: 'an object of the four lanes' };
  const unknown = Object.keys(value).find((name) => !isLane(name));
  if (unknown !== undefined)
    return { path: `lanes.${unknown}`, rule: `one of ${LANES.join(', ')}` };
  let shares = 0;
  for (const lane of LANES) {
    const { shed, ...settings } = (value[lane] ?? {}) as Record<string, unknown>;
    const given = isRecord(value[lane]) ? settings : value[lane];
    const flaw = fieldsFlaw(`lanes.${lane}`, given, LANE_BOUNDS) ?? shedFlaw(lane, shed);
    if (flaw !== undefined) return flaw;
    shares += settings['share'] as number;
  }
  return shares === 100 ? undefined : { path: 'lanes', rule: 'shares that add up to 100' };
}

function audienceFlaw(value: unknown): Flaw | undefined {
  if (!Array.isArray(value)) return { path: 'audience', rule: 'a list of rows' };
  if (value.length > AUDIENCE_ROWS_MAX) {
    return { path: 'audience', rule: `maxItems ${AUDIENCE_ROWS_MAX}` };
  }
  const bounds: Readonly<Record<string, Bounds>> = {
    viewers: { unit: 'count', min: 1, max: 1_000_000_000 },
    budgetPerSecond: SETTINGS.budgetPerSecond,
    tickMs: SETTINGS.tickMs,
  };
  let viewers = 0;
  for (const [i, row] of value.entries()) {
    const flaw = fieldsFlaw(`audience.${i}`, row, bounds);
    if (flaw !== undefined) return flaw;
    const from = (row as { viewers: number }).viewers;
    if (from <= viewers) return { path: `audience.${i}.viewers`, rule: 'more than the row before' };
    viewers = from;
  }
  return undefined;
}

function fieldsFlaw(
  path: string,
  value: unknown,
  bounds: Readonly<Record<string, Bounds>>,
): Flaw | undefined {
  if (!isRecord(value)) return { path, rule: `an object of ${Object.keys(bounds).join(', ')}` };
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(bounds, name)) return { path: `${path}.${name}`, rule: 'no unknown field' };
  }
  for (const [name, bound] of Object.entries(bounds)) {
    const flaw = numberFlaw(`${path}.${name}`, value[name], bound);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

function kindsFlaw(value: unknown): Flaw | undefined {
  if (!isRecord(value)) return { path: 'kinds', rule: 'an object of kind to lane' };
  const entries = Object.entries(value);
  if (entries.length > KINDS_MAX) return { path: 'kinds', rule: `maxProperties ${KINDS_MAX}` };
  for (const [kind, lane] of entries) {
    const path = `kinds.${kind.slice(0, 40)}`;
    if (!kindPattern.test(kind)) return { path, rule: `pattern ${kindPattern.source}` };
    if (!isLane(lane)) return { path, rule: `one of ${LANES.join(', ')}` };
  }
  return undefined;
}

function shedFlaw(lane: Lane, shed: unknown): Flaw | undefined {
  if (shed === undefined) return undefined;
  const path = `lanes.${lane}.shed`;
  if (classOf(lane) === 'keep') return { path, rule: 'absent: a keepable lane refuses newcomers' };
  const isOrder = (SHED_ORDERS as readonly unknown[]).includes(shed);
  return isOrder ? undefined : { path, rule: `one of ${SHED_ORDERS.join(', ')}` };
}

function kindLimitsFlaw(value: unknown): Flaw | undefined {
  if (!isRecord(value)) return { path: 'kindLimits', rule: 'an object of kind to limit' };
  const entries = Object.entries(value);
  if (entries.length > KINDS_MAX) return { path: 'kindLimits', rule: `maxProperties ${KINDS_MAX}` };
  for (const [kind, limit] of entries) {
    const path = `kindLimits.${kind.slice(0, 40)}`;
    if (!kindPattern.test(kind)) return { path, rule: `pattern ${kindPattern.source}` };
    const flaw = fieldsFlaw(path, limit, KIND_LIMIT_BOUNDS);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

function viewerKindsFlaw(value: unknown): Flaw | undefined {
  if (!Array.isArray(value)) return { path: 'viewerKinds', rule: 'a list of kinds' };
  if (value.length > KINDS_MAX) return { path: 'viewerKinds', rule: `maxItems ${KINDS_MAX}` };
  for (const [i, kind] of value.entries()) {
    const path = `viewerKinds.${i}`;
    if (typeof kind !== 'string' || !kindPattern.test(kind)) {
      return { path, rule: `pattern ${kindPattern.source}` };
    }
    if (value.indexOf(kind) !== i) return { path, rule: 'no kind twice' };
  }
  return undefined;
}

/** The control lane ticks at once and outside the budget: no viewer's kind may go there. */
function viewerLaneFlaw(settings: RoomSettings): Flaw | undefined {
  const kind = settings.viewerKinds.find((each) => settings.kinds[each] === 'control');
  if (kind === undefined) return undefined;
  return { path: `kinds.${kind}`, rule: 'not control while viewers may say it' };
}

function refuse(flaw: Flaw): BarrageError {
  const { path, rule } = flaw;
  return new BarrageError('invalid', `"${path}" must be: ${rule}`, { field: path, rule });
}

function isLane(value: unknown): value is Lane {
  return (LANES as readonly unknown[]).includes(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
