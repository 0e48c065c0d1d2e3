/**
 * Owns adding up what viewers report of CDNs and telling the sums to the room services once a second.
 * Knows no viewer and no score. Rule: SPEC E-CDN-1.
 */
import { gcra, gcraWaitMs, type Quota } from '../src/gcra.js';
import type { EdgeId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { cdnSumsSubject } from '../src/subjects.js';
import { DELAY_STEPS, delayStep } from '../src/wire/cdn-delays.js';
import { CDN_SUMS_MS, CDNS_MAX, type CdnSum, type CdnSums } from '../src/wire/cdn-state.js';
import { encodeJson } from '../src/wire/internal.js';
import type { ReportBody } from '../src/wire/schema.js';
import type { EdgeMeters } from './meters.js';

/** Of one viewer; its own pace is one in 30 s, and another when a CDN has failed it. */
const QUOTA: Quota = { perSecond: 0.2, burst: 3 };
/** Requests that one report counts for at most: half a minute of manifests and segments. */
const REQUESTS_MAX = 100;
/** CDNs in a second's sums: twice those that can be, since a table may just have changed. */
const SOURCES_MAX = CDNS_MAX * 2;
/** Viewers without a connection whose quota is remembered, the newest: it is used up for 15 s at most. */
const POSTERS_MAX = 10_000;

export interface CdnReportParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: EdgeMeters;
  readonly region: () => string;
}

export interface PostedEnd {
  readonly end: 'taken' | 'too_soon' | 'over_bound';
  /** When to come again, unless it was taken. */
  readonly retryAfterMs: number;
}

type Sum = { -readonly [K in keyof CdnSum]: CdnSum[K] } & { readonly delaySteps: number[] };

export class CdnReports {
  readonly #parts: CdnReportParts;
  #sums = new Map<string, Sum>();
  /** Quota states of those who report by POST, the one heard of last at the end. */
  readonly #posters = new Map<string, number>();
  readonly #timer: Cancel;

  constructor(parts: CdnReportParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(CDN_SUMS_MS, () => this.#tell());
  }

  /** Takes a viewer's report within its quota, whose state before and after this is. */
  take({ cdn }: ReportBody, before: number): number {
    const tat = gcra(before, this.#parts.clock.now(), QUOTA);
    if (tat === undefined) this.#parts.meters.cdnReports.add('too_soon');
    else this.#add(cdn);
    return tat ?? before;
  }

  /** The same of a viewer without a connection: an address, or a user there. */
  takePosted({ cdn }: ReportBody, viewer: string): PostedEnd {
    const now = this.#parts.clock.now();
    const before = this.#posters.get(viewer) ?? 0;
    const tat = gcra(before, now, QUOTA);
    if (tat === undefined) {
      this.#parts.meters.cdnReports.add('too_soon');
      return { end: 'too_soon', retryAfterMs: gcraWaitMs(before, now, QUOTA) };
    }
    this.#posters.delete(viewer);
    this.#posters.set(viewer, tat);
    for (const oldest of this.#posters.keys()) {
      if (this.#posters.size <= POSTERS_MAX) break;
      this.#posters.delete(oldest);
    }
    // The sums begin anew with the next second.
    return { end: this.#add(cdn), retryAfterMs: CDN_SUMS_MS };
  }

  stop(): void {
    this.#timer.cancel();
    this.#tell();
  }

  #add(cdn: ReportBody['cdn']): 'taken' | 'over_bound' {
    const sum = this.#sum(cdn.source);
    const end = sum === undefined ? 'over_bound' : 'taken';
    this.#parts.meters.cdnReports.add(end);
    if (sum !== undefined) add(sum, cdn);
    return end;
  }

  #sum(source: string): Sum | undefined {
    const known = this.#sums.get(source);
    if (known !== undefined || this.#sums.size >= SOURCES_MAX) return known;
    const counts = { ok: 0, failed: 0, missed: 0, bytes: 0, delayMs: 0, delays: 0 };
    const delaySteps = Array.from({ length: DELAY_STEPS }, () => 0);
    const sum = { source, reports: 0, ...counts, delaySteps };
    this.#sums.set(source, sum);
    return sum;
  }

  #tell(): void {
    if (this.#sums.size === 0) return;
    const { edge, bus, region } = this.#parts;
    const told: CdnSums = { edge, region: region(), sums: [...this.#sums.values()] };
    this.#sums = new Map();
    bus.publish(cdnSumsSubject(), encodeJson(told));
  }
}

function add(sum: Sum, cdn: ReportBody['cdn']): void {
  // What one viewer says weighs no more than what one viewer can have seen.
  const share = Math.min(1, REQUESTS_MAX / Math.max(1, cdn.ok + cdn.failed));
  sum.reports++;
  sum.ok += Math.round(cdn.ok * share);
  sum.failed += Math.round(cdn.failed * share);
  sum.missed += Math.min(REQUESTS_MAX, cdn.missed);
  sum.bytes += cdn.bytes ?? 0;
  if (cdn.ok === 0 || cdn.delayMs === 0) return;
  sum.delayMs += cdn.delayMs;
  sum.delays++;
  sum.delaySteps[delayStep(cdn.delayMs)]!++;
}
