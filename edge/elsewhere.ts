/**
 * Owns which other edges a viewer is told of when this one drains: those heard of since the drain
 * began, of the same region where there are such, with room left. Rule: SPEC E-END-3.
 */
import type { EdgeId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import { edgesSubject } from '../src/subjects.js';
import { decodeReport, type EdgeReport } from '../src/wire/edge-report.js';

export interface ElsewhereParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  /** Where this edge itself is, and of which region. */
  readonly own: () => { readonly url: string; readonly region: string };
}

/** Named in one goodbye. */
const NAMED_MAX = 3;
/** More edges than this are not looked at: the first are as good. */
const EDGES_MAX = 1000;

export class Elsewhere {
  readonly #parts: ElsewhereParts;
  readonly #heard = new Map<EdgeId, EdgeReport>();
  /** Addresses to choose from; made anew at each report. */
  #choice: readonly string[] = [];
  #found: () => void = () => undefined;
  #hearing: Cancel | undefined;

  constructor(parts: ElsewhereParts) {
    this.#parts = parts;
  }

  /** From now on; resolves when one was heard of that takes viewers, or after `waitMs`. */
  async listen(waitMs: number): Promise<void> {
    const { bus, clock } = this.#parts;
    this.#hearing ??= bus.subscribe(edgesSubject(), (bytes) => this.#hear(bytes));
    await new Promise<void>((resolve) => {
      const late = clock.after(waitMs, resolve);
      this.#found = () => {
        late.cancel();
        resolve();
      };
    });
  }

  stop(): void {
    this.#hearing?.cancel();
  }

  /** Addresses for one viewer, the first to be tried first; none when no other edge was heard of. */
  name(): readonly string[] {
    const choice = this.#choice;
    if (choice.length === 0) return choice;
    const first = this.#parts.random.below(choice.length);
    const count = Math.min(NAMED_MAX, choice.length);
    return Array.from({ length: count }, (_, i) => choice[(first + i) % choice.length]!);
  }

  #hear(bytes: Uint8Array): void {
    const report = decodeReport(bytes);
    if (report === undefined || report.edge === this.#parts.edge) return;
    if (!this.#heard.has(report.edge) && this.#heard.size >= EDGES_MAX) return;
    this.#heard.set(report.edge, report);
    this.#choice = this.#choose();
    if (this.#choice.length > 0) this.#found();
  }

  #choose(): readonly string[] {
    const own = this.#parts.own();
    const open = [...this.#heard.values()].filter(
      ({ draining, viewers, capacity, url }) => !draining && viewers < capacity && url !== own.url,
    );
    const near = open.filter(({ region }) => region === own.region);
    return [...new Set((near.length > 0 ? near : open).map(({ url }) => url))];
  }
}
