/**
 * Owns the table of what each room may set for itself while it runs: name, unit, default, bounds
 * and the reason. The API schema, the configuration file's `room:` section and the documentation
 * are made from this table; the room core reads the resulting RoomSettings.
 */
import { DEFAULT_PERMISSIONS, type Permissions } from './permissions.js';
import type { Lane } from './words.js';

export type SettingUnit = 'count' | 'perSecond' | 'ms' | 'bytes' | 'characters' | 'percent';

export interface NumberSetting {
  readonly type: 'number';
  readonly unit: SettingUnit;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

export interface FlagSetting {
  readonly type: 'flag';
  readonly value: boolean;
  readonly about: string;
}

export interface ChoiceSetting {
  readonly type: 'choice';
  readonly value: string;
  readonly words: readonly string[];
  readonly about: string;
}

function number(
  unit: SettingUnit,
  value: number,
  min: number,
  max: number,
  about: string,
): NumberSetting {
  return { type: 'number', unit, value, min, max, about };
}

function flag(value: boolean, about: string): FlagSetting {
  return { type: 'flag', value, about };
}

function choice<const T extends string>(value: T, words: readonly T[], about: string) {
  return { type: 'choice', value, words, about } as const;
}

/** Whether a room's droppable publications are on the CDN. */
export const CDN_CHOICES = ['off', 'on', 'auto'] as const;
export type CdnChoice = (typeof CDN_CHOICES)[number];

/** Scalar settings. Sources of the defaults: docs/adr and README "Limits". */
export const SETTINGS = {
  tickMs: number('ms', 100, 20, 5000, 'the room sends at most once in this time, control apart'),
  budgetPerSecond: number('perSecond', 60, 1, 10_000, 'publications one viewer gets per second'),
  uplinkPerSecond: number('perSecond', 200, 0, 1_000_000, 'danmaku let in per second, all users'),
  uplinkBurst: number('count', 50, 1, 1_000_000, 'danmaku let in at once on top of the rate'),
  userPerSecond: number('perSecond', 2, 0.01, 1000, 'danmaku one user may say per second'),
  userBurst: number('count', 5, 1, 1000, 'danmaku one user may say at once'),
  slowModeMs: number('ms', 0, 0, 120_000, 'least time between two danmaku of one user'),
  textCharacters: number('characters', 100, 1, 1000, 'longest text, in Unicode characters'),
  textBytes: number('bytes', 1024, 1, 4000, 'longest text, in UTF-8 bytes'),
  perUserPerTick: number('count', 2, 1, 1000, 'places one user may take of a tick under load'),
  laneWaitMs: number('ms', 1000, 20, 10_000, 'a danmaku not chosen within this time is let go'),
  likeEveryMs: number('ms', 1000, 100, 60_000, 'likes are counted and told once in this time'),
  repeatTextMs: number('ms', 0, 0, 600_000, 'one user may not repeat a text within; 0: may'),
  mergeLoose: flag(false, 'equal texts may differ in runs, end marks and emoji variation'),
  mergeMs: number('ms', 0, 0, 60_000, 'equals of a text just told are counted so long; 0: not'),
  comboMs: number('ms', 0, 0, 600_000, "gap that ends a user's run of one gift; 0: no combos"),
  enterEveryMs: number('ms', 2000, 0, 60_000, 'enter notices told once in this time; 0: each'),
  enterNameLevel: number('count', 30, 0, 1_000_000, 'users from this level on enter by name'),
  emojiPerSecond: number('perSecond', 0, 0, 1_000_000, 'texts of 4 characters let through; 0: all'),
  emojiEveryMs: number('ms', 2000, 100, 60_000, 'such texts past that are told once in this time'),
  emojiTop: number('count', 5, 1, 20, 'of them so many are told with their counts'),
  recent: number('count', 50, 0, 200, 'publications a viewer gets on joining'),
  replay: number('count', 500, 0, 10_000, 'missed keepable publications replayed at most'),
  logCount: number('count', 10_000, 100, 1_000_000, 'keepable publications kept in the log'),
  logBytes: number('bytes', 8 << 20, 64 << 10, 1 << 30, 'bytes of publications kept in the log'),
  pinsMax: number('count', 3, 1, 5, 'publications pinned at once; the oldest makes place'),
  archive: flag(false, 'droppable publications are kept too, for export'),
  archiveCount: number('count', 100_000, 100, 1_000_000, 'publications kept in the archive'),
  archiveBytes: number('bytes', 64 << 20, 64 << 10, 4 * 2 ** 30, 'bytes kept in the archive'),
  viewersMax: number('count', 1_000_000, 1, 100_000_000, 'viewers one edge lets into the room'),
  presenceMax: number('count', 5000, 0, 50_000, 'users a list is kept of; above only numbers'),
  presenceLingerMs: number(
    'ms',
    5000,
    0,
    120_000,
    'a user may reconnect within before it has left',
  ),
  enterNotices: flag(false, 'a user who comes is announced by a publication of kind enter'),
  guestsSpeak: flag(false, 'viewers without an account may speak'),
  cdn: choice<CdnChoice>('auto', CDN_CHOICES, 'droppable publications by CDN; auto: by the marks'),
  cdnOnAbove: number('count', 200_000, 1, 1_000_000_000, 'with auto: on from so many viewers'),
  cdnOffBelow: number('count', 100_000, 0, 999_999_999, 'with auto: off below, after cdnStayMs'),
  // As many viewers as those of cdnOnAbove ask for at 20 publications/s of 268 bytes.
  cdnEgressOnAbove: number(
    'bytes',
    2 ** 30,
    0,
    2 ** 43,
    'with auto: on from so many bytes/s (droppable, x viewers); 0: no mark',
  ),
  cdnEgressOffBelow: number(
    'bytes',
    2 ** 29,
    0,
    2 ** 43 - 2 ** 30,
    'with auto: off below that too, after cdnStayMs',
  ),
  cdnStayMs: number('ms', 60_000, 1000, 3_600_000, 'with auto: the least time between changes'),
} as const satisfies Record<string, ScalarSetting>;

export type ScalarSetting = NumberSetting | FlagSetting | ChoiceSetting;

export type SettingName = keyof typeof SETTINGS;

export interface LaneSettings {
  /** Share of the budget, percent; the four add up to 100. */
  readonly share: number;
  /** Most entries and bytes queued. */
  readonly depth: number;
  readonly bytes: number;
  /** Who goes when a droppable lane is full; absent means `random`. Keepable lanes refuse. */
  readonly shed?: ShedOrder;
}

/** At random, the one that waits the longest, or the newcomer. */
export const SHED_ORDERS = ['random', 'oldest', 'newest'] as const;
export type ShedOrder = (typeof SHED_ORDERS)[number];

/** How often one user may say one kind, beside what it may say in all. */
export interface KindLimit {
  readonly perSecond: number;
  readonly burst: number;
}
export const KIND_LIMIT_BOUNDS = {
  perSecond: { unit: 'perSecond', min: 0.01, max: 1000 },
  burst: { unit: 'count', min: 1, max: 1000 },
} as const;

/** From `viewers` on, the budget and tick of this row apply instead of the room's own. */
export interface AudienceRow {
  readonly viewers: number;
  readonly budgetPerSecond: number;
  readonly tickMs: number;
}

type Scalars = {
  readonly [K in SettingName]: ValueOf<(typeof SETTINGS)[K]>;
};
export type ValueOf<S extends ScalarSetting> = S extends ChoiceSetting
  ? S['words'][number]
  : S extends FlagSetting
    ? boolean
    : number;

export interface RoomSettings extends Scalars {
  readonly lanes: Readonly<Record<Lane, LaneSettings>>;
  /** In rising order of `viewers`; empty means the room's own numbers always hold. */
  readonly audience: readonly AudienceRow[];
  /** Lane of each kind; a kind not named goes to `normal`. */
  readonly kinds: Readonly<Record<string, Lane>>;
  /** Kinds a viewer may say; the others are the studio's. */
  readonly viewerKinds: readonly string[];
  /** The least role of each action (src/permissions.ts); one not named follows the defaults. */
  readonly permissions: Permissions;
  /** Quotas of one user by kind; that of `like` takes the place of its usual one. */
  readonly kindLimits: Readonly<Record<string, KindLimit>>;
}

/** What a studio changed of its room; the rest follows the configuration file. */
export type SettingsPatch = { readonly [K in keyof RoomSettings]?: RoomSettings[K] };

function scalarDefaults(): Scalars {
  const out: Record<string, number | boolean | string> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) out[name] = setting.value;
  return out as Scalars;
}

/**
 * Audience rows after Agora (200/s, 100/s from 1,000, 30/s from 10,000) and Tencent (40/s a group).
 * Large rooms tick more often, not less: their edges join what several ticks bring at a pace of their
 * own, so that a longer tick would only be waited for twice.
 */
export const DEFAULT_SETTINGS: RoomSettings = {
  ...scalarDefaults(),
  lanes: {
    control: { share: 10, depth: 200, bytes: 256 << 10 },
    high: { share: 30, depth: 500, bytes: 512 << 10 },
    normal: { share: 50, depth: 1000, bytes: 1 << 20, shed: 'random' },
    low: { share: 10, depth: 500, bytes: 512 << 10, shed: 'random' },
  },
  audience: [
    { viewers: 5000, budgetPerSecond: 60, tickMs: 40 },
    { viewers: 10_000, budgetPerSecond: 40, tickMs: 40 },
    { viewers: 100_000, budgetPerSecond: 20, tickMs: 100 },
  ],
  kinds: {
    system: 'control',
    notice: 'control',
    gift: 'high',
    danmaku: 'normal',
    chat: 'normal',
    like: 'low',
    enter: 'low',
    combo: 'normal',
    emoji: 'low',
  },
  viewerKinds: ['danmaku', 'chat', 'like'],
  permissions: DEFAULT_PERMISSIONS,
  kindLimits: {},
};

/** The rules an edge needs to refuse early what the room would refuse. */
export interface EdgeRules {
  readonly textCharacters: number;
  readonly textBytes: number;
  readonly recent: number;
  readonly replay: number;
  readonly viewersMax: number;
  readonly guestsSpeak: boolean;
  readonly viewerKinds: readonly string[];
  /** Lane of each kind: what the admission level goes by. */
  readonly kinds: Readonly<Record<string, Lane>>;
  /** Those of `viewerKinds` that are no danmaku (votes, queues): never sampled out at an edge. */
  readonly powerKinds?: readonly string[];
  /** Those of `powerKinds` that guests may say although they do not speak. */
  readonly guestKinds?: readonly string[];
}

export function edgeRules(settings: RoomSettings): EdgeRules {
  const { textCharacters, textBytes, recent, replay, viewersMax } = settings;
  const { guestsSpeak, viewerKinds, kinds } = settings;
  return {
    ...{ textCharacters, textBytes, recent, replay, viewersMax },
    ...{ guestsSpeak, viewerKinds, kinds },
  };
}

/** The lane the room names for a kind; `normal` for one it does not name. */
export function laneOfKind(kinds: Readonly<Record<string, Lane>>, kind: string): Lane {
  return Object.hasOwn(kinds, kind) ? kinds[kind]! : 'normal';
}
