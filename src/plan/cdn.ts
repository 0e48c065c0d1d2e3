/**
 * Owns what the viewers who follow the CDN ask of it and what it asks of the origin, which is the same
 * however many they are (docs/cdn.md). Pure arithmetic.
 */
import { ASSUMED } from './assumptions.js';
import type { PlanInput } from './input.js';

export interface CdnPlan {
  readonly viewers: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Compressed. */
  readonly segmentBytes: number;
  readonly manifestBytes: number;
  /** All places of the CDN together. */
  readonly originRequestsPerSecond: number;
  readonly originBytesPerSecond: number;
  /** How far what is shown is behind, at least. */
  readonly delayMs: number;
}

/** Undefined where the CDN is off. */
export function planCdn(input: PlanInput): CdnPlan | undefined {
  const { cdn, viewers, rooms, rate, pops } = input;
  if (cdn === 0) return undefined;
  const { cdnPollMs, segmentMs, manifestBytes, cdnHeadBytes } = ASSUMED;
  const followers = viewers * cdn;
  const manifests = 1000 / cdnPollMs;
  const segments = Math.min(rate, 1000 / segmentMs);
  const segmentBytes = segments === 0 ? 0 : segmentBytesOf(rate / segments);
  const perViewer =
    manifests * (manifestBytes + cdnHeadBytes) + segments * (segmentBytes + cdnHeadBytes);
  const places = rooms * pops;
  return {
    ...{ viewers: followers, segmentBytes, manifestBytes },
    requestsPerSecond: followers * (manifests + segments),
    bytesPerSecond: followers * perViewer,
    originRequestsPerSecond: places * (manifests + segments),
    originBytesPerSecond:
      places * (manifests * manifestBytes + segments * segmentBytes) +
      places * (manifests + segments) * cdnHeadBytes,
    delayMs: segmentMs + cdnPollMs + 1000,
  };
}

/** Compressed, with so many publications. */
export function segmentBytesOf(publications: number): number {
  return ASSUMED.segmentHeadBytes + publications * ASSUMED.segmentEachBytes;
}
