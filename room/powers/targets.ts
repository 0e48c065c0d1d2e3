/**
 * Owns the settling of whom a draft is meant for: bounds, the expression's canonical form, and
 * whether it has to be acknowledged. Knows no viewer.
 */
import { BarrageError } from '../../src/errors.js';
import { canonicalTags } from '../../src/tags/tag-expression.js';
import { parseTags } from '../../src/tags/tag-parser.js';
import {
  TARGET_DEVICES_MAX,
  TARGET_USERS_MAX,
  VALID_MS_DEFAULT,
  VALID_MS_MAX,
  VALID_MS_MIN,
  type Target,
} from '../../src/target.js';
import { classOf, type Lane } from '../../src/words.js';
import type { Draft } from '../calls/calls.js';

/** Throws BarrageError `invalid` naming field and rule. */
export function checkTarget({ to, reliable, validMs }: Draft): void {
  const isNamed = to?.users !== undefined || to?.devices !== undefined;
  if (reliable === true && !isNamed)
    throw refuse('reliable', 'together with to.users or to.devices');
  if (validMs !== undefined) {
    if (!isNamed || reliable === false) throw refuse('validMs', 'of what is acknowledged');
    const isWithin = validMs >= VALID_MS_MIN && validMs <= VALID_MS_MAX;
    if (!isWithin) throw refuse('validMs', `${VALID_MS_MIN}-${VALID_MS_MAX}`);
  }
  if (to === undefined) return;
  const { users, devices, tags } = to;
  if (!isNamed && tags === undefined) throw refuse('to', 'users, devices or tags');
  checkList('to.users', users, TARGET_USERS_MAX);
  checkList('to.devices', devices, TARGET_DEVICES_MAX);
  if (tags !== undefined) parseTags(tags, 'to.tags');
}

/** The target of a checked draft that goes to `lane`, as edges and log get it; undefined: everyone. */
export function targetOf({ to, reliable, validMs }: Draft, lane: Lane): Target | undefined {
  if (to === undefined) return undefined;
  const { users, devices, tags } = to;
  const isNamed = users !== undefined || devices !== undefined;
  const isAcked = isNamed && (reliable ?? classOf(lane) === 'keep');
  return {
    ...(users === undefined ? {} : { users: [...new Set(users)] }),
    ...(devices === undefined ? {} : { devices: [...new Set(devices)] }),
    ...(tags === undefined ? {} : { tags: canonicalTags(parseTags(tags, 'to.tags')) }),
    ...(isAcked ? { validMs: validMs ?? VALID_MS_DEFAULT } : {}),
  };
}

function checkList(field: string, list: readonly string[] | undefined, max: number): void {
  if (list === undefined) return;
  if (list.length === 0) throw refuse(field, 'minItems 1');
  if (list.length > max) throw refuse(field, `maxItems ${max}`);
}

function refuse(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
