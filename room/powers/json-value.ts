/**
 * Owns the way of a studio's value into JSON text: bounded in depth, so that no text is a trap for
 * whoever reads it.
 */
import { BarrageError } from '../../src/errors.js';

const DEPTH_MAX = 16;

/** The value's JSON text. Throws BarrageError `invalid` naming the field. */
export function jsonOf(field: string, value: unknown): string {
  if (isDeeper(value, DEPTH_MAX)) {
    const rule = `maxDepth ${DEPTH_MAX}`;
    const path = field.slice(0, 80);
    throw new BarrageError('invalid', `"${path}" must be: ${rule}`, { field: path, rule });
  }
  return JSON.stringify(value) ?? 'null';
}

/** Never goes deeper itself than `levels`. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
