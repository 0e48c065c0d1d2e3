/**
 * Owns whom a publication is meant for: the shape, its bounds, its JSON text, and how it stands
 * beside a publication in the log. Who a viewer is and who matches is the edge's (edge/core/aim.ts).
 *
 * A logged text is the publication's own JSON text, as viewers get it, and, when it is not for
 * everyone, a line break and the target's JSON. JSON texts made here hold no line break.
 */
import { parseUserId, type UserId } from './ids.js';

export const TARGET_USERS_MAX = 100;
export const TARGET_DEVICES_MAX = 100;
/** How long what has to be acknowledged is resent when the studio does not say. */
export const VALID_MS_DEFAULT = 60_000;
export const VALID_MS_MIN = 1000;
export const VALID_MS_MAX = 3_600_000;

/**
 * A viewer is meant when it is of one of the users or devices (without either: whoever it is) and
 * its tags satisfy the expression (without one: whatever they are).
 */
export interface Target {
  readonly users?: readonly UserId[];
  readonly devices?: readonly string[];
  /** In canonical form (src/tags/tag-expression.ts). */
  readonly tags?: string;
  /** To be acknowledged, and resent within this time of the edge's getting it; absent: not. */
  readonly validMs?: number;
}

export function encodeTarget(target: Target): string {
  const { users, devices, tags, validMs } = target;
  return JSON.stringify({ users, devices, tags, validMs });
}

/** The target of a text made by `encodeTarget`; undefined for anything else. Never throws. */
export function parseTarget(text: string): Target | undefined {
  let value: Partial<Record<keyof Target, unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { users, devices, tags, validMs } = value;
  if (!isListOf(users, (each) => parseUserId(each) !== undefined)) return undefined;
  if (!isListOf(devices, (each) => parseUserId(each) !== undefined)) return undefined;
  if (tags !== undefined && typeof tags !== 'string') return undefined;
  if (validMs !== undefined && typeof validMs !== 'number') return undefined;
  return value as Target;
}

export interface LoggedText {
  /** The publication, as viewers get it. */
  readonly json: string;
  /** The target's JSON; undefined: for everyone. */
  readonly target: string | undefined;
}

/** The parts of a text in the log. */
export function splitLogged(text: string): LoggedText {
  const at = text.indexOf('\n');
  if (at < 0) return { json: text, target: undefined };
  return { json: text.slice(0, at), target: text.slice(at + 1) };
}

export function joinLogged(json: string, target: string | undefined): string {
  return target === undefined ? json : `${json}\n${target}`;
}

function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  return value === undefined || (Array.isArray(value) && value.every(holds));
}
