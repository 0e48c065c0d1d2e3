/**
 * Owns a viewer's place in a room's stream, whatever ways it comes by: the position to resume from,
 * and the dropping of repeats, keepables by offset and droppables by id. Pure; bounded.
 * Rules: SPEC K-ONCE-1 to K-ONCE-4.
 */
import type { Line, Position, Publication } from '../types.js';

/** Ids remembered of either class: over two minutes of a room at its usual 60 a second. */
const IDS_MAX = 10_000;

export interface Taken {
  readonly fresh: readonly Publication[];
  /** Keepable publications before it never came: resume. */
  readonly hole?: boolean;
  /** What was missed is not to be had. */
  readonly gap?: boolean;
}

/** The newest so many ids. */
export class IdWindow {
  readonly #ids = new Set<string>();

  constructor(readonly max = IDS_MAX) {}

  /** Whether the id was not known; it is now. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.max) this.#ids.delete(this.#ids.values().next().value!);
    return true;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  get size(): number {
    return this.#ids.size;
  }
}

export class Place {
  #position: Position | undefined;
  #tick = 0;
  readonly #keeps = new IdWindow();
  readonly #drops = new IdWindow();

  constructor(since?: Position) {
    this.#position = since;
  }

  /** To resume from; undefined before the first join. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** As polls and event streams take it: `epoch.offset.tick`. */
  get cursor(): string | undefined {
    const at = this.#position;
    return at && `${at.epoch}.${at.offset}.${this.#tick}`;
  }

  /** A `joined` line or the answer to a poll: all that is new, and where the stream is now. */
  takeWindow({ epoch, offset, recovered, publications = [], cursor }: Line): Taken {
    const before = this.#position;
    const tick = Number(String(cursor ?? '').split('.')[2] ?? 0);
    // An answer made before what came by another way: nothing in it moves the place back.
    const isOld =
      before !== undefined &&
      (epoch < before.epoch || (epoch === before.epoch && offset < before.offset));
    const fresh = publications.filter((one: Publication) => this.#isNew(one, epoch));
    if (isOld) return { fresh, gap: false };
    this.#move({ epoch, offset }, tick);
    const missed = recovered === false && before !== undefined;
    // A newest window that begins where the viewer was is whole: nothing lies between.
    return { fresh, gap: missed && !reaches(before, { epoch, offset }, publications) };
  }

  /** A `frame` line. */
  takeFrame(line: Line): Taken {
    const publications: readonly Publication[] = line['publications'] ?? [];
    if (line['class'] !== 'keep') {
      const { epoch = this.#position?.epoch ?? 0, tick } = line;
      const fresh = publications.filter((one) => this.#isNew(one, epoch));
      const isHere = epoch === this.#position?.epoch && Number.isFinite(tick);
      if (isHere) this.#tick = Math.max(this.#tick, tick);
      return { fresh };
    }
    const { epoch, offset } = line as unknown as Position;
    const seen = this.#position ?? { epoch: 0, offset: offset - 1 };
    if (epoch < seen.epoch) return { fresh: [] };
    // What lies from `from` up to the frame and is not here was meant for others.
    if ((line['from'] ?? offset) > seen.offset + 1) return { fresh: [], hole: true };
    const known = epoch === seen.epoch ? seen.offset - offset + 1 : 0;
    const fresh = publications.filter(({ id }, i) => this.#keeps.add(id) && i >= known);
    const last = offset + publications.length - 1;
    const to = epoch > seen.epoch ? last : Math.max(seen.offset, last);
    this.#move({ epoch, offset: to }, line['tick']);
    return { fresh };
  }

  /** Droppables that came by the CDN: no position moves. */
  takeDroppables(publications: readonly Publication[]): readonly Publication[] {
    return publications.filter((one) => one.offset === undefined && this.#isNew(one, 0));
  }

  #isNew({ id, offset }: Publication, epoch: number): boolean {
    if (offset === undefined) return this.#drops.add(id);
    const at = this.#position;
    const isKnown = at !== undefined && epoch === at.epoch && offset <= at.offset;
    return this.#keeps.add(id) && !isKnown;
  }

  #move(to: Position, tick: unknown): void {
    const isSame = to.epoch === this.#position?.epoch;
    const next = Number.isFinite(tick) ? Number(tick) : 0;
    this.#tick = isSame ? Math.max(this.#tick, next) : next;
    this.#position = to;
  }
}

/** Whether a newest window shows every keepable publication after `before`. */
function reaches(before: Position, now: Position, publications: readonly Publication[]): boolean {
  if (now.epoch !== before.epoch || now.offset < before.offset) return false;
  const shown = new Set(publications.map(({ offset }) => offset));
  for (let offset = before.offset + 1; offset <= now.offset; offset++) {
    if (!shown.has(offset)) return false;
  }
  return true;
}
