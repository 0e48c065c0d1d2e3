/**
 * Owns what one flush sends when some of its frames are meant for some viewers only: one batch for
 * each choice of those frames, made when the first viewer with that choice comes, and who gets which.
 * Without such frames a flush never comes here. Rules: SPEC E-SCOPE-1 to E-SCOPE-3.
 */
import type { AudienceIndex } from './audience-index.js';
import { Batch, type Part, type RoomFrame } from './batch.js';
import { isMeant, type Aim, type Cohort } from './core/aim.js';
import type { Seat, Slice } from './slice.js';

/** A frame meant for some. */
export type AimedFrame = RoomFrame & { readonly aim: Aim };

/** Places in `MixedBatch.aimed`, rising. */
type Choice = readonly number[];
const NONE: Choice = [];

export class MixedBatch {
  readonly aimed: readonly AimedFrame[];
  /** Whether there is anything for everyone. */
  readonly hasOpen: boolean;
  readonly #frames: readonly RoomFrame[];
  readonly #compressed: () => void;
  readonly #variants = new Map<string, Batch>();

  constructor(frames: readonly RoomFrame[], compressed: () => void) {
    this.#frames = frames;
    this.#compressed = compressed;
    this.aimed = frames.filter((frame): frame is AimedFrame => frame.aim !== undefined);
    this.hasOpen = this.aimed.length < frames.length;
  }

  /** What is for everyone. */
  get open(): Batch {
    return this.variant(NONE);
  }

  /** What is for everyone and the chosen ones, in the order in which they came. */
  variant(choice: Choice): Batch {
    const key = choice.join();
    const made = this.#variants.get(key);
    if (made !== undefined) return made;
    const chosen = new Set<RoomFrame>(choice.map((place) => this.aimed[place]!));
    const frames = this.#frames.filter((frame) => frame.aim === undefined || chosen.has(frame));
    const batch = new Batch(frames, this.#compressed);
    this.#variants.set(key, batch);
    return batch;
  }
}

export interface MixedFlush {
  readonly slice: Slice;
  readonly batch: MixedBatch;
  readonly part: Part;
  /** Who of the slice gets it; absent: everyone. */
  readonly among?: (seat: Seat) => boolean;
  readonly audience: AudienceIndex;
  /** A viewer was handed a frame meant for it. */
  readonly delivered: (frame: AimedFrame, seat: Seat) => void;
}

/** Sends each viewer of the slice what is for it; the answer is who was too slow for it. */
export function flushMixed(flush: MixedFlush): readonly Seat[] {
  const { slice, batch, part, among, audience, delivered } = flush;
  const named = new Map<Seat, number[]>();
  const byTags: number[] = [];
  batch.aimed.forEach(({ aim }, place) => {
    const seats = audience.named(aim);
    if (seats === undefined) byTags.push(place);
    for (const seat of seats ?? []) {
      if (seat.slice === slice && isMeant(aim, seat.viewing)) push(named, seat, place);
    }
  });
  const ofCohort = choices(batch, byTags);
  const slow: Seat[] = [];
  // Where nothing is for all of a cohort, only those named are looked at.
  const isWide = batch.hasOpen || byTags.length > 0;
  for (const seat of isWide ? [...slice.seats] : named.keys()) {
    if (among?.(seat) === false) continue;
    const choice = merged(named.get(seat), ofCohort(seat.viewing.cohort));
    if (choice.length === 0 && !batch.hasOpen) continue;
    if (!seat.occupant.outlet.deliver(batch.variant(choice), part)) slow.push(seat);
    else for (const place of choice) delivered(batch.aimed[place]!, seat);
  }
  return slow;
}

/** What each cohort gets by its tags, found once a cohort. */
function choices(batch: MixedBatch, byTags: Choice): (cohort: Cohort) => Choice {
  const known = new Map<Cohort, Choice>();
  if (byTags.length === 0) return () => NONE;
  return (cohort) => {
    const before = known.get(cohort);
    if (before !== undefined) return before;
    const choice = byTags.filter((place) => batch.aimed[place]!.aim.tags?.has(cohort) === true);
    known.set(cohort, choice);
    return choice;
  };
}

function merged(own: Choice | undefined, others: Choice): Choice {
  if (own === undefined) return others;
  return others.length === 0 ? own : [...own, ...others].sort((a, b) => a - b);
}

function push(map: Map<Seat, number[]>, seat: Seat, place: number): void {
  const places = map.get(seat);
  if (places === undefined) map.set(seat, [place]);
  else places.push(place);
}
