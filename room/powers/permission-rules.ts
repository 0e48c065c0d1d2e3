/**
 * Owns what a room's table of permissions may contain. Knows what an action is called, not what it
 * does.
 */
import { PERMISSIONS_MAX, PERMISSION_PATTERN, PERMITTED } from '../../src/permissions.js';

/** The first flaw of a table, or undefined. */
export function permissionsFlaw(value: unknown): { path: string; rule: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { path: 'permissions', rule: 'an object of action to least role' };
  }
  const entries = Object.entries(value);
  if (entries.length > PERMISSIONS_MAX) {
    return { path: 'permissions', rule: `maxProperties ${PERMISSIONS_MAX}` };
  }
  for (const [action, least] of entries) {
    const path = `permissions.${action.slice(0, 40)}`;
    if (!PERMISSION_PATTERN.test(action)) return { path, rule: PERMISSION_PATTERN.source };
    if (!(PERMITTED as readonly unknown[]).includes(least)) {
      return { path, rule: `one of ${PERMITTED.join(', ')}` };
    }
  }
  return undefined;
}
