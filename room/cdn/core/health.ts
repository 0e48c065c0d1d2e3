/**
 * Owns what is believed of one CDN for the viewers of one region, from their reports: taken down
 * within seconds, tried again with a trickle, trusted again step by step. Pure. Rules: SPEC R-CDN-8.
 */

/** Requests of viewers within a second. */
export interface Seen {
  readonly ok: number;
  readonly failed: number;
}

export type HealthState = 'fine' | 'down' | 'probing';

/** Requests that say something, and how far back they are looked at. */
const ENOUGH = 10;
const WINDOW_MS = 10_000;
const BUCKETS = 10;
/** Share of failures at which it is down, and below which a probe has gone well. */
const BAD = 0.3;
const GOOD = 0.1;
/** Per second: trust is lost fast and regained slowly. */
const FALL = 0.2;
const RISE = 0.02;
export const DOWN_MS = 30_000;
export const DOWN_MS_MAX = 300_000;
const PROBE_LEVEL = 0.02;
/** A probe goes a step on after this; where nobody reports after the longer time. */
const STEP_MS = 10_000;
const BLIND_STEP_MS = 30_000;
/** After this long without trouble the next time down is a first time again. */
const FORGIVEN_MS = 600_000;

export class Health {
  state: HealthState = 'fine';
  /** Share of its weight it is given, 0-1. */
  level = 1;
  #buckets: { at: number; ok: number; failed: number }[] = [];
  #downMs = DOWN_MS;
  /** Of the last change of state or step of a probe. */
  #since = 0;
  #steppedAt: number | undefined;

  hear({ ok, failed }: Seen, now: number): void {
    const at = Math.floor(now / (WINDOW_MS / BUCKETS));
    const newest = this.#buckets.at(-1);
    if (newest?.at === at) {
      newest.ok += ok;
      newest.failed += failed;
    } else this.#buckets.push({ at, ok, failed });
    if (this.#buckets.length > BUCKETS) this.#buckets.shift();
  }

  /** Requests of the window, and the share of them that failed. */
  seen(now: number): { readonly requests: number; readonly failed: number } {
    const from = Math.floor((now - WINDOW_MS) / (WINDOW_MS / BUCKETS));
    let [ok, failed] = [0, 0];
    for (const bucket of this.#buckets) {
      if (bucket.at <= from) continue;
      ok += bucket.ok;
      failed += bucket.failed;
    }
    const requests = ok + failed;
    return { requests, failed: requests === 0 ? 0 : failed / requests };
  }

  /** Called about once a second. */
  step(now: number): void {
    const seconds = Math.min(5, Math.max(0, (now - (this.#steppedAt ?? now)) / 1000));
    this.#steppedAt = now;
    const { requests, failed } = this.seen(now);
    const isKnown = requests >= ENOUGH;
    if (this.state === 'down') {
      if (now - this.#since >= this.#downMs) this.#enter('probing', PROBE_LEVEL, now);
    } else if (isKnown && failed >= BAD) {
      this.#fell(now);
    } else if (this.state === 'probing') {
      this.#probe(now, isKnown ? failed : undefined);
    } else if (isKnown) {
      const goal = 1 - failed;
      const change = Math.max(-FALL * seconds, Math.min(RISE * seconds, goal - this.level));
      this.level += change;
    }
  }

  #fell(now: number): void {
    const isRepeat = this.state === 'probing' || now - this.#since < FORGIVEN_MS;
    const isFirst = this.#since === 0 || !isRepeat;
    this.#downMs = isFirst ? DOWN_MS : Math.min(DOWN_MS_MAX, this.#downMs * 2);
    this.#enter('down', 0, now);
  }

  #probe(now: number, failed: number | undefined): void {
    const forMs = now - this.#since;
    const goesOn =
      failed === undefined ? forMs >= BLIND_STEP_MS : failed < GOOD && forMs >= STEP_MS;
    if (!goesOn) return;
    const level = Math.min(1, this.level * 2);
    this.#enter(level === 1 ? 'fine' : 'probing', level, now);
  }

  /** What was seen before says nothing of the new state. */
  #enter(state: HealthState, level: number, now: number): void {
    this.state = state;
    this.level = level;
    this.#since = now;
    this.#buckets = [];
  }
}
