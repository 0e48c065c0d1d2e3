/** Owns the shapes in which a studio says whom something is meant for. */
import { Type } from '@sinclair/typebox';
import type { UserId } from '../../src/ids.js';
import { TAG_EXPRESSION_CHARACTERS_MAX, TAG_PATTERN } from '../../src/tags/tag-parser.js';
import {
  TARGET_DEVICES_MAX,
  TARGET_USERS_MAX,
  VALID_MS_DEFAULT,
  VALID_MS_MAX,
  VALID_MS_MIN,
  type Target,
} from '../../src/target.js';
import { UserIdSchema } from '../../src/wire/schema.js';

const strict = { additionalProperties: false } as const;

export const DeviceSchema = Type.String({
  pattern: UserIdSchema.pattern!,
  description: 'Device id: 1-64 characters without white space',
});
export const TagSchema = Type.String({ pattern: TAG_PATTERN });
export const TargetUsers = Type.Array(Type.Unsafe<UserId>(UserIdSchema), {
  minItems: 1,
  maxItems: TARGET_USERS_MAX,
  description: 'Users with a token',
});
export const TagsExpression = Type.String({
  minLength: 1,
  maxLength: TAG_EXPRESSION_CHARACTERS_MAX,
  description: 'Viewers whose tags satisfy it: `vip && !muted || (host && level3)`',
});

export const TargetObject = Type.Object(
  {
    users: Type.Optional(TargetUsers),
    devices: Type.Optional(
      Type.Array(DeviceSchema, {
        minItems: 1,
        maxItems: TARGET_DEVICES_MAX,
        description: 'Devices named in tokens',
      }),
    ),
    tags: Type.Optional(TagsExpression),
  },
  {
    ...strict,
    minProperties: 1,
    description: 'Viewers of one of the users or devices whose tags satisfy the expression',
  },
);

export const TargetSchema = Type.Unsafe<Target>(TargetObject);

export const reliableFields = {
  reliable: Type.Optional(
    Type.Boolean({
      description: 'Whether users and devices named acknowledge it; true for what is keepable',
    }),
  ),
  validMs: Type.Optional(
    Type.Integer({
      minimum: VALID_MS_MIN,
      maximum: VALID_MS_MAX,
      description: `Resent to those who have not acknowledged it so long, ${VALID_MS_DEFAULT} by default`,
    }),
  ),
};
