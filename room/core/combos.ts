/**
 * Owns runs of gifts: the same user giving the same gift again and again, told while it runs and once
 * for good when it has ended. Each gift is a publication of its own beside this. Bounded in runs.
 */
import { COMBO_KIND, type Publication, type Speaker } from '../../src/words.js';
import { publicationId } from './likes.js';
import type { DueReport } from './reports.js';
import { isKeepable, laneOf, type RoomState } from './state.js';

export const GIFT_KIND = 'gift';
/** Runs open at once, and ended ones waiting to be told; more gifts start no run and are counted. */
export const COMBOS_MAX = 1000;
const GIFT_CHARACTERS_MAX = 128;
const GIFTS_AT_ONCE_MAX = 1_000_000;

/** A run of one user's one gift. */
export interface Combo {
  readonly user: Speaker;
  readonly gift: string;
  readonly from: number;
  count: number;
  /** Time of the newest gift. */
  at: number;
}

export interface Combos {
  /** By user and gift, least recently grown first. */
  readonly open: Map<string, Combo>;
  /** Those of `open` that grew since they were told. */
  readonly grown: Set<Combo>;
  /** Ended and not told yet. */
  ended: Combo[];
  /** Ended, told, and not in the log yet, by the publication's id. */
  readonly telling: Map<string, Combo>;
  /** Gifts that found no place for a run. */
  skipped: number;
}

/** Runs as they are stored: the open ones, and the ended ones not yet in the log. */
export type StoredCombo = Combo & { readonly ended?: true };

/** Takes up stored runs; undefined when there are none. */
export function restoreCombos(stored: readonly StoredCombo[]): Combos | undefined {
  if (stored.length === 0) return undefined;
  const combos = emptyCombos();
  for (const { ended, ...combo } of stored) {
    if (ended === true) combos.ended.push(combo);
    else combos.open.set(keyOf(combo.user.id, combo.gift), combo);
  }
  return combos;
}

export function storedCombos(state: RoomState): StoredCombo[] {
  const combos = state.combos;
  if (combos === undefined) return [];
  const plain = ({ user, gift, from, count, at }: Combo) => ({ user, gift, from, count, at });
  const ended = [...combos.telling.values(), ...combos.ended];
  return [
    ...ended.map((combo) => ({ ...plain(combo), ended: true as const })),
    ...Array.from(combos.open.values(), plain),
  ];
}

/** Counts a gift that is in the log. */
export function countGift(state: RoomState, gift: Publication): void {
  const comboMs = state.settings.comboMs;
  const named = giftOf(gift);
  if (comboMs === 0 || named === undefined || gift.user === undefined) return;
  const combos = (state.combos ??= emptyCombos());
  state.comboMark += 1;
  const key = keyOf(gift.user.id, named.gift);
  const running = combos.open.get(key);
  const at = gift.at;
  if (running !== undefined) {
    combos.open.delete(key);
    if (at - running.at <= comboMs) {
      running.count += named.count;
      running.at = Math.max(running.at, at);
      combos.grown.add(running);
      combos.open.set(key, running);
      return;
    }
    end(combos, running);
  }
  if (!hasPlace(combos)) {
    combos.skipped += 1;
    return;
  }
  const combo = { user: gift.user, gift: named.gift, from: at, count: named.count, at };
  combos.open.set(key, combo);
  if (combo.count > 1) combos.grown.add(combo);
}

/** A run whose end is in the log: seen again while catching up after a change of owner. */
export function forgetCombo(state: RoomState, closing: Publication): void {
  const named = giftOf(closing);
  const combos = state.combos;
  if (combos === undefined || named === undefined || closing.user === undefined) return;
  const { id } = closing.user;
  const key = keyOf(id, named.gift);
  state.comboMark += 1;
  const isSame = (combo: Combo) => combo.user.id === id && combo.gift === named.gift;
  combos.ended = combos.ended.filter((combo) => !isSame(combo));
  const open = combos.open.get(key);
  if (open !== undefined && open.at <= closing.at) {
    combos.open.delete(key);
    combos.grown.delete(open);
  }
}

export function combosReadyAt(state: RoomState): number {
  const combos = state.combos;
  if (combos === undefined) return Infinity;
  if (combos.grown.size > 0 || combos.ended.length > 0) return -Infinity;
  const first = combos.open.values().next().value;
  return first === undefined ? Infinity : first.at + state.settings.comboMs;
}

/** Ends of runs first, then the runs that grew. */
export function dueCombos(state: RoomState, now: number): DueReport[] {
  const combos = state.combos;
  if (combos === undefined) return [];
  endLapsed(state, combos, now);
  const running = laneOf(state.settings, COMBO_KIND);
  const last = isKeepable(running) ? running : 'high';
  const due: DueReport[] = combos.ended.map((combo) => ({
    lane: last,
    tell: () => tellEnd(state, combos, combo, now),
  }));
  for (const combo of combos.grown) {
    due.push({ lane: running, tell: () => tellGrowth(state, combos, combo, now) });
  }
  return due;
}

/** Forgets when no run is open, so that a quiet room takes no memory. */
export function restCombos(state: RoomState): void {
  const combos = state.combos;
  if (combos === undefined || combos.skipped > 0) return;
  if (combos.open.size + combos.ended.length + combos.telling.size === 0) state.combos = undefined;
}

/** A report of a run that is in the log. */
export function comboLogged(state: RoomState, report: Publication): void {
  if (state.combos?.telling.delete(report.id) === true) state.comboMark += 1;
}

/** A report that could not be logged: an end is told again, growth with the next. */
export function untellCombo(state: RoomState, report: Publication): void {
  const combos = state.combos;
  if (combos === undefined) return;
  const combo = combos.telling.get(report.id);
  if (combo !== undefined) {
    combos.telling.delete(report.id);
    combos.ended.push(combo);
    return;
  }
  const named = giftOf(report);
  const open = combos.open.get(keyOf(report.user?.id ?? '', named?.gift ?? ''));
  if (open !== undefined) combos.grown.add(open);
}

function tellGrowth(state: RoomState, combos: Combos, combo: Combo, now: number): Publication {
  combos.grown.delete(combo);
  return reportOf(state, combo, now, false);
}

function tellEnd(state: RoomState, combos: Combos, combo: Combo, now: number): Publication {
  combos.ended = combos.ended.filter((each) => each !== combo);
  const report = reportOf(state, combo, now, true);
  combos.telling.set(report.id, combo);
  return report;
}

function reportOf(state: RoomState, combo: Combo, now: number, isEnd: boolean): Publication {
  const { user, gift, count, from } = combo;
  const running = laneOf(state.settings, COMBO_KIND);
  state.seq += 1;
  return {
    id: publicationId(state, state.seq),
    kind: COMBO_KIND,
    lane: isEnd && !isKeepable(running) ? 'high' : running,
    at: Math.round(now),
    user,
    data: isEnd ? { gift, count, from, final: true } : { gift, count, from },
  };
}

function endLapsed(state: RoomState, combos: Combos, now: number): void {
  for (const [key, combo] of combos.open) {
    if (combo.at + state.settings.comboMs > now) return;
    combos.open.delete(key);
    state.comboMark += 1;
    end(combos, combo);
  }
}

/** One gift alone is no run and its end is not told. */
function end(combos: Combos, combo: Combo): void {
  combos.grown.delete(combo);
  if (combo.count > 1) combos.ended.push(combo);
}

function hasPlace(combos: Combos): boolean {
  return combos.open.size < COMBOS_MAX && combos.ended.length < COMBOS_MAX;
}

function emptyCombos(): Combos {
  return { open: new Map(), grown: new Set(), ended: [], telling: new Map(), skipped: 0 };
}

/** `data` of a gift is the studio's: taken only as far as it makes sense. */
function giftOf({ data }: Publication): { gift: string; count: number } | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { gift, count } = data as { gift?: unknown; count?: unknown };
  if (typeof gift !== 'string' || gift.length > GIFT_CHARACTERS_MAX) return undefined;
  const isCount = Number.isSafeInteger(count) && (count as number) > 0;
  return { gift, count: isCount ? Math.min(count as number, GIFTS_AT_ONCE_MAX) : 1 };
}

function keyOf(user: string, gift: string): string {
  return `${user}\n${gift}`;
}
