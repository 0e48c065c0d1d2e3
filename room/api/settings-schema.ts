/**
 * Owns the schemas of a room's settings, made from the table in src/room-settings.ts: what a studio
 * may set, with unit, default and bounds, and what it reads back.
 */
import { Type, type TSchema } from '@sinclair/typebox';
import {
  SETTINGS,
  type FlagSetting,
  type NumberSetting,
  type RoomSettings,
  type SettingsPatch,
} from '../../src/room-settings.js';
import { LANES } from '../../src/words.js';
import { KindSchema, LaneSchema } from '../../src/wire/schema.js';

/** A studio's patch; null gives a setting back to the configuration file. */
export type NullablePatch = { readonly [K in keyof SettingsPatch]: SettingsPatch[K] | null };

const AUDIENCE_ROWS_MAX = 16;
const KINDS_MAX = 100;

function scalarSchema(setting: NumberSetting | FlagSetting): Record<string, unknown> {
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

function laneSchema(): Record<string, unknown> {
  const lane = {
    type: 'object',
    additionalProperties: false,
    required: ['share', 'depth', 'bytes'],
    properties: {
      share: { type: 'integer', minimum: 0, maximum: 100, description: 'percent of the budget' },
      depth: { type: 'integer', minimum: 1, maximum: 100_000, description: 'most entries queued' },
      bytes: { type: 'integer', minimum: 8 << 10, maximum: 256 << 20, description: 'most bytes' },
    },
  };
  return {
    type: 'object',
    description: 'share of the budget and bounds of each lane; the shares add up to 100',
    additionalProperties: false,
    required: [...LANES],
    properties: Object.fromEntries(LANES.map((name) => [name, lane])),
  };
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
    lanes: laneSchema(),
    audience: audienceSchema(),
    kinds: {
      type: 'object',
      description: 'lane of each kind; a kind not named goes to `normal`',
      maxProperties: KINDS_MAX,
      propertyNames: { pattern: KindSchema.pattern },
      additionalProperties: LaneSchema,
    },
    viewerKinds: {
      type: 'array',
      description: 'kinds a viewer may say',
      maxItems: KINDS_MAX,
      items: KindSchema,
    },
  };
}

function nullable(schema: Record<string, unknown>): Record<string, unknown> {
  return { ...schema, type: [schema['type'], 'null'] };
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
