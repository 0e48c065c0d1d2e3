/**
 * Owns the last seconds of a room's droppable frames for whoever may have to go on with the room:
 * bounded in age, items and bytes, and honest about since when it is whole. Knows no origin.
 */
import type { Gap, TakenFrame } from './types.js';
import type { Manifest } from '../../src/wire/cdn.js';
import { comparePlaces } from './place.js';

/** Clocks of two pushers may differ by this much; where frames overlap no clock is asked. */
const CLOCK_SLACK_MS = 1000;

export interface RingBounds {
  readonly ageMs: number;
  readonly items: number;
  readonly bytes: number;
}

export class FrameRing {
  readonly #bounds: RingBounds;
  readonly #frames: TakenFrame[] = [];
  #bytes = 0;
  #since: number;

  /** Whole from `now` on: that is when it begins to listen. */
  constructor(bounds: RingBounds, now: number) {
    this.#bounds = bounds;
    this.#since = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get frames(): readonly TakenFrame[] {
    return this.#frames;
  }

  push(frame: TakenFrame): void {
    this.#frames.push(frame);
    this.#bytes += frame.bytes;
    this.trim(frame.heardAt);
  }

  /** Lets go of what is over a bound; `spare` bytes fewer than its own bound when others need them. */
  trim(now: number, bytesMax = this.#bounds.bytes): void {
    let drop = 0;
    let bytes = this.#bytes;
    for (const frame of this.#frames) {
      const isIn =
        frame.heardAt > now - this.#bounds.ageMs &&
        this.#frames.length - drop <= this.#bounds.items &&
        bytes <= bytesMax;
      if (isIn) break;
      bytes -= frame.bytes;
      this.#since = frame.heardAt;
      drop++;
    }
    this.#bytes = bytes;
    if (drop > 0) this.#frames.splice(0, drop);
    // What is older than the oldest frame kept was silence, or it is gone.
    if (this.#frames.length === 0) this.#since = Math.max(this.#since, now - this.#bounds.ageMs);
  }

  /** Takes a publication out; its frame keeps its place. */
  recall(id: string): boolean {
    const index = this.#frames.findIndex(({ lines }) => lines.some((line) => line.id === id));
    const frame = this.#frames[index];
    if (frame === undefined) return false;
    const lines = frame.lines.filter((line) => line.id !== id);
    const bytes = lines.reduce((sum, line) => sum + line.bytes.byteLength + 1, 0);
    this.#bytes += bytes - frame.bytes;
    this.#frames[index] = { ...frame, lines, bytes };
    return true;
  }

  /** Forgets all; whole from `now` on. */
  clear(now: number): void {
    this.#frames.length = 0;
    this.#bytes = 0;
    this.#since = now;
  }

  /**
   * What follows the manifest's last frame, and the time that may be missing in between. A manifest of
   * the future was written by another clock (or this one, before it was set back): its time tells nothing.
   */
  after(manifest: Manifest | undefined, now: number): { frames: readonly TakenFrame[]; gap?: Gap } {
    if (manifest === undefined || manifest.mode === 'off') return { frames: [...this.#frames] };
    const { through, until } = manifest;
    const first = this.#frames[0];
    const frames = this.#frames.filter(
      ({ place }) => through === undefined || comparePlaces(place, through) > 0,
    );
    const overlaps =
      through !== undefined && first !== undefined && comparePlaces(first.place, through) <= 0;
    const since = this.#since;
    const isComparable = until <= now + CLOCK_SLACK_MS;
    if (overlaps || (isComparable && since + CLOCK_SLACK_MS <= until)) return { frames };
    // Whole milliseconds, as manifests have them; clocks count finer.
    const [from, to] = [Math.min(until, since), Math.max(until, since)];
    return { frames, gap: { from: Math.max(0, Math.floor(from)), to: Math.ceil(to) } };
  }
}
