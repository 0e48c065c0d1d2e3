/**
 * Owns what leaves a room: publications a tick chose, encoded once, counted, remembered as recent and
 * framed; then its powers hear of them. Decides nothing.
 */
import type { TickPlan } from './core/types.js';
import type { FramePulse, Frames } from './frames.js';
import { encodeSafely } from './keep-job.js';
import type { Work } from './keeper.js';
import type { RoomMeters } from './meters.js';
import type { Recent } from './recent.js';
import type { Publication } from '../src/words.js';

export interface SendingParts {
  readonly frames: Frames;
  readonly meters: RoomMeters;
  readonly recent: () => Recent;
  readonly pulse: () => FramePulse;
  readonly published: (publications: readonly Publication[], now: number) => void;
}

export class Sending {
  readonly #parts: SendingParts;

  constructor(parts: SendingParts) {
    this.#parts = parts;
  }

  /** The droppable part of a tick. */
  drop(plan: TickPlan, now: number): void {
    const { frames, meters, pulse, published, recent } = this.#parts;
    const texts: string[] = [];
    const sent: Publication[] = [];
    for (const { publication } of plan.drop) {
      const text = encodeSafely(publication);
      if (text === undefined) {
        meters.unencodable.add();
        continue;
      }
      texts.push(text);
      sent.push(publication);
      meters.publications.add(publication.lane);
      recent().push(publication.id, 0, text);
    }
    frames.drop(pulse(), texts, now);
    published(sent, now);
  }

  /** Publications now in the log. */
  keep(work: Work, now: number): void {
    const { frames, meters, pulse, published } = this.#parts;
    for (const { lane } of work.publications) meters.publications.add(lane);
    frames.keep(pulse(), work.from, work.texts, now);
    published(work.publications, now);
  }

  /** When an empty frame will be worth sending (unix milliseconds); Infinity for never. */
  newsAt(): number {
    return this.#parts.frames.newsAt(this.#parts.pulse());
  }
}
