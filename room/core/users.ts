/**
 * Owns what a room remembers of who spoke: quotas and the time of the last danmaku, in two
 * generations so that the oldest are forgotten without a search. Knows no rule and no verdict.
 */
import type { UserId } from '../../src/ids.js';
import { fullBucket, type Bucket } from './quota.js';

/** Users remembered per room, both generations together; about 200 bytes each. */
export const USERS_MAX = 50_000;
const GENERATION_MAX = USERS_MAX / 2;

export interface UserMemory {
  /** When the user's last danmaku was let in; -Infinity before the first. */
  saidAt: number;
  readonly said: Bucket;
  /** Likes have a bucket of their own; made with the first like. */
  likes: Bucket | undefined;
  /** Of kinds with a limit of their own. */
  kinds: Map<string, Bucket> | undefined;
  /** Newest last. */
  texts: readonly SaidText[] | undefined;
}

/** Stands for a text said at `at`. */
export interface SaidText {
  readonly text: number;
  readonly at: number;
}

/** Absent maps are empty: a room nobody speaks in costs nothing here. */
export interface UserTable {
  young: Map<UserId, UserMemory> | undefined;
  old: Map<UserId, UserMemory> | undefined;
  /** When the young generation began. */
  since: number;
}

export function emptyUsers(now: number): UserTable {
  return { young: undefined, old: undefined, since: now };
}

/** What is remembered; undefined for a user with everything unused. */
export function findUser(users: UserTable, user: UserId): UserMemory | undefined {
  return users.young?.get(user) ?? users.old?.get(user);
}

/** The user's memory in the young generation, made when there is none. */
export function rememberUser(
  users: UserTable,
  user: UserId,
  userBurst: number,
  now: number,
): UserMemory {
  const known = users.young?.get(user);
  if (known !== undefined) return known;
  const memory = users.old?.get(user) ?? {
    saidAt: -Infinity,
    said: fullBucket(userBurst, now),
    likes: undefined,
    kinds: undefined,
    texts: undefined,
  };
  if (users.young !== undefined && users.young.size >= GENERATION_MAX) rotate(users, now);
  users.young ??= new Map();
  users.young.set(user, memory);
  return memory;
}

/**
 * Forgets who has been silent for a whole generation of at least `idleMs`; with `idleMs` no shorter
 * than it takes to regain every quota nobody can tell the difference.
 */
export function forgetIdle(users: UserTable, idleMs: number, now: number): void {
  if (now - users.since >= idleMs) rotate(users, now);
}

/** Users remembered; one who is in both generations counts twice, so this is an upper bound. */
export function rememberedUsers(users: UserTable): number {
  return (users.young?.size ?? 0) + (users.old?.size ?? 0);
}

function rotate(users: UserTable, now: number): void {
  users.old = users.young;
  users.young = undefined;
  users.since = now;
}
