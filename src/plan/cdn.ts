/**
 * Owns what the viewers who follow the CDN ask of it and what it asks of the origin, which is the same
 * however many they are (docs/cdn.md). Pure arithmetic.
 */
import { ASSUMED } from './assumptions.js';
import type { PlanInput } from './input.js';

export interface CdnPlan {
  readonly viewers: number;
  /** Those who begin to follow it. */
  readonly newcomersPerSecond: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Compressed. */
  readonly segmentBytes: number;
  readonly manifestBytes: number;
  /** All places of the CDN together. */
  readonly originRequestsPerSecond: number;
  readonly originBytesPerSecond: number;
  /** From a publication to the viewer that has read it: of the half, of all but one in a hundred. */
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  /** How far behind the room it is shown, once a viewer has learned it (client/core/cdn-delay.ts). */
  readonly shownMs: number;
}

/** Undefined where the CDN is off. */
export function planCdn(input: PlanInput): CdnPlan | undefined {
  const { cdn, viewers, rooms, rate, pops, arrivals } = input;
  if (cdn === 0) return undefined;
  const { cdnPollMs, segmentMs, manifestBytes, cdnHeadBytes } = ASSUMED;
  const followers = viewers * cdn;
  const manifests = 1000 / cdnPollMs;
  const segments = Math.min(rate, 1000 / segmentMs);
  const segmentBytes = segments === 0 ? 0 : segmentBytesOf(rate / segments);
  const newcomers = arrivals * cdn;
  const asked = {
    manifests: followers * manifests + newcomers,
    segments: followers * segments + newcomers * firstSegments(segments),
  };
  const places = rooms * pops;
  return {
    ...{ viewers: followers, newcomersPerSecond: newcomers, segmentBytes, manifestBytes },
    requestsPerSecond: asked.manifests + asked.segments,
    bytesPerSecond:
      asked.manifests * (manifestBytes + cdnHeadBytes) +
      asked.segments * (segmentBytes + cdnHeadBytes),
    originRequestsPerSecond: places * (manifests + segments),
    originBytesPerSecond:
      places * (manifests * manifestBytes + segments * segmentBytes) +
      places * (manifests + segments) * cdnHeadBytes,
    delayP50Ms: delayMs(0.5),
    delayP99Ms: delayMs(0.99),
    shownMs: delayMs(ASSUMED.cdnShownShare) + ASSUMED.cdnShownMoreMs,
  };
}

/**
 * Segments that a newcomer fetches besides those of everybody's polls: the newest that are listed, less
 * what it has by its second poll, which comes after half the time of the others in the mean.
 */
function firstSegments(perSecond: number): number {
  return ASSUMED.cdnFirstSegments - (perSecond * ASSUMED.cdnPollMs) / 2000;
}

/**
 * What a share of publications takes: a wait for the tick and one for the poll, each as likely of any
 * length up to its own, and the lead. What the network takes comes on top.
 */
function delayMs(share: number): number {
  const { segmentMs, segmentLeadMs, cdnPollMs } = ASSUMED;
  const longest = segmentMs + cdnPollMs;
  const beyond = share > 0.5 ? Math.sqrt(2 * (1 - share) * segmentMs * cdnPollMs) : longest / 2;
  return segmentLeadMs + longest - beyond;
}

/** Compressed, with so many publications. */
export function segmentBytesOf(publications: number): number {
  return ASSUMED.segmentHeadBytes + publications * ASSUMED.segmentEachBytes;
}
