/**
 * Owns the schemas of a room's settings, made from the table in src/room-settings.ts: what a studio
 * may set, with unit, default and bounds, and what it reads back.
 */
import { Type, type TSchema } from '@sinclair/typebox';
import {
  KIND_LIMIT_BOUNDS,
  SETTINGS,
  SHED_ORDERS,
  type RoomSettings,
  type ScalarSetting,
  type SettingsPatch,
} from '../../src/room-settings.js';
import { PERMISSIONS_MAX, PERMISSION_PATTERN, PERMITTED } from '../../src/permissions.js';
import { LANES, classOf, type Lane } from '../../src/words.js';
import { KindSchema, LaneSchema } from '../../src/wire/schema.js';

/** A studio's patch; null gives a setting back to the configuration file. */
export type NullablePatch = { readonly [K in keyof SettingsPatch]: SettingsPatch[K] | null };

const AUDIENCE_ROWS_MAX = 16;
const KINDS_MAX = 100;

function scalarSchema(setting: ScalarSetting): Record<string, unknown> {
  if (setting.type === 'choice') {
    const description = `${setting.about}; default ${setting.value}`;
    return { type: 'string', enum: [...setting.words], description };
  }
  if (setting.type === 'flag') {
    return { type: 'boolean', description: `${setting.about}; default ${setting.value}` };
  }
  const { unit, min, max, about, value } = setting;
  return {
    type: unit === 'perSecond' ? 'number' : 'integer',
    minimum: min,
    maximum: max,
    description: `${about}; ${unit}, default ${value}`,
  };
}

const SHED_SCHEMA = {
  type: 'string',
  enum: [...SHED_ORDERS],
  description:
    'who goes when the lane is full: at random (as without it), the oldest, the newcomer',
};

function lanesSchema(): Record<string, unknown> {
  const laneOf = (lane: Lane) => ({
    type: 'object',
    additionalProperties: false,
    required: ['share', 'depth', 'bytes'],
    properties: {
      share: { type: 'integer', minimum: 0, maximum: 100, description: 'percent of the budget' },
      depth: { type: 'integer', minimum: 1, maximum: 100_000, description: 'most entries queued' },
      bytes: { type: 'integer', minimum: 8 << 10, maximum: 256 << 20, description: 'most bytes' },
      ...(classOf(lane) === 'drop' && { shed: SHED_SCHEMA }),
    },
  });
  return {
    type: 'object',
    description: 'share of the budget and bounds of each lane; the shares add up to 100',
    additionalProperties: false,
    required: [...LANES],
    properties: Object.fromEntries(LANES.map((name) => [name, laneOf(name)])),
  };
}

function boundedSchema(type: string, { min, max }: { readonly min: number; readonly max: number }) {
  return { type, minimum: min, maximum: max };
}

function audienceSchema(): Record<string, unknown> {
  const { budgetPerSecond, tickMs } = SETTINGS;
  return {
    type: 'array',
    description: 'from `viewers` on the row holds; in rising order',
    maxItems: AUDIENCE_ROWS_MAX,
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['viewers', 'budgetPerSecond', 'tickMs'],
      properties: {
        viewers: { type: 'integer', minimum: 1, maximum: 1_000_000_000 },
        budgetPerSecond: scalarSchema(budgetPerSecond),
        tickMs: scalarSchema(tickMs),
      },
    },
  };
}

function properties(): Record<string, Record<string, unknown>> {
  const scalars = Object.entries(SETTINGS).map(([name, row]) => [name, scalarSchema(row)] as const);
  return {
    ...Object.fromEntries(scalars),
    lanes: lanesSchema(),
    audience: audienceSchema(),
    kinds: {
      type: 'object',
      description: 'lane of each kind; a kind not named goes to `normal`',
      maxProperties: KINDS_MAX,
      propertyNames: { pattern: KindSchema.pattern },
      additionalProperties: LaneSchema,
    },
    permissions: {
      type: 'object',
      description: 'least role of each action; one not named follows the defaults',
      maxProperties: PERMISSIONS_MAX,
      propertyNames: { pattern: PERMISSION_PATTERN.source },
      additionalProperties: { type: 'string', enum: [...PERMITTED] },
    },
    viewerKinds: {
      type: 'array',
      description: 'kinds a viewer may say',
      maxItems: KINDS_MAX,
      items: KindSchema,
    },
    kindLimits: {
      type: 'object',
      description:
        'quotas of one user by kind, beside that of all it says; that of `like` in place of its usual one',
      maxProperties: KINDS_MAX,
      propertyNames: { pattern: KindSchema.pattern },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['perSecond', 'burst'],
        properties: {
          perSecond: boundedSchema('number', KIND_LIMIT_BOUNDS.perSecond),
          burst: boundedSchema('integer', KIND_LIMIT_BOUNDS.burst),
        },
      },
    },
  };
}

function nullable(schema: Record<string, unknown>): Record<string, unknown> {
  const words = schema['enum'] as readonly string[] | undefined;
  const type = [schema['type'], 'null'];
  return { ...schema, type, ...(words !== undefined && { enum: [...words, null] }) };
}

function settingsObject(fields: Record<string, TSchema | Record<string, unknown>>, about: string) {
  return { type: 'object', additionalProperties: false, properties: fields, description: about };
}

export const SettingsSchema = Type.Unsafe<RoomSettings>(
  settingsObject(properties(), 'The settings that hold'),
);
export const SettingsPatchSchema = Type.Unsafe<SettingsPatch>(
  settingsObject(properties(), 'Settings of the room itself; others follow the configuration file'),
);
export const NullablePatchSchema = Type.Unsafe<NullablePatch>({
  ...settingsObject(
    Object.fromEntries(Object.entries(properties()).map(([k, v]) => [k, nullable(v)])),
    'Settings to change; null gives one back to the configuration file',
  ),
  minProperties: 1,
});
