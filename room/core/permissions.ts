/**
 * Owns who may do what in a room: the least role of an action, and that nobody acts against their
 * equals or betters. Knows no action's effect.
 */
import {
  DEFAULT_PERMISSIONS,
  ROLES,
  type Action,
  type Permissions,
  type Permitted,
} from '../../src/permissions.js';
import type { Role } from '../../src/words.js';

/** Whether the role may; an action the room does not name follows the defaults. */
export function mayDo(permissions: Permissions, action: Action, role: Role): boolean {
  return reaches(role, named(permissions, action) ?? DEFAULT_PERMISSIONS[action]);
}

/** Whether the role may say the kind: `speak.<kind>` before `speak`. */
export function maySay(permissions: Permissions, kind: string, role: Role): boolean {
  const least = named(permissions, `speak.${kind}`) ?? named(permissions, 'speak');
  return reaches(role, least ?? DEFAULT_PERMISSIONS.speak);
}

/** Moderation goes downwards only; a host may act against anyone but a host. */
export function outranks(actor: Role, target: Role): boolean {
  return rankOf(actor) > rankOf(target);
}

function named(permissions: Permissions, name: string): Permitted | undefined {
  return Object.hasOwn(permissions, name) ? permissions[name] : undefined;
}

function reaches(role: Role, least: Permitted): boolean {
  return least !== 'nobody' && rankOf(role) >= ROLES.indexOf(least);
}

function rankOf(role: Role): number {
  return ROLES.indexOf(role);
}
