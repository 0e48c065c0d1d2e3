/**
 * Owns how runs of gifts survive a change of owner: stored with the counters, and what the log has
 * gained since then counted again from the newest publications.
 */
import { parsePublication } from '../../src/wire/publication.js';
import { COMBO_KIND } from '../../src/words.js';
import { countGift, forgetCombo, GIFT_KIND } from '../core/combos.js';
import type { RoomState } from '../core/state.js';
import type { RecentEntry } from '../recent.js';

const marks = [GIFT_KIND, COMBO_KIND].map((kind) => `"kind":${JSON.stringify(kind)}`);

/** Counts gifts, and forgets ended runs, that are in the log past `offset`. */
export function catchUpCombos(
  state: RoomState,
  recent: readonly RecentEntry[],
  offset: number,
): void {
  for (const [at, json] of recent) {
    if (at <= offset || !marks.some((mark) => json.includes(mark))) continue;
    const publication = parsePublication(json);
    if (publication.kind === GIFT_KIND) countGift(state, publication);
    else if (publication.kind === COMBO_KIND && isFinal(publication.data)) {
      forgetCombo(state, publication);
    }
  }
}

function isFinal(data: unknown): boolean {
  return (data as { final?: unknown } | undefined)?.final === true;
}
