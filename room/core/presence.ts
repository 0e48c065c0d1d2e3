/**
 * Owns who is in one room, from what edges report: each user comes once and goes once, however many
 * connections it has, however often it reconnects and whatever of the reports was lost. Above its
 * bound it keeps numbers only. Rules: SPEC R-PRES-1 to R-PRES-7.
 */
import type { UserId } from '../../src/ids.js';
import { SetDigest } from '../../src/sketch/set-digest.js';
import { UniqueCount } from '../../src/sketch/unique-count.js';
import { hashUser } from '../../src/sketch/user-hash.js';
import { speakerOf, type Kept, type PresentUser } from '../../src/wire/presence.js';
import type { Speaker } from '../../src/words.js';

/** The list comes back only below this share of the bound, so that a crowd at it does not flap. */
const RETURN_SHARE = 0.8;
/** Connections by edge held for each user of the bound: a user may be on several edges. */
const PLACES_PER_USER = 4;
/** Users of a lost edge leave together: so many at once, the next after a pause. */
const LEAVES_PER_STEP = 500;
const LEAVES_PAUSE_MS = 20;

/** What of the room's settings it needs, and the time. */
export interface PresenceTerms {
  readonly now: number;
  /** Users a list is kept of; 0: never. */
  readonly presenceMax: number;
  /** A user without connections is gone after this. */
  readonly presenceLingerMs: number;
}

export interface Member {
  user: Speaker;
  /** Unix milliseconds. */
  readonly since: number;
  /** On all edges; 0 while it may still come back. */
  connections: number;
  leaveAt: number;
}

/** What one edge has of the room. */
interface Share {
  /** Connections of each user; empty where only numbers are kept. */
  readonly users: Map<UserId, number>;
  readonly digest: SetDigest;
  /** Users there, where only numbers are kept. */
  count: number;
}

export type PresenceEvent =
  | { readonly what: 'enter'; readonly user: Speaker; readonly at: number }
  | { readonly what: 'leave'; readonly user: Speaker; readonly at: number }
  /** From now on a list is kept, or none: then nobody's coming and going is known. */
  | { readonly what: Kept; readonly at: number };

export interface PresenceState {
  kept: Kept;
  /** Whose coming was told and whose going was not. */
  readonly members: Map<UserId, Member>;
  /** Those of them without connections. */
  readonly lingering: Map<UserId, Member>;
  readonly shares: Map<string, Share>;
  /** Users of all shares, one on two edges twice. */
  places: number;
  /** Sum of the shares' numbers, where only numbers are kept. */
  counted: number;
  readonly unique: UniqueCount;
  /** Not later than the first of them goes. */
  nextLeaveAt: number;
  events: PresenceEvent[];
}

/** What an owner before this one left behind. */
export interface PresenceStart {
  readonly unique: UniqueCount;
  /** Members told as present; they go unless an edge reports them until `until`. */
  readonly members: readonly (readonly [user: UserId, since: number])[];
  readonly until: number;
}

export function openPresence(start: PresenceStart): PresenceState {
  const state: PresenceState = {
    kept: 'list',
    members: new Map(),
    lingering: new Map(),
    shares: new Map(),
    places: 0,
    counted: 0,
    unique: start.unique,
    nextLeaveAt: Infinity,
    events: [],
  };
  for (const [id, since] of start.members) {
    const member = { user: { id }, since, connections: 0, leaveAt: start.until };
    state.members.set(id, member);
    state.lingering.set(id, member);
    state.nextLeaveAt = start.until;
  }
  return state;
}

/** Users in the room; where only numbers are kept one on two edges counts twice. */
export function usersOf(state: PresenceState): number {
  return state.kept === 'list' ? state.members.size : state.counted;
}

/** Users of one edge that changed. False: the edge should be told what is kept. */
export function takeChanges(
  state: PresenceState,
  edge: string,
  users: readonly PresentUser[],
  terms: PresenceTerms,
): boolean {
  settleKept(state, terms);
  for (const user of users) {
    if (state.kept === 'list') {
      place(state, shareOf(state, edge), user, terms);
      settleKept(state, terms);
    } else if (user[1] > 0) state.unique.add(hashUser(user[0]));
  }
  tidy(state, edge);
  return state.kept === 'list';
}

/** All users of one edge; the answer is how many differ from what was known. */
export function takeList(
  state: PresenceState,
  edge: string,
  users: readonly PresentUser[],
  terms: PresenceTerms,
): number {
  if (state.kept === 'counts') {
    for (const [id] of users) state.unique.add(hashUser(id));
    takeCount(state, edge, users.length, terms);
    return 0;
  }
  const share = shareOf(state, edge);
  const listed = new Map(users.map((user) => [user[0], user]));
  const gone = [...share.users.keys()].filter((id) => !listed.has(id));
  const changed = [...listed.values()].filter(([id, n]) => (share.users.get(id) ?? 0) !== n);
  takeChanges(state, edge, [...gone.map((id) => [id, 0] as const), ...changed], terms);
  return gone.length + changed.length;
}

/** How many users one edge has. False: a list is kept, the edge should be told. */
export function takeCount(
  state: PresenceState,
  edge: string,
  users: number,
  terms: PresenceTerms,
): boolean {
  settleKept(state, terms);
  if (state.kept === 'list') return users === 0 && !state.shares.has(edge);
  const share = shareOf(state, edge);
  state.counted += users - share.count;
  share.count = users;
  tidy(state, edge);
  settleKept(state, terms);
  return state.kept === 'counts';
}

/** Whether what is known of an edge is what its digest says; empty digests are of mere numbers. */
export function agrees(
  state: PresenceState,
  edge: string,
  [users, digest]: readonly [users: number, digest: string],
  terms: PresenceTerms,
): boolean {
  if (digest === '') return takeCount(state, edge, users, terms);
  settleKept(state, terms);
  if (state.kept === 'counts') {
    takeCount(state, edge, users, terms);
    return false;
  }
  const share = state.shares.get(edge);
  if (share === undefined) return users === 0;
  return share.users.size === users && share.digest.text === digest;
}

/** The edge has nobody here any more; the answer is how many it had. */
export function dropEdge(state: PresenceState, edge: string, terms: PresenceTerms): number {
  const share = state.shares.get(edge);
  if (share === undefined) return 0;
  const users = Math.max(share.count, share.users.size);
  for (const id of [...share.users.keys()]) place(state, share, [id, 0], terms);
  state.counted -= share.count;
  share.count = 0;
  tidy(state, edge);
  settleKept(state, terms);
  return users;
}

/** Adds users seen where only numbers are kept; throws BarrageError `invalid` for other bytes. */
export function takeSketch(state: PresenceState, bytes: Uint8Array): void {
  state.unique.merge(UniqueCount.decode(bytes));
}

/** When `stepPresence` has something to do (unix milliseconds); 0 for at once. */
export function presenceDueAt(state: PresenceState, terms: PresenceTerms): number {
  return keptFor(state, terms) === state.kept ? state.nextLeaveAt : 0;
}

/** Those go who did not come back in time. */
export function stepPresence(state: PresenceState, terms: PresenceTerms): void {
  settleKept(state, terms);
  if (state.nextLeaveAt > terms.now) return;
  state.nextLeaveAt = Infinity;
  let left = 0;
  for (const [id, member] of state.lingering) {
    if (left === LEAVES_PER_STEP) {
      state.nextLeaveAt = terms.now + LEAVES_PAUSE_MS;
      return;
    }
    if (member.leaveAt > terms.now) {
      state.nextLeaveAt = Math.min(state.nextLeaveAt, member.leaveAt);
      continue;
    }
    left++;
    state.lingering.delete(id);
    state.members.delete(id);
    state.events.push({ what: 'leave', user: member.user, at: terms.now });
  }
}

/** What happened since the last call, in order. */
export function takePresenceEvents(state: PresenceState): readonly PresenceEvent[] {
  const { events } = state;
  if (events.length > 0) state.events = [];
  return events;
}

/** Members after `after` in order of their ids, `limit` of them at most. */
export function memberPage(state: PresenceState, after: string, limit: number): Member[] {
  const page: Member[] = [];
  for (const member of state.members.values()) {
    const { id } = member.user;
    const last = page.at(-1);
    if (id <= after || (page.length === limit && last !== undefined && id > last.user.id)) continue;
    let at = page.length;
    while (at > 0 && page[at - 1]!.user.id > id) at--;
    page.splice(at, 0, member);
    if (page.length > limit) page.pop();
  }
  return page;
}

function place(
  state: PresenceState,
  share: Share,
  row: PresentUser,
  { now, presenceLingerMs }: PresenceTerms,
): void {
  const [id, connections] = row;
  const before = share.users.get(id) ?? 0;
  if (before !== connections) {
    if (before > 0) share.digest.toggle(id, before);
    if (connections > 0) share.digest.toggle(id, connections);
    if (connections === 0) share.users.delete(id);
    else share.users.set(id, connections);
    state.places += Math.sign(connections) - Math.sign(before);
  }
  const member = state.members.get(id) ?? (connections > 0 ? enter(state, row, now) : undefined);
  if (member === undefined) return;
  member.connections += connections - before;
  if (connections > 0) {
    member.user = speakerOf(row);
    state.lingering.delete(id);
  } else if (member.connections === 0 && before > 0) {
    member.leaveAt = now + presenceLingerMs;
    state.lingering.set(id, member);
    state.nextLeaveAt = Math.min(state.nextLeaveAt, member.leaveAt);
  }
}

function enter(state: PresenceState, row: PresentUser, now: number): Member {
  const user = speakerOf(row);
  const member: Member = { user, since: now, connections: 0, leaveAt: Infinity };
  state.members.set(user.id, member);
  state.unique.add(hashUser(user.id));
  state.events.push({ what: 'enter', user, at: now });
  return member;
}

function keptFor(state: PresenceState, { presenceMax }: PresenceTerms): Kept {
  if (presenceMax === 0) return 'counts';
  if (state.kept === 'counts')
    return usersOf(state) <= presenceMax * RETURN_SHARE ? 'list' : 'counts';
  const isOver = state.members.size > presenceMax || state.places > presenceMax * PLACES_PER_USER;
  return isOver ? 'counts' : 'list';
}

function settleKept(state: PresenceState, terms: PresenceTerms): void {
  const kept = keptFor(state, terms);
  if (kept === state.kept) return;
  state.kept = kept;
  state.events.push({ what: kept, at: terms.now });
  const counts = Array.from(state.shares, ([edge, share]) => [edge, share.users.size] as const);
  state.shares.clear();
  state.members.clear();
  state.lingering.clear();
  state.places = 0;
  state.counted = 0;
  state.nextLeaveAt = Infinity;
  if (kept === 'list') return;
  for (const [edge, count] of counts) {
    if (count > 0) shareOf(state, edge).count = count;
    state.counted += count;
  }
}

function shareOf(state: PresenceState, edge: string): Share {
  const known = state.shares.get(edge);
  if (known !== undefined) return known;
  const share: Share = { users: new Map(), digest: new SetDigest(), count: 0 };
  state.shares.set(edge, share);
  return share;
}

function tidy(state: PresenceState, edge: string): void {
  const share = state.shares.get(edge);
  if (share?.count === 0 && share.users.size === 0) state.shares.delete(edge);
}
