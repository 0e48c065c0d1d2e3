/**
 * Owns the limits of one user beside the quota of all it says: by kind, and of saying the same again.
 * Asking changes nothing; only what was let in is booked. Knows no room limit.
 */
import { hashUser } from '../../src/sketch/user-hash.js';
import type { RoomSettings } from '../../src/room-settings.js';
import { normalFor } from './equal-text.js';
import { fullBucket, takeOne, waitMs } from './quota.js';
import type { Said } from './types.js';
import type { SaidText, UserMemory } from './users.js';

/** Texts remembered of a user; who goes round more than these is not noticed. */
export const TEXTS_MAX = 8;

/** Milliseconds until the user may say the kind again, as far as a limit of the kind goes. */
export function kindWaitMs(
  settings: RoomSettings,
  memory: UserMemory,
  kind: string,
  now: number,
): number {
  const limit = limitOf(settings, kind);
  const bucket = limit === undefined ? undefined : memory.kinds?.get(kind);
  if (limit === undefined || bucket === undefined) return 0;
  return waitMs(bucket, limit.perSecond, limit.burst, now);
}

/** Milliseconds until the user may say this text again; 0 for one not said lately. */
export function repeatWaitMs(
  settings: RoomSettings,
  memory: UserMemory,
  said: Said,
  now: number,
): number {
  const within = settings.repeatTextMs;
  if (within === 0 || memory.texts === undefined || said.text === undefined) return 0;
  const text = textOf(settings, said);
  const before = memory.texts.find((each) => each.text === text);
  return before === undefined ? 0 : Math.max(0, before.at + within - now);
}

/** Books what was let in. */
export function useLimits(
  settings: RoomSettings,
  memory: UserMemory,
  said: Said,
  now: number,
): void {
  const limit = limitOf(settings, said.kind);
  if (limit !== undefined) {
    memory.kinds ??= new Map();
    let bucket = memory.kinds.get(said.kind);
    if (bucket === undefined) {
      bucket = fullBucket(limit.burst, now);
      memory.kinds.set(said.kind, bucket);
    }
    // A limit that shrank counts from now on.
    waitMs(bucket, limit.perSecond, limit.burst, now);
    takeOne(bucket);
  }
  if (settings.repeatTextMs > 0 && said.text !== undefined) {
    memory.texts = withText(memory.texts, { text: textOf(settings, said), at: now });
  }
}

/** How long who spoke has to be remembered for these limits, milliseconds. */
export function limitsMs(settings: RoomSettings): number {
  let longest = settings.repeatTextMs;
  for (const { perSecond, burst } of Object.values(settings.kindLimits)) {
    longest = Math.max(longest, (burst * 1000) / perSecond);
  }
  return longest;
}

function limitOf(settings: RoomSettings, kind: string) {
  return Object.hasOwn(settings.kindLimits, kind) ? settings.kindLimits[kind] : undefined;
}

/** 53 bits stand for the text: two of a user's eight are mixed up once in 10^14. */
function textOf(settings: RoomSettings, said: Said): number {
  return hashUser(`${said.kind}\n${normalFor(settings, said.text!)}`);
}

function withText(texts: readonly SaidText[] | undefined, newest: SaidText): SaidText[] {
  const others = (texts ?? []).filter(({ text }) => text !== newest.text);
  return [...others.slice(1 - TEXTS_MAX), newest];
}
