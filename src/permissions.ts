/**
 * Owns the words of what a room lets its viewers do by role, and who may by default. What an action
 * does and who is asked is not known here.
 */
import type { Role } from './words.js';

/** Roles in rising order. */
export const ROLES = ['guest', 'member', 'moderator', 'host'] as const satisfies readonly Role[];

/** The least role that may; `nobody` leaves an action to the studio's API. */
export const PERMITTED = [...ROLES, 'nobody'] as const;
export type Permitted = (typeof PERMITTED)[number];

/** What a viewer may do beside watching. `speak.<kind>` is for one kind, `speak` for the others. */
export const ACTIONS = [
  'speak',
  'mute',
  'muteAll',
  'kick',
  'ban',
  'recall',
  'pin',
  'slowMode',
  'freeze',
] as const;
export type Action = (typeof ACTIONS)[number];

export type Permissions = Readonly<Record<string, Permitted>>;

/** `guest` here still needs the room's `guestsSpeak`. */
export const DEFAULT_PERMISSIONS: Readonly<Record<Action, Permitted>> = {
  speak: 'guest',
  mute: 'moderator',
  muteAll: 'moderator',
  kick: 'moderator',
  ban: 'host',
  recall: 'moderator',
  pin: 'moderator',
  slowMode: 'moderator',
  freeze: 'host',
};

export const PERMISSION_PATTERN =
  /^(speak(\.[a-z][a-z0-9_.-]{0,31})?|mute|muteAll|kick|ban|recall|pin|slowMode|freeze)$/;
export const PERMISSIONS_MAX = 100;
