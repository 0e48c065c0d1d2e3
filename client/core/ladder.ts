/**
 * Owns which way to the edge is taken: the best that works, a lower one after failures, a better one
 * tried again after a while, each time it fails after a longer one. Pure. Rules: SPEC K-WAY-1 to K-WAY-3.
 */
import type { TransportName } from '../types.js';

/** Failures in a row before the next way is taken; more when the way has worked before. */
const FAILURES_MAX = 2;
const TRUSTED_FAILURES_MAX = 5;
const UPGRADE_MS_MAX = 600_000;

export class Ladder {
  readonly #ways: readonly TransportName[];
  readonly #upgradeMs: number;
  readonly #trusted = new Set<TransportName>();
  #at = 0;
  #failures = 0;
  #waitMs: number;
  /** All ways have failed since one of them held. */
  isThrough = false;

  /** `ways` from the best down, at least one. */
  constructor(ways: readonly TransportName[], upgradeMs: number) {
    this.#ways = ways;
    this.#upgradeMs = upgradeMs;
    this.#waitMs = upgradeMs;
  }

  get way(): TransportName {
    return this.#ways[this.#at]!;
  }

  /** The next better way, to be tried beside the present one; undefined at the best. */
  get better(): TransportName | undefined {
    return this.#ways[this.#at - 1];
  }

  /** How long to stay before the better way is tried. */
  get upgradeMs(): number {
    return this.#waitMs;
  }

  /** The way led nowhere, or was cut at once. At the bottom it begins again from the top. */
  failed(): void {
    const isTrusted = this.#trusted.has(this.way);
    if (++this.#failures < (isTrusted ? TRUSTED_FAILURES_MAX : FAILURES_MAX)) return;
    this.#failures = 0;
    this.#at = (this.#at + 1) % this.#ways.length;
    this.isThrough ||= this.#at === 0;
  }

  /** A link of the way stood long enough to be trusted. */
  held(): void {
    this.#failures = 0;
    this.isThrough = false;
    this.#trusted.add(this.way);
  }

  /** The better way was tried beside the present one. */
  tried(isGood: boolean): void {
    if (!isGood) {
      this.#waitMs = Math.min(UPGRADE_MS_MAX, this.#waitMs * 2);
      return;
    }
    this.#at = Math.max(0, this.#at - 1);
    this.#failures = 0;
    this.#waitMs = this.#upgradeMs;
  }
}

/** The edges a viewer may go to, the next one after each failure. */
export class EdgeList {
  #urls: string[];
  #at = 0;
  #failures = 0;

  constructor(urls: readonly string[]) {
    this.#urls = [...urls];
  }

  get isEmpty(): boolean {
    return this.#urls.length === 0;
  }

  /** The edge to go to now. */
  get url(): string | undefined {
    return this.#urls[this.#at % this.#urls.length];
  }

  /** These first: advised by an edge that ends or named by dispatch. */
  prefer(urls: readonly string[]): void {
    this.#urls = [...new Set([...urls, ...this.#urls])].slice(0, 32);
    this.#at = 0;
  }

  /** Whether there is an edge that was not tried since the last one that served. */
  get hasUntried(): boolean {
    return this.#failures < this.#urls.length;
  }

  failed(): void {
    this.#at++;
    this.#failures++;
  }

  /** The edge serves. */
  held(): void {
    this.#failures = 0;
  }
}
