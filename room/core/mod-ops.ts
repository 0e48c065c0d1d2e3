/**
 * Owns what a moderator may say in the `data` of a `mod` command, and which permission each needs.
 * Pure: reads what a viewer sent, so nothing of it is believed.
 */
import { parseUserId, type UserId } from '../../src/ids.js';
import type { Action } from '../../src/permissions.js';

/** Longest mute, ban or mute-all a viewer may ask for; without `forMs` it holds until lifted. */
export const MOD_MS_MAX = 30 * 86_400_000;
const SLOW_MODE_MS_MAX = 120_000;
const REASON_CHARACTERS_MAX = 200;

export type ModOp =
  | {
      readonly op: 'mute' | 'ban';
      readonly user: UserId;
      readonly forMs?: number;
      readonly reason: string;
    }
  | { readonly op: 'unmute' | 'unban'; readonly user: UserId }
  | { readonly op: 'kick'; readonly user: UserId; readonly forMs?: number; readonly reason: string }
  | { readonly op: 'muteAll'; readonly forMs?: number }
  | { readonly op: 'unmuteAll' | 'freeze' | 'unfreeze' }
  | { readonly op: 'recall' | 'pin' | 'unpin'; readonly id: string }
  | { readonly op: 'slowMode'; readonly ms: number };

const NEEDS: Readonly<Record<ModOp['op'], Action>> = {
  ...{ mute: 'mute', unmute: 'mute', muteAll: 'muteAll', unmuteAll: 'muteAll' },
  ...{ kick: 'kick', ban: 'ban', unban: 'ban', recall: 'recall', pin: 'pin', unpin: 'pin' },
  ...{ slowMode: 'slowMode', freeze: 'freeze', unfreeze: 'freeze' },
};

export function actionOf({ op }: ModOp): Action {
  return NEEDS[op];
}

/** The command in `data`, or undefined when it is none: unknown, incomplete or out of bounds. */
export function parseModOp(data: unknown): ModOp | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  const { op, ...rest } = data as Record<string, unknown>;
  if (typeof op !== 'string' || !Object.hasOwn(NEEDS, op)) return undefined;
  const fields = FIELDS[op as ModOp['op']];
  if (!Object.keys(rest).every((name) => fields.includes(name))) return undefined;
  const out: Record<string, unknown> = { op };
  for (const name of fields) {
    const value = READERS[name]!(rest[name]);
    if (value === BAD) return undefined;
    if (value !== undefined) out[name] = value;
  }
  return out as unknown as ModOp;
}

const BAD = Symbol('bad');
type Reader = (value: unknown) => unknown;

const READERS: Readonly<Record<string, Reader>> = {
  user: (value) => parseUserId(value) ?? BAD,
  id: (value) => (typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value) ? value : BAD),
  forMs: (value) => (value === undefined ? undefined : whole(value, 1, MOD_MS_MAX)),
  ms: (value) => whole(value, 0, SLOW_MODE_MS_MAX),
  reason: (value) => {
    if (value === undefined) return '';
    if (typeof value !== 'string' || value.length > REASON_CHARACTERS_MAX) return BAD;
    return /[\u0000-\u001f\u007f-\u009f]/.test(value) || !value.isWellFormed() ? BAD : value;
  },
};

const SANCTION = ['user', 'forMs', 'reason'];
const FIELDS: Readonly<Record<ModOp['op'], readonly string[]>> = {
  ...{ mute: SANCTION, ban: SANCTION, kick: SANCTION, unmute: ['user'], unban: ['user'] },
  ...{ muteAll: ['forMs'], unmuteAll: [], freeze: [], unfreeze: [] },
  ...{ recall: ['id'], pin: ['id'], unpin: ['id'], slowMode: ['ms'] },
};

function whole(value: unknown, min: number, max: number): unknown {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
    ? value
    : BAD;
}
