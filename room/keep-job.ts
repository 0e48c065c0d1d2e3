/**
 * Owns how the keepable publications of one tick become part of a commit: each gets its offset and
 * its text, and the calls that wait for them add what rides along. Knows no store.
 */
import type { BarrageError } from '../src/errors.js';
import { encodeLogged } from '../src/wire/publication.js';
import type { Publication } from '../src/words.js';
import type { Planned } from './core/types.js';
import type { Job, Work } from './keeper.js';
import { isCallSender } from './senders.js';

/** How a run of planned publications ended. */
export type KeepEnd = (
  planned: readonly Planned[],
  verdict: 'published' | 'unavailable',
  retryAfterMs?: number,
) => void;

/** Ids, times, names and punctuation of a publication's JSON, beside its text. */
const FIXED_BYTES = 512;

export class KeepJob implements Job {
  readonly items: number;
  readonly bytes: number;
  readonly #planned: readonly Planned[];
  readonly #end: KeepEnd;
  readonly #unencodable: () => void;
  #broken: Planned[] = [];

  constructor(planned: readonly Planned[], end: KeepEnd, unencodable: () => void) {
    this.#planned = planned;
    this.#end = end;
    this.#unencodable = unencodable;
    this.items = planned.length;
    this.bytes = planned.reduce((sum, each) => sum + bytesOf(each.publication), 0);
  }

  prepare(work: Work): void {
    this.#broken = [];
    for (const planned of this.#planned) {
      const offset = work.from + work.texts.length;
      const publication = { ...planned.publication, offset };
      const text = encodeSafely(publication);
      if (text === undefined) {
        this.#broken.push(planned);
        continue;
      }
      work.texts.push(text);
      work.publications.push(publication);
      ride(work, planned, publication, offset);
    }
  }

  kept(): void {
    const broken = this.#broken;
    if (broken.length === 0) return this.#end(this.#planned, 'published');
    const whole = this.#planned.filter((each) => !broken.includes(each));
    this.#end(whole, 'published');
    this.#end(broken, 'unavailable');
    for (const _ of broken) this.#unencodable();
  }

  failed(error: BarrageError): void {
    for (const { refs } of this.#planned) {
      for (const ref of refs) {
        if (!isCallSender(ref)) continue;
        ref.error = error;
        ref.placed = undefined;
      }
    }
    this.#end(this.#planned, 'unavailable', error.retryAfterMs);
  }
}

function ride(work: Work, planned: Planned, publication: Publication, offset: number): void {
  planned.refs.forEach((ref, index) => {
    if (!isCallSender(ref)) return;
    ref.placed = { publication, epoch: work.epoch, offset, first: index === 0 };
    ref.ride?.(work, ref.placed);
  });
}

/** The text for the log, or undefined for a publication the serializer refuses. */
export function encodeSafely(publication: Publication): string | undefined {
  try {
    return encodeLogged(publication);
  } catch {
    return undefined;
  }
}

/** An upper estimate of the JSON's size, good enough for a bound. */
function bytesOf(publication: Publication): number {
  const { text, data, to } = publication;
  const dataBytes = data === undefined ? 0 : 1024;
  const named = (to?.users?.length ?? 0) + (to?.devices?.length ?? 0);
  return FIXED_BYTES + dataBytes + 72 * named + 3 * (text?.length ?? 0);
}
