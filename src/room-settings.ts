/**
 * Owns the table of what each room may set for itself while it runs: name, unit, default, bounds
 * and the reason. The API schema, the configuration file's `room:` section and the documentation
 * are made from this table; the room core reads the resulting RoomSettings.
 */
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
  recent: number('count', 50, 0, 200, 'publications a viewer gets on joining'),
  replay: number('count', 500, 0, 10_000, 'missed keepable publications replayed at most'),
  logCount: number('count', 10_000, 100, 1_000_000, 'keepable publications kept in the log'),
  logBytes: number('bytes', 8 << 20, 64 << 10, 1 << 30, 'bytes of publications kept in the log'),
  viewersMax: number('count', 1_000_000, 1, 100_000_000, 'viewers one edge lets into the room'),
  guestsSpeak: flag(false, 'viewers without an account may speak'),
} as const satisfies Record<string, NumberSetting | FlagSetting>;

export type SettingName = keyof typeof SETTINGS;

export interface LaneSettings {
  /** Share of the budget, percent; the four add up to 100. */
  readonly share: number;
  /** Most entries and bytes queued. */
  readonly depth: number;
  readonly bytes: number;
}

/** From `viewers` on, the budget and tick of this row apply instead of the room's own. */
export interface AudienceRow {
  readonly viewers: number;
  readonly budgetPerSecond: number;
  readonly tickMs: number;
}

type Scalars = {
  readonly [K in SettingName]: (typeof SETTINGS)[K] extends FlagSetting ? boolean : number;
};

export interface RoomSettings extends Scalars {
  readonly lanes: Readonly<Record<Lane, LaneSettings>>;
  /** In rising order of `viewers`; empty means the room's own numbers always hold. */
  readonly audience: readonly AudienceRow[];
  /** Lane of each kind; a kind not named goes to `normal`. */
  readonly kinds: Readonly<Record<string, Lane>>;
  /** Kinds a viewer may say; the others are the studio's. */
  readonly viewerKinds: readonly string[];
}

/** What a studio changed of its room; the rest follows the configuration file. */
export type SettingsPatch = { readonly [K in keyof RoomSettings]?: RoomSettings[K] };

function scalarDefaults(): Scalars {
  const out: Record<string, number | boolean> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) out[name] = setting.value;
  return out as Scalars;
}

/**
 * Audience rows after Agora (200/s, 100/s from 1,000, 30/s from 10,000) and Tencent (40/s a group);
 * longer ticks for larger rooms because a send, not a byte, is what an edge pays for.
 */
export const DEFAULT_SETTINGS: RoomSettings = {
  ...scalarDefaults(),
  lanes: {
    control: { share: 10, depth: 200, bytes: 256 << 10 },
    high: { share: 30, depth: 500, bytes: 512 << 10 },
    normal: { share: 50, depth: 1000, bytes: 1 << 20 },
    low: { share: 10, depth: 500, bytes: 512 << 10 },
  },
  audience: [
    { viewers: 10_000, budgetPerSecond: 40, tickMs: 200 },
    { viewers: 100_000, budgetPerSecond: 20, tickMs: 500 },
  ],
  kinds: {
    system: 'control',
    notice: 'control',
    gift: 'high',
    danmaku: 'normal',
    chat: 'normal',
    like: 'low',
    enter: 'low',
  },
  viewerKinds: ['danmaku', 'chat', 'like'],
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
}

export function edgeRules(settings: RoomSettings): EdgeRules {
  const { textCharacters, textBytes, recent, replay, viewersMax, guestsSpeak, viewerKinds } =
    settings;
  return { textCharacters, textBytes, recent, replay, viewersMax, guestsSpeak, viewerKinds };
}
