/**
 * Owns who is still to be told of what was thinned out for it: in the order in which they lost it, each
 * at most once a second, some at a time, since telling costs sends on an edge that has too many. Does
 * not decide what is thinned out. Rule: SPEC E-SHED-6.
 */

/** Who is told; it keeps the count. */
export interface Told {
  /** One that lags is told when it reads again. */
  readonly isLagging: boolean;
  /** So many publications more are missing; true: nothing was since it was told last. */
  lose(count: number): boolean;
  tellLost(): void;
}

/** From the first loss until it is told, and so at least between two notices to one viewer. */
export const NOTICE_MS = 1000;
/** Told in a step at most: 5 % of a core when steps are 100 ms apart. With more to tell all wait longer. */
export const NOTICES_PER_STEP_MAX = 500;

/** Those who lost something first at a time. */
interface Wave {
  readonly at: number;
  readonly who: Told[];
  next: number;
}

export class ThinNotices {
  /** The oldest first. */
  readonly #waves: Wave[] = [];

  /** Counts what a viewer lost, and remembers that it has to be told. */
  lose(viewer: Told, count: number, now: number): void {
    if (!viewer.lose(count)) return;
    const last = this.#waves.at(-1);
    if (last?.at === now) last.who.push(viewer);
    else this.#waves.push({ at: now, who: [viewer], next: 0 });
  }

  /** Tells those whose time has come. */
  step(now: number): void {
    const lagging: Told[] = [];
    let left = NOTICES_PER_STEP_MAX;
    for (let wave = this.#waves[0]; wave !== undefined; wave = this.#waves[0]) {
      if (left === 0 || now - wave.at < NOTICE_MS) break;
      for (; left > 0 && wave.next < wave.who.length; wave.next++, left--) {
        const viewer = wave.who[wave.next]!;
        if (viewer.isLagging) lagging.push(viewer);
        else viewer.tellLost();
      }
      if (wave.next === wave.who.length) this.#waves.shift();
    }
    if (lagging.length > 0) this.#waves.push({ at: now, who: lagging, next: 0 });
  }
}
