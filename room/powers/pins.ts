/**
 * Owns a room's pinned publications: copies stored in the commit that tells viewers of them, shown
 * to those who join, gone when their publication is recalled.
 */
import { BarrageError } from '../../src/errors.js';
import type { Fact, FactChange } from '../../src/wire/internal.js';
import type { Publication } from '../../src/words.js';
import { RECALLED_KIND } from '../../src/words.js';
import { pinOf, withPin, withoutPins, type Pin, type PinChange } from '../core/pins.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { readRecord } from './record-json.js';
import { told } from './told.js';
import { Turns } from './turns.js';

export const PINS_RECORD = 'pins';
export const PIN_KIND = 'pin';
export const UNPIN_KIND = 'unpin';
const FACT = 'pins';
/** Publications that told of a pin and are remembered, so that a recall finds them. */
const TOLD_MAX = 50;

/** Id of what was pinned and of the publication that told so. */
type Told = readonly [pinned: string, by: string];

interface Stored {
  readonly pins: readonly Pin[];
  readonly told: readonly Told[];
}

export class Pins implements Power {
  readonly #host: PowerHost;
  readonly #turns = new Turns();
  #stored: Stored;

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    this.#stored = readRecord<Stored>(records, PINS_RECORD) ?? { pins: [], told: [] };
  }

  /** Oldest first. */
  get pins(): readonly Pin[] {
    return this.#stored.pins;
  }

  /** Throws BarrageError `not_found` for a recalled one, `closed`, `unavailable` or the store's. */
  pin(publication: Publication): Promise<Pin> {
    return this.#turns.take(async () => {
      if (publication.kind === RECALLED_KIND) {
        throw new BarrageError('not_found', 'the publication was recalled', { field: 'id' });
      }
      if (publication.to !== undefined) {
        const rule = 'a publication for everyone';
        throw new BarrageError('conflict', `"id" must be: ${rule}`, { field: 'id', rule });
      }
      const pin = pinOf(publication, this.#host.clock.now());
      const change = withPin(this.pins, pin, this.#host.settings().pinsMax);
      const { id, kind, user, text, style, data } = pin;
      const ids = change.pins.map((each) => each.id);
      const draft = {
        ...{ kind: PIN_KIND, lane: 'control' as const },
        data: { id, kind, pins: ids, ...(data === undefined ? {} : { data }) },
        ...(user === undefined ? {} : { user }),
        ...(text === undefined ? {} : { text }),
        ...(style === undefined ? {} : { style }),
      };
      await told(this.#host, draft, (work, placed) => {
        const by: Told = [id, placed.publication.id];
        const next = { pins: change.pins, told: [...this.#stored.told, by].slice(-TOLD_MAX) };
        work.records.set(PINS_RECORD, JSON.stringify(next));
        work.after.push(() => this.#adopt(next, [[FACT, id, JSON.stringify(pin)]], change.gone));
      });
      for (const gone of change.gone) await this.#sayGone(gone, ids);
      return pin;
    });
  }

  /** Whether it was pinned. */
  unpin(id: string): Promise<boolean> {
    return this.#turns.take(async () => (await this.#remove(new Set([id]))).length > 0);
  }

  /** What was recalled is unpinned. Answers the ids of the publications that told of its pinning. */
  recalled(ids: readonly string[]): Promise<string[]> {
    const gone = new Set(ids);
    const isKnown =
      this.#stored.told.some(([pinned]) => gone.has(pinned)) ||
      this.pins.some(({ id }) => gone.has(id));
    if (!isKnown) return Promise.resolve([]);
    return this.#turns.take(async () => {
      const by = this.#stored.told.filter(([pinned]) => gone.has(pinned)).map(([, each]) => each);
      await this.#remove(gone);
      return by;
    });
  }

  facts(): readonly Fact[] {
    return this.pins.map((pin): Fact => [FACT, pin.id, JSON.stringify(pin)]);
  }

  async #remove(ids: ReadonlySet<string>): Promise<readonly string[]> {
    const change = withoutPins(this.pins, ids);
    if (change.gone.length === 0) return [];
    if (this.#host.status() === 'closed') {
      await this.#host.change(
        (work) => this.#store(work.records, change),
        () => this.#took(change),
      );
      return change.gone;
    }
    const left = change.pins.map((pin) => pin.id);
    const [first, ...others] = change.gone;
    const data = { id: first, pins: left };
    await told(this.#host, { kind: UNPIN_KIND, lane: 'control', data }, (work) => {
      this.#store(work.records, change);
      work.after.push(() => this.#took(change));
    });
    for (const id of others) await this.#sayGone(id, left);
    return change.gone;
  }

  #store(records: Map<string, string | null>, { pins }: PinChange): void {
    records.set(PINS_RECORD, JSON.stringify({ ...this.#stored, pins }));
  }

  #took({ pins, gone }: PinChange): void {
    this.#adopt({ ...this.#stored, pins }, [], gone);
  }

  #adopt(stored: Stored, shown: readonly FactChange[], gone: readonly string[]): void {
    this.#stored = stored;
    this.#host.show([...gone.map((id): FactChange => [FACT, id, null]), ...shown]);
  }

  /** The list in `pins` of what was told before says it already; this is for who reads names only. */
  async #sayGone(id: string, pins: readonly string[]): Promise<void> {
    const draft = { kind: UNPIN_KIND, lane: 'control' as const, data: { id, pins } };
    await told(this.#host, draft).catch(() => undefined);
  }
}
