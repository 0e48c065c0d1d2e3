/**
 * Owns the decisions of a holder of leases: what to take, renew, hand over, release, count as lost.
 * Pure: (state, event, now, random) in, acts out; the state changes here and nowhere else.
 * Rules: SPEC R-OWN-1 to R-OWN-5, R-OWN-8.
 */
import type { Fence } from '../ports/store.js';
import type { Random } from '../random.js';
import type { OwnerNote } from './owner-note.js';
import { shareOf } from './rendezvous.js';
import { DEAF_AFTER_MS, rosterOf, YIELD_AFTER_MS } from './roster.js';

/** Where a lease is between this member and the store. `asking`: whether it will be this member's. */
type Phase = 'asking' | 'held' | 'handing' | 'releasing';

interface Slot {
  phase: Phase;
  /** 0 while it is asked for. */
  epoch: number;
  renewAt: number;
  isRenewing: boolean;
}

export interface HolderState {
  readonly member: string;
  readonly leases: readonly number[];
  readonly leaseMs: number;
  members: readonly string[];
  wanted: ReadonlySet<number>;
  readonly slots: Map<number, Slot>;
  /** Leases wanted and not had: when they are asked for next. */
  readonly retryAt: Map<number, number>;
  enlistAt: number;
  isEnlisting: boolean;
  /** The store did not answer last time. */
  isStoreSilent: boolean;
  /** Until then members missing from the list may only not have come back to it yet. */
  patientUntil: number;
  /** Something happened since the list was asked for. */
  isListOld: boolean;
  isStopping: boolean;
  /** Since when there is no bus. */
  busGoneAt: number | undefined;
  /** Since when others are seen that have it. */
  othersHearAt: number | undefined;
}

export type HolderEvent =
  /** `hasBus`: whether others can be heard; absent: as before. */
  | { readonly event: 'time'; readonly hasBus?: boolean }
  | { readonly event: 'enlisted'; readonly members: readonly string[] }
  | { readonly event: 'enlistFailed' }
  /** Without epoch: another has it, or the store did not answer. */
  | { readonly event: 'acquired'; readonly lease: number; readonly epoch?: number }
  | { readonly event: 'renewed'; readonly fence: Fence; readonly answer: boolean | 'unknown' }
  /** What was to be done before the release is done. */
  | { readonly event: 'finished'; readonly fence: Fence }
  | { readonly event: 'released'; readonly fence: Fence }
  /** The store refused a commit, or the service could not begin to serve: another is to have it. */
  | { readonly event: 'fenced' | 'unserved'; readonly fence: Fence }
  | { readonly event: 'heard'; readonly note: OwnerNote }
  | { readonly event: 'stop' };

export type HolderAct =
  /** Under the name of one that has no bus, or its own. */
  | { readonly act: 'enlist'; readonly isDeaf: boolean }
  | { readonly act: 'delist' }
  | { readonly act: 'acquire'; readonly lease: number }
  | { readonly act: 'take' | 'renew' | 'handOver' | 'release' | 'lose'; readonly fence: Fence };

/** Retry of leases that others have. */
const RETRY_MAX_MS = 200;
/** Hand-overs at a time while others wait to take over: more would make each of them longer. */
export const HAND_OVERS_MAX = 4;

export function openHolder(
  member: string,
  leases: readonly number[],
  leaseMs: number,
): HolderState {
  return {
    ...{ member, leases, leaseMs, members: [], wanted: new Set<number>() },
    ...{ slots: new Map<number, Slot>(), retryAt: new Map<number, number>() },
    ...{
      enlistAt: -Infinity,
      isEnlisting: false,
      isStoreSilent: false,
      patientUntil: -Infinity,
      isListOld: false,
      isStopping: false,
      busGoneAt: undefined,
      othersHearAt: undefined,
    },
  };
}

/** The right to serve the lease's shard; none while it is being handed over. */
export function fenceIn({ slots }: HolderState, lease: number): Fence | undefined {
  const slot = slots.get(lease);
  return slot?.phase === 'held' ? { shard: lease, epoch: slot.epoch } : undefined;
}

/** Leases that no other member may have now. */
export function countIn({ slots }: HolderState): number {
  let count = 0;
  for (const { phase } of slots.values()) if (phase === 'held' || phase === 'handing') count++;
  return count;
}

/** What is to be done, in this order, now that this has happened. */
export function plan(
  state: HolderState,
  event: HolderEvent,
  now: number,
  random: Random,
): HolderAct[] {
  const acts = follow(state, event, now, random);
  // By far the most events, and nothing comes of them but what time brings.
  if (event.event === 'renewed' && event.answer === true) return acts;
  enlistWhenDue(state, now, acts);
  renewDue(state, now, acts);
  handOverUnwanted(state, acts);
  acquireDue(state, now, acts);
  return acts;
}

function follow(state: HolderState, event: HolderEvent, now: number, random: Random): HolderAct[] {
  switch (event.event) {
    case 'time':
      if (event.hasBus !== undefined) followBus(state, event.hasBus, now);
      return [];
    case 'enlisted':
      enlisted(state, event.members, now);
      return [];
    case 'enlistFailed':
      state.isEnlisting = false;
      state.isStoreSilent = true;
      state.enlistAt = now + retryMs(state, random);
      return [];
    case 'acquired':
      return acquired(state, event, now, random);
    case 'renewed':
      return renewed(state, event, now, random);
    case 'finished':
      return finished(state, event.fence);
    case 'released':
      if (slotOf(state, event.fence)?.phase === 'releasing') state.slots.delete(event.fence.shard);
      return [];
    case 'fenced':
      return loseToAnother(state, event.fence, now);
    case 'unserved':
      state.retryAt.set(event.fence.shard, now + retryMs(state, random));
      return finished(state, event.fence);
    case 'heard':
      return heard(state, event.note, now);
    case 'stop':
      state.isStopping = true;
      state.wanted = new Set();
      state.retryAt.clear();
      return [{ act: 'delist' }];
  }
}

function followBus(state: HolderState, hasBus: boolean, now: number): void {
  if (hasBus === (state.busGoneAt === undefined)) return;
  state.busGoneAt = hasBus ? undefined : now;
  state.othersHearAt = undefined;
  // Who is there again is to be counted again at once; the list is asked for anew.
  if (!hasBus) return;
  state.isListOld = true;
  state.enlistAt = now;
}

function enlisted(state: HolderState, members: readonly string[], now: number): void {
  state.isEnlisting = false;
  if (state.isStopping) return;
  // Renewals come four to a lease; the list twice as often, since a death shows only there.
  state.enlistAt = state.isListOld ? now : now + state.leaseMs / 8;
  if (state.isStoreSilent) state.patientUntil = now + state.leaseMs / 2;
  state.isStoreSilent = false;
  const isDeaf = state.busGoneAt !== undefined;
  const { able, isAnyHearing } = rosterOf(members, isDeaf ? state.member : undefined);
  state.othersHearAt = isDeaf && isAnyHearing ? (state.othersHearAt ?? now) : undefined;
  if (state.othersHearAt !== undefined && now < state.othersHearAt + YIELD_AFTER_MS) return;
  const isPatient = now < state.patientUntil;
  const living = isPatient ? [...new Set([...state.members, ...able])].sort() : able;
  if (sameNames(state.members, living)) return;
  state.members = living;
  state.wanted = shareOf(state.member, state.leases, living);
  for (const lease of state.retryAt.keys()) {
    if (!state.wanted.has(lease)) state.retryAt.delete(lease);
  }
}

function acquired(
  state: HolderState,
  { lease, epoch }: HolderEvent & { readonly event: 'acquired' },
  now: number,
  random: Random,
): HolderAct[] {
  if (epoch === undefined) {
    state.slots.delete(lease);
    // A time set since it was asked for means that it was released in between.
    if (!state.retryAt.has(lease)) state.retryAt.set(lease, now + retryMs(state, random));
    return [];
  }
  const fence = { shard: lease, epoch };
  const isWanted = state.wanted.has(lease);
  const phase: Phase = isWanted ? 'held' : 'releasing';
  state.slots.set(lease, { phase, epoch, renewAt: now + state.leaseMs / 4, isRenewing: false });
  return [{ act: isWanted ? 'take' : 'release', fence }];
}

function renewed(
  state: HolderState,
  { fence, answer }: HolderEvent & { readonly event: 'renewed' },
  now: number,
  random: Random,
): HolderAct[] {
  const slot = slotOf(state, fence);
  if (slot === undefined) return [];
  slot.isRenewing = false;
  // A store that does not answer takes nothing away: another owner, or the store itself, does.
  if (answer === 'unknown') slot.renewAt = now + retryMs(state, random);
  return answer === false ? lose(state, fence) : [];
}

function finished(state: HolderState, fence: Fence): HolderAct[] {
  const slot = slotOf(state, fence);
  if (slot === undefined) return [];
  slot.phase = 'releasing';
  return [{ act: 'release', fence }];
}

function lose(state: HolderState, fence: Fence): HolderAct[] {
  const slot = slotOf(state, fence);
  if (slot === undefined || slot.phase === 'releasing') return [];
  state.slots.delete(fence.shard);
  return [{ act: 'lose', fence }];
}

/** Who has it says when it is free; asked at once, two of one name would take it in turns. */
function loseToAnother(state: HolderState, fence: Fence, now: number): HolderAct[] {
  const acts = lose(state, fence);
  if (acts.length > 0) state.retryAt.set(fence.shard, now + state.leaseMs);
  return acts;
}

function heard(state: HolderState, note: OwnerNote, now: number): HolderAct[] {
  if (note.owner === state.member && note.note !== 'taken') return [];
  if (note.note === 'taken') {
    const epoch = state.slots.get(note.lease)?.epoch ?? 0;
    const isLost = epoch > 0 && note.epoch > epoch;
    return isLost ? loseToAnother(state, { shard: note.lease, epoch }, now) : [];
  }
  // Who stops is off the list before its shards are released.
  state.isListOld = true;
  state.enlistAt = Math.min(state.enlistAt, now);
  if (note.note === 'released' && state.leases.includes(note.lease)) {
    state.retryAt.set(note.lease, now);
  }
  return [];
}

function enlistWhenDue(state: HolderState, now: number, acts: HolderAct[]): void {
  if (state.isStopping || state.isEnlisting || state.enlistAt > now) return;
  state.isEnlisting = true;
  state.isListOld = false;
  const { busGoneAt } = state;
  const isDeaf = busGoneAt !== undefined && now >= busGoneAt + DEAF_AFTER_MS;
  acts.push({ act: 'enlist', isDeaf });
}

function renewDue(state: HolderState, now: number, acts: HolderAct[]): void {
  for (const [shard, slot] of state.slots) {
    const isOwned = slot.phase === 'held' || slot.phase === 'handing';
    if (!isOwned || slot.isRenewing || slot.renewAt > now) continue;
    slot.isRenewing = true;
    slot.renewAt = now + state.leaseMs / 4;
    acts.push({ act: 'renew', fence: { shard, epoch: slot.epoch } });
  }
}

function handOverUnwanted(state: HolderState, acts: HolderAct[]): void {
  // Nobody takes over what a silent store cannot give.
  const hasHeirs = state.members.length > 1 && !state.isStoreSilent;
  const most = hasHeirs ? HAND_OVERS_MAX : Infinity;
  let handing = 0;
  for (const { phase } of state.slots.values()) if (phase === 'handing') handing++;
  for (const [shard, slot] of state.slots) {
    if (handing >= most) return;
    if (slot.phase !== 'held' || state.wanted.has(shard)) continue;
    slot.phase = 'handing';
    handing++;
    acts.push({ act: 'handOver', fence: { shard, epoch: slot.epoch } });
  }
}

function acquireDue(state: HolderState, now: number, acts: HolderAct[]): void {
  for (const lease of state.wanted) {
    if (state.slots.has(lease) || (state.retryAt.get(lease) ?? 0) > now) continue;
    state.slots.set(lease, { phase: 'asking', epoch: 0, renewAt: Infinity, isRenewing: false });
    state.retryAt.delete(lease);
    acts.push({ act: 'acquire', lease });
  }
}

function slotOf({ slots }: HolderState, { shard, epoch }: Fence): Slot | undefined {
  const slot = slots.get(shard);
  return slot?.epoch === epoch ? slot : undefined;
}

/** Spread by a quarter either way, so that members do not ask in step. */
function retryMs({ leaseMs }: HolderState, random: Random): number {
  return Math.min(RETRY_MAX_MS, leaseMs / 10) * (0.75 + random.next() / 2);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
