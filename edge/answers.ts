/**
 * Owns what the edge answers by itself when it refuses: a few at once, under a flood many of one
 * viewer as one message, at an interval that leaves the core to those who watch. Each line is told
 * once and in order; what waits is bounded by bytes for each viewer. Rules: SPEC E-UP-1, E-UP-2.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';

/** A viewer with refusals to be told. */
export interface Answered {
  /** Lines that wait, joined by line breaks; empty: none. */
  heldLines: string;
  /** Sends what waits and empties it. */
  tellHeld(): void;
}

/** Answers told at once within a window: what people do, not programs. */
const AT_ONCE = 50;
const WINDOW_MS = 20;
/** The time of a round of telling is at most this share of the core. */
const SHARE = 0.08;
const INTERVAL_MS_MAX = 250;
/** A viewer whose answers grow over this is told at once, UTF-16 units. */
const HELD_LENGTH_MAX = 8192;
/** Told in a row before others in the process have their turn. */
const STEP = 250;

export class Answers {
  readonly #clock: Clock;
  #waiting = new Set<Answered>();
  #timer: Cancel | undefined;
  #windowEnd = -Infinity;
  #left = 0;
  /** Core time of the round under way. */
  #roundMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Viewers with answers that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Tells a viewer a line, at once or soon. */
  tell(viewer: Answered, line: string, now: number): void {
    if (viewer.heldLines !== '') {
      viewer.heldLines += `\n${line}`;
      if (viewer.heldLines.length > HELD_LENGTH_MAX) viewer.tellHeld();
      return;
    }
    viewer.heldLines = line;
    if (this.#timer === undefined && this.#mayTell(now)) {
      viewer.tellHeld();
      return;
    }
    this.#waiting.add(viewer);
    this.#timer ??= this.#clock.after(WINDOW_MS, () => this.#round());
  }

  /** Tells everyone what waits. */
  stop(): void {
    this.#timer?.cancel();
    for (const viewer of this.#waiting) viewer.tellHeld();
    this.#waiting.clear();
  }

  #mayTell(now: number): boolean {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + WINDOW_MS;
      this.#left = AT_ONCE;
    }
    return this.#left-- > 0;
  }

  /** Those who come meanwhile are told in the next round. */
  #round(): void {
    const viewers = [...this.#waiting];
    this.#waiting.clear();
    this.#roundMs = 0;
    this.#step(viewers, 0);
  }

  #step(viewers: readonly Answered[], from: number): void {
    const began = this.#clock.now();
    const to = Math.min(viewers.length, from + STEP);
    for (let i = from; i < to; i++) viewers[i]!.tellHeld();
    const tookMs = this.#clock.now() - began;
    this.#roundMs += tookMs;
    if (to < viewers.length) {
      this.#timer = this.#clock.after(1, () => this.#step(viewers, to));
      return;
    }
    this.#timer = undefined;
    if (this.#waiting.size === 0 && viewers.length < AT_ONCE) return;
    const ms = Math.min(INTERVAL_MS_MAX, Math.max(WINDOW_MS, this.#roundMs / SHARE));
    this.#timer = this.#clock.after(ms, () => this.#round());
  }
}
