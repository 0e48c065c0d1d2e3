/**
 * Owns adding up what viewers report of CDNs and telling the sums to the room services once a second.
 * Knows no viewer and no score. Rule: SPEC E-CDN-1.
 */
import { gcra, type Quota } from '../src/gcra.js';
import type { EdgeId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { cdnSumsSubject } from '../src/subjects.js';
import { CDN_SUMS_MS, CDNS_MAX, type CdnSum, type CdnSums } from '../src/wire/cdn-state.js';
import { encodeJson } from '../src/wire/internal.js';
import type { ReportCommand } from '../src/wire/schema.js';
import type { EdgeMeters } from './meters.js';

/** Of one viewer; its own pace is one in 30 s, and another when a CDN has failed it. */
const QUOTA: Quota = { perSecond: 0.2, burst: 3 };
/** Requests that one report counts for at most: half a minute of manifests and segments. */
const REQUESTS_MAX = 100;
/** CDNs in a second's sums: twice those that can be, since a table may just have changed. */
const SOURCES_MAX = CDNS_MAX * 2;

export interface CdnReportParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: EdgeMeters;
  readonly region: () => string;
}

type Sum = { -readonly [K in keyof CdnSum]: CdnSum[K] };

export class CdnReports {
  readonly #parts: CdnReportParts;
  #sums = new Map<string, Sum>();
  readonly #timer: Cancel;

  constructor(parts: CdnReportParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(CDN_SUMS_MS, () => this.#tell());
  }

  /** Takes a viewer's report within its quota, whose state before and after this is. */
  take({ cdn }: ReportCommand, before: number): number {
    const { clock, meters } = this.#parts;
    const tat = gcra(before, clock.now(), QUOTA);
    if (tat === undefined) {
      meters.cdnReports.add('too_soon');
      return before;
    }
    const sum = this.#sum(cdn.source);
    meters.cdnReports.add(sum === undefined ? 'over_bound' : 'taken');
    if (sum !== undefined) add(sum, cdn);
    return tat;
  }

  stop(): void {
    this.#timer.cancel();
    this.#tell();
  }

  #sum(source: string): Sum | undefined {
    const known = this.#sums.get(source);
    if (known !== undefined || this.#sums.size >= SOURCES_MAX) return known;
    const counts = { ok: 0, failed: 0, missed: 0, bytes: 0, delayMs: 0, delays: 0 };
    const sum = { source, reports: 0, ...counts };
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

function add(sum: Sum, cdn: ReportCommand['cdn']): void {
  // What one viewer says weighs no more than what one viewer can have seen.
  const share = Math.min(1, REQUESTS_MAX / Math.max(1, cdn.ok + cdn.failed));
  sum.reports++;
  sum.ok += Math.round(cdn.ok * share);
  sum.failed += Math.round(cdn.failed * share);
  sum.missed += cdn.missed;
  sum.bytes += cdn.bytes ?? 0;
  if (cdn.ok === 0 || cdn.delayMs === 0) return;
  sum.delayMs += cdn.delayMs;
  sum.delays++;
}
