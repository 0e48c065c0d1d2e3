/**
 * Owns who a viewer is in a room: the user of its token, or a guest. Asks nobody.
 * Rules: SPEC E-IN-3, E-IN-4.
 */
import { createHash } from 'node:crypto';
import type { RoomId, UserId } from '../src/ids.js';
import { opensRoom, type TokenFlaw, type Tokens } from '../src/tokens.js';
import type { Role, Speaker } from '../src/words.js';

export interface Identity {
  readonly user: Speaker;
  readonly role: Role;
  /** Of its token; a studio may give more in a room. */
  readonly tags: readonly string[];
  readonly device: string | undefined;
  /** Unix milliseconds; Infinity without a token. */
  readonly expiresAt: number;
}

export interface IdentityFlaw {
  readonly flaw: TokenFlaw | 'wrong_room';
}

const NO_CLAIMS = { tags: [], device: undefined, expiresAt: Infinity } as const;

/** A guest's identity; the same seed makes the same guest. */
export function guest(seed: string): Identity {
  const name = createHash('sha256').update(seed).digest('base64url').slice(0, 12);
  return { user: { id: `guest-${name}` as UserId }, role: 'guest', ...NO_CLAIMS };
}

/** Whom the token names in this room, or its flaw; a token without a user is a guest's. */
export function identify(
  token: string,
  room: RoomId,
  tokens: Tokens,
  guestSeed: string,
): Identity | IdentityFlaw {
  const claims = tokens.verify(token);
  if (typeof claims === 'string') return { flaw: claims };
  if (!opensRoom(claims, room)) return { flaw: 'wrong_room' };
  const { user, name, level, badge, role, tags, device, expiresAt } = claims;
  if (user === undefined) return { ...guest(guestSeed), tags, device, expiresAt };
  const speaker: Speaker = {
    id: user,
    ...(name ? { name } : {}),
    ...(level === undefined ? {} : { level }),
    ...(badge === undefined ? {} : { badge }),
  };
  return { user: speaker, role, tags, device, expiresAt };
}
