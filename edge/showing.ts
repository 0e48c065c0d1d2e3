/**
 * Owns what a newcomer to a room is shown first: exactly what it missed, or the newest window; of
 * what is meant for some only what is meant for it. Rules: SPEC E-POS-1 to E-POS-3, E-SCOPE-4.
 */
import type { Position } from '../src/words.js';
import { isMeant, type Aim, type Viewing } from './core/aim.js';
import type { Kept } from './core/keep-ring.js';
import type { Mirror } from './mirror.js';
import type { EdgeTuning } from './options.js';
import type { Slice } from './slice.js';

/** What a viewer that came with a position will be shown, as far as it had to be fetched. */
export interface Prepared {
  readonly since: Position | undefined;
  /** Publications older than the ring, from `since` on; undefined: not to be had whole. */
  readonly older: readonly Kept[] | undefined;
}

export interface ShownPublication {
  readonly json: Buffer;
  readonly aim?: Aim | undefined;
}

export interface Shown {
  /** True: exactly what was missed. */
  readonly recovered: boolean;
  /** JSON texts, joined by commas. */
  readonly text: string;
  /** What of it is to be acknowledged. */
  readonly acked: readonly ShownPublication[];
}

const NOTHING: readonly ShownPublication[] = [];

export class Showing {
  readonly #mirror: () => Mirror;
  readonly #tuning: () => EdgeTuning;
  #window: { readonly key: string; readonly shown: Shown } | undefined;

  constructor(mirror: () => Mirror, tuning: () => EdgeTuning) {
    this.#mirror = mirror;
    this.#tuning = tuning;
  }

  /** For a viewer that takes a seat in the slice, which has caught up with `since`. */
  show(prepared: Prepared, slice: Slice, viewing: Viewing): Shown {
    const missed = this.#missed(prepared, slice);
    if (missed === undefined) return this.#newest(slice, viewing);
    const mine = missed.filter(({ aim }) => aim === undefined || isMeant(aim, viewing));
    return { recovered: true, text: textOf(mine), acked: ackedOf(mine) };
  }

  /** The window is another now: something in it was taken back. */
  forget(): void {
    this.#window = undefined;
  }

  /** Exactly what lies between the viewer's and the slice's place, whoever it is for, or undefined. */
  #missed({ since, older }: Prepared, slice: Slice): readonly Kept[] | undefined {
    if (since === undefined || older === undefined) return undefined;
    const to = slice.sent.offset;
    if (to < since.offset) return undefined;
    const { ring, rules } = this.#mirror();
    const fetched = older.filter((kept) => kept.offset < ring.first && kept.offset <= to);
    const from = since.offset + 1 + fetched.length;
    const rest = ring.range(from, to);
    if (rest === undefined || fetched.length + rest.length > rules.replay) return undefined;
    const all = [...fetched, ...rest];
    // More than a socket may hold would close the viewer and have it ask again, for ever.
    const bytes = all.reduce((sum, kept) => sum + kept.json.length, 0);
    return bytes <= this.#tuning().hardMarkBytes / 2 ? all : undefined;
  }

  #newest(slice: Slice, viewing: Viewing): Shown {
    const { rules, window } = this.#mirror();
    const meant = (aim: Aim): boolean => isMeant(aim, viewing);
    const mine = window.aimedKey(meant);
    const key = `${slice.sent.seq} ${slice.sent.cursor} ${rules.recent} ${mine}`;
    if (this.#window?.key === key) return this.#window.shown;
    const newest = window.newest(rules.recent, slice.sent.seq, meant);
    const acked = mine === '' ? NOTHING : ackedOf(newest);
    const shown = { recovered: false, text: textOf(newest), acked };
    this.#window = { key, shown };
    return shown;
  }
}

function ackedOf(publications: readonly ShownPublication[]): readonly ShownPublication[] {
  const acked = publications.filter(({ aim }) => aim?.validMs !== undefined);
  return acked.length === 0 ? NOTHING : acked;
}

function textOf(publications: readonly { readonly json: Buffer }[]): string {
  return publications.map(({ json }) => json.toString()).join(',');
}
