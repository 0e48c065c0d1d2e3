/**
 * Owns equals of a text that was told a moment ago: counted, and told once with the count when their
 * time is up, in place of each again. Bounded in texts. Knows no budget.
 */
import type { Lane, Publication } from '../../src/words.js';
import type { Entry } from './lanes.js';
import { publicationId } from './likes.js';
import type { DueReport } from './reports.js';
import type { RoomState } from './state.js';
import type { Said } from './types.js';

/** Texts remembered at once; a text more is told as often as it is said. */
export const ECHOES_MAX = 500;

interface Echo {
  readonly lane: Lane;
  /** The first of those counted since it was told. */
  said: Said | undefined;
  count: number;
  until: number;
}

export interface Echoes {
  readonly texts: Map<string, Echo>;
  /** When the first that has something counted is to be told. */
  readyAt: number;
}

/** Remembers what is being told: its equals are counted from now on. */
export function rememberTold(state: RoomState, entry: Entry, lane: Lane, now: number): void {
  const mergeMs = state.settings.mergeMs;
  if (mergeMs === 0 || entry.key === '') return;
  const echoes = (state.echoes ??= { texts: new Map(), readyAt: Infinity });
  const key = keyOf(lane, entry.key);
  const known = echoes.texts.get(key);
  if (known !== undefined && known.count > 0) return;
  echoes.texts.delete(key);
  if (echoes.texts.size >= ECHOES_MAX) forgetSilent(echoes, now);
  if (echoes.texts.size >= ECHOES_MAX) return;
  echoes.texts.set(key, { lane, said: undefined, count: 0, until: now + mergeMs });
}

/** Counts an equal of what was told; false when there is none and it goes the usual way. */
export function countEcho(state: RoomState, entry: Entry, lane: Lane, now: number): boolean {
  const echoes = state.echoes;
  const echo = entry.key === '' ? undefined : echoes?.texts.get(keyOf(lane, entry.key));
  if (echoes === undefined || echo === undefined) return false;
  if (echo.count === 0 && now >= echo.until) return false;
  echo.said ??= entry.said;
  echo.count += 1;
  echoes.readyAt = Math.min(echoes.readyAt, echo.until);
  return true;
}

export function echoesReadyAt(state: RoomState): number {
  return state.echoes?.readyAt ?? Infinity;
}

export function dueEchoes(state: RoomState, now: number): DueReport[] {
  const echoes = state.echoes;
  if (echoes === undefined || echoes.readyAt > now) return [];
  const due: DueReport[] = [];
  for (const echo of echoes.texts.values()) {
    if (echo.count === 0 || echo.until > now) continue;
    due.push({ lane: echo.lane, tell: () => tellEcho(state, echoes, echo, now) });
  }
  return due;
}

/** Forgets what nobody said again. */
export function restEchoes(state: RoomState, now: number): void {
  const echoes = state.echoes;
  if (echoes === undefined) return;
  forgetSilent(echoes, now);
  if (echoes.texts.size === 0) state.echoes = undefined;
}

function tellEcho(state: RoomState, echoes: Echoes, echo: Echo, now: number): Publication {
  const { count, lane } = echo;
  const { kind, user, text, style } = echo.said!;
  echo.count = 0;
  echo.said = undefined;
  echo.until = now + state.settings.mergeMs;
  echoes.readyAt = Infinity;
  for (const { count: counted, until } of echoes.texts.values()) {
    if (counted > 0) echoes.readyAt = Math.min(echoes.readyAt, until);
  }
  state.seq += 1;
  return {
    id: publicationId(state, state.seq),
    kind,
    lane,
    at: Math.round(now),
    ...(user !== undefined && { user }),
    ...(text !== undefined && { text }),
    ...(style !== undefined && { style }),
    ...(count > 1 && { count }),
  };
}

function forgetSilent(echoes: Echoes, now: number): void {
  for (const [key, { count, until }] of echoes.texts) {
    if (count === 0 && until <= now) echoes.texts.delete(key);
  }
}

function keyOf(lane: Lane, key: string): string {
  return `${lane}\n${key}`;
}
