/**
 * Owns the `room:` section: the table of src/room-settings.ts as settings of the file, and back.
 * In the file a setting in milliseconds loses its `Ms` and takes a duration (`tick: 100ms`); one in
 * bytes keeps its name and takes a size (`textBytes: 1KiB`).
 */
import {
  DEFAULT_SETTINGS,
  KIND_LIMIT_BOUNDS,
  SETTINGS,
  SHED_ORDERS,
  type AudienceRow,
  type KindLimit,
  type LaneSettings,
  type RoomSettings,
  type ScalarSetting,
  type SettingName,
  type ValueOf,
} from '../room-settings.js';
import { PERMISSION_PATTERN, PERMITTED, type Permissions } from '../permissions.js';
import { LANES, type Lane } from '../words.js';
import * as leaf from './leaves.js';
import type { Leaf } from './leaves.js';
import { formatDuration, formatSize } from './units.js';

type FileName<K extends string> = K extends `${infer Short}Ms` ? Short : K;
type ScalarLeaves = {
  readonly [K in SettingName as FileName<K>]: Leaf<ValueOf<(typeof SETTINGS)[K]>>;
};

const KIND_PATTERN = /^[a-z][a-z0-9_.-]{0,31}$/;
const KIND_RULE = 'a kind (a-z, then a-z 0-9 _ . -)';

/** A room setting's name in the file. */
export function fileNameOf(name: SettingName): string {
  const setting: ScalarSetting = SETTINGS[name];
  return setting.type === 'number' && setting.unit === 'ms' ? name.slice(0, -'Ms'.length) : name;
}

function scalarLeaf(setting: ScalarSetting): Leaf<number> | Leaf<boolean> | Leaf<string> {
  if (setting.type === 'choice') return leaf.choice(setting.value, setting.words, setting.about);
  if (setting.type === 'flag') return leaf.flag(setting.value, setting.about);
  const { unit, value, min, max, about } = setting;
  switch (unit) {
    case 'ms':
      return leaf.duration(
        formatDuration(value),
        [formatDuration(min), formatDuration(max)],
        about,
      );
    case 'bytes':
      return leaf.size(formatSize(value), [formatSize(min), formatSize(max)], about);
    case 'perSecond':
      return leaf.number(value, [min, max], about);
    default:
      return leaf.whole(value, [min, max], about);
  }
}

function scalarLeaves(): ScalarLeaves {
  const named = Object.entries(SETTINGS).map(([name, setting]) => [
    fileNameOf(name as SettingName),
    scalarLeaf(setting),
  ]);
  return Object.fromEntries(named) as ScalarLeaves;
}

function laneLeaves(lane: Lane) {
  const { share, depth, bytes } = DEFAULT_SETTINGS.lanes[lane];
  return {
    share: leaf.number(share, [0, 100], 'percent of the budget; the four add up to 100'),
    depth: leaf.whole(depth, [1, 100_000], 'publications that may wait'),
    bytes: leaf.size(formatSize(bytes), ['8KiB', '256MiB'], 'bytes that may wait'),
  };
}

/** A droppable lane's leaves. */
function openLaneLeaves(lane: 'normal' | 'low') {
  const about = 'who goes when the lane is full: at random, the oldest, the newcomer';
  return { ...laneLeaves(lane), shed: leaf.choice('random', SHED_ORDERS, about) };
}

/** In the file a list: keys of a map are not checked one by one. */
interface FileKindLimit extends KindLimit {
  readonly kind: string;
}

interface FileAudienceRow {
  readonly viewers: number;
  readonly budgetPerSecond: number;
  readonly tick: number;
}

const { budgetPerSecond, tick } = scalarLeaves();

export const ROOM_SECTION = {
  ...scalarLeaves(),
  lanes: {
    control: laneLeaves('control'),
    high: laneLeaves('high'),
    normal: openLaneLeaves('normal'),
    low: openLaneLeaves('low'),
  },
  audience: leaf.entries<FileAudienceRow>(
    DEFAULT_SETTINGS.audience.map(({ tickMs, ...row }) => ({ ...row, tick: tickMs })),
    {
      viewers: leaf.leafField(leaf.whole(1, [1, 1_000_000_000], 'viewers')),
      budgetPerSecond: leaf.leafField(budgetPerSecond),
      tick: leaf.leafField(tick),
    },
    'from this many viewers on these numbers hold instead; in rising order',
    { most: 16 },
  ),
  kinds: leaf.wordMap(
    DEFAULT_SETTINGS.kinds,
    LANES,
    KIND_PATTERN,
    'lane of each kind, an unnamed one goes to normal; given, it replaces the whole table',
  ),
  permissions: leaf.wordMap(
    DEFAULT_SETTINGS.permissions,
    PERMITTED,
    PERMISSION_PATTERN,
    'least role of each action a viewer may take; one not named follows the defaults',
  ),
  viewerKinds: leaf.texts(
    DEFAULT_SETTINGS.viewerKinds,
    "kinds a viewer may say; the others are the studio's",
    { pattern: KIND_PATTERN, rule: KIND_RULE },
  ),
  kindLimits: leaf.entries<FileKindLimit>(
    [],
    {
      kind: leaf.textField(KIND_PATTERN, KIND_RULE),
      perSecond: leaf.leafField(
        leaf.number(1, [KIND_LIMIT_BOUNDS.perSecond.min, KIND_LIMIT_BOUNDS.perSecond.max], ''),
      ),
      burst: leaf.leafField(
        leaf.whole(1, [KIND_LIMIT_BOUNDS.burst.min, KIND_LIMIT_BOUNDS.burst.max], ''),
      ),
    },
    "one user's danmaku of a kind per second and at once, beside those of all kinds",
    { most: 100 },
  ),
} as const;

type ScalarValues = { readonly [name: string]: unknown };

/** The section's parts that are not scalars. */
interface RoomParts {
  readonly lanes: Readonly<Record<Lane, LaneSettings>>;
  readonly audience: readonly FileAudienceRow[];
  readonly kinds: Readonly<Record<string, Lane>>;
  readonly viewerKinds: readonly string[];
  readonly permissions: Permissions;
  readonly kindLimits: readonly FileKindLimit[];
}

/** The section with the names and units of the code. */
export function toRoomSettings(section: RoomParts): RoomSettings {
  const values = section as unknown as ScalarValues;
  const names = Object.keys(SETTINGS) as SettingName[];
  const scalars = Object.fromEntries(names.map((name) => [name, values[fileNameOf(name)]]));
  const audience: AudienceRow[] = section.audience.map((row) => ({
    viewers: row.viewers,
    budgetPerSecond: row.budgetPerSecond,
    tickMs: row.tick,
  }));
  const { lanes, kinds, viewerKinds, permissions } = section;
  const limits = section.kindLimits.map(({ kind, ...limit }) => [kind, limit] as const);
  return {
    ...(scalars as unknown as RoomSettings),
    lanes,
    audience,
    kinds,
    viewerKinds,
    permissions,
    kindLimits: Object.fromEntries(limits),
  };
}
