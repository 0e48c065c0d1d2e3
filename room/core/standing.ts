/**
 * Owns which role a user has in a room: the one the studio granted, else the one of the token; and
 * whom moderation may reach. Knows no record and no action.
 */
import type { UserId } from '../../src/ids.js';
import type { Role } from '../../src/words.js';
import { outranks } from './permissions.js';
import type { Arrival } from './types.js';

/** Moderators and hosts by token, as far as they were heard; the least recently new goes first. */
const HEARD_MAX = 1000;

export interface Standing {
  /** Absent means none: most rooms never grant any. */
  granted: Map<UserId, Role> | undefined;
  heard: Map<UserId, Role> | undefined;
}

export function noStanding(): Standing {
  return { granted: undefined, heard: undefined };
}

/** Gives a user a role in this room; undefined takes the grant back. */
export function grantRole(standing: Standing, user: UserId, role: Role | undefined): void {
  if (role !== undefined) (standing.granted ??= new Map()).set(user, role);
  else if (standing.granted?.delete(user) === true && standing.granted.size === 0) {
    standing.granted = undefined;
  }
}

/** The arrival with the role its user has here. Guests by token keep theirs: they have no account. */
export function asGranted(standing: Standing, arrival: Arrival): Arrival {
  const { role, user } = arrival;
  if (role === 'guest') return arrival;
  if (role !== 'member') hear(standing, user.id, role);
  const granted = standing.granted?.get(user.id);
  return granted === undefined || granted === role ? arrival : { ...arrival, role: granted };
}

/** Whether somebody of this role may act against the user, as far as the user's role is known. */
export function mayReach(standing: Standing, role: Role, target: UserId): boolean {
  return outranks(role, roleOf(standing, target));
}

function roleOf(standing: Standing, user: UserId): Role {
  return standing.granted?.get(user) ?? standing.heard?.get(user) ?? 'member';
}

function hear(standing: Standing, user: UserId, role: Role): void {
  const heard = (standing.heard ??= new Map());
  if (heard.get(user) === role) return;
  heard.delete(user);
  heard.set(user, role);
  if (heard.size > HEARD_MAX) heard.delete(heard.keys().next().value!);
}
