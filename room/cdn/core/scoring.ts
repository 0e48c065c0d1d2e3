/**
 * Owns the shares of several CDNs: from what an operator wishes, the bandwidth paid for and left, whether
 * they fail their viewers (`health.ts`) and how these fare (`quality.ts`), for all and for each region.
 * Weights move slowly, a CDN that fails falls at once. Pure. Rules: SPEC R-CDN-7 to R-CDN-9, R-CDN-14.
 */
import { isOpenTo, type CdnEntry, type CdnSpec, type CdnSum } from '../../../src/wire/cdn-state.js';
import { Health } from './health.js';
import {
  bestOf,
  faredOf,
  Quality,
  QUALITY_RULES,
  qualityFactor,
  type QualityRules,
} from './quality.js';

/** Share of its weight a CDN keeps when all of its bandwidth is used. */
const CROWDED = 0.05;
/** Viewers report every 30 s: what they took is looked at this far back. */
const TAKEN_MS = 30_000;
/** Relative change of a weight in a second for anything but failure. */
const DRIFT = 0.02;
const REGIONS_MAX = 64;
/** A region nobody reports from is forgotten. */
const REGION_FORGET_MS = 600_000;
const WEIGHT_MAX = 100;

/**
 * How much a CDN is to be preferred for its bandwidth: 1-2 under the guarantee (more for more left
 * of it), below 1 over it (by what is left to the most). Exported for its table of tests.
 */
export function bandwidthFactor(spec: CdnSpec, mbps: number): number {
  const { guaranteedMbps: guaranteed = 0, maxMbps: max = 0 } = spec;
  if (guaranteed > 0 && mbps < guaranteed) return 2 - mbps / guaranteed;
  if (max > 0) return Math.min(1, Math.max(CROWDED, (max - mbps) / max));
  return 1;
}

interface Region {
  readonly health: Health;
  readonly quality: Quality;
  /** Moves towards what its quality is worth now; as it was while nobody reports. */
  worth: number;
  heardAt: number;
}

/** One CDN. */
class Scored {
  spec: CdnSpec;
  readonly regions = new Map<string, Region>();
  /** Moves towards the factor of the bandwidth now. */
  factor = 1;
  delayMs = 0;
  #taken: { at: number; bytes: number }[] = [];

  constructor(spec: CdnSpec) {
    this.spec = spec;
  }

  hear(region: string, sum: CdnSum, now: number): void {
    let known = this.regions.get(region);
    if (known === undefined) {
      if (this.regions.size >= REGIONS_MAX) return;
      known = { health: new Health(), quality: new Quality(), worth: 1, heardAt: now };
      this.regions.set(region, known);
    }
    known.heardAt = now;
    known.health.hear(sum, now);
    known.quality.hear(sum, now);
    this.#taken.push({ at: now, bytes: sum.bytes });
    if (sum.delays > 0) {
      const delayMs = sum.delayMs / sum.delays;
      this.delayMs = this.delayMs === 0 ? delayMs : this.delayMs * 0.9 + delayMs * 0.1;
    }
  }

  mbps(now: number): number {
    this.#taken = this.#taken.filter(({ at }) => now - at < TAKEN_MS);
    const bytes = this.#taken.reduce((sum, each) => sum + each.bytes, 0);
    return (bytes * 8) / 1e6 / (TAKEN_MS / 1000);
  }

  step(now: number, seconds: number): void {
    for (const [name, region] of this.regions) {
      region.health.step(now);
      const isForgotten =
        now - region.heardAt >= REGION_FORGET_MS && region.health.state === 'fine';
      if (isForgotten) this.regions.delete(name);
    }
    this.factor = drifted(this.factor, bandwidthFactor(this.spec, this.mbps(now)), seconds);
  }

  /** 0-1 in one region, or the mean of all: one that fails somewhere loses its share of that. */
  level(region?: string): number {
    const known = region === undefined ? undefined : this.regions.get(region);
    if (known !== undefined) return known.health.level * known.worth;
    if (this.regions.size === 0) return 1;
    let sum = 0;
    for (const { health, worth } of this.regions.values()) sum += health.level * worth;
    return sum / this.regions.size;
  }

  get state(): string {
    const states = new Set(Array.from(this.regions.values(), ({ health }) => health.state));
    if (states.size === 0) return 'unseen';
    return states.size === 1 ? [...states][0]! : 'mixed';
  }
}

export class Scores {
  #scored = new Map<string, Scored>();
  #steppedAt: number | undefined;
  #rules: QualityRules;

  constructor(rules: QualityRules = QUALITY_RULES) {
    this.#rules = rules;
  }

  tune(rules: QualityRules): void {
    this.#rules = rules;
  }

  /** The CDNs there are; what was learnt of those that stay holds. */
  set(specs: readonly CdnSpec[]): void {
    const before = this.#scored;
    this.#scored = new Map(
      specs.map((spec) => {
        const known = before.get(spec.id);
        // Another address is another CDN.
        const scored = known?.spec.url === spec.url ? known : new Scored(spec);
        scored.spec = spec;
        return [spec.id, scored];
      }),
    );
  }

  /** False for a CDN that is not (any longer) among them. */
  hear(region: string, sum: CdnSum, now: number): boolean {
    const scored = this.#scored.get(sum.source);
    scored?.hear(region, sum, now);
    return scored !== undefined;
  }

  /** Called about once a second. */
  step(now: number): void {
    const seconds = Math.min(5, Math.max(0, (now - (this.#steppedAt ?? now)) / 1000));
    this.#steppedAt = now;
    for (const scored of this.#scored.values()) scored.step(now, seconds);
    const names = new Set([...this.#scored.values()].flatMap(({ regions }) => [...regions.keys()]));
    for (const name of names) this.#compare(name, now, seconds);
  }

  /** Within a region only: viewers far away are late by whichever CDN. */
  #compare(name: string, now: number, seconds: number): void {
    const known = [...this.#scored.values()].flatMap(({ regions }) => {
      const region = regions.get(name);
      const fared = region?.health.state === 'down' ? undefined : region?.quality.fared(now);
      return region === undefined || fared === undefined ? [] : [{ region, fared }];
    });
    const best = bestOf(known.map(({ fared }) => fared));
    if (best === undefined) return;
    for (const { region, fared } of known) {
      region.worth = drifted(region.worth, qualityFactor(fared, best, this.#rules), seconds);
    }
  }

  entries(now: number): CdnEntry[] {
    const all = [...this.#scored.values()];
    const weights = weightsOf(all, (scored) => scored.level());
    const names = new Set(all.flatMap((scored) => [...scored.regions.keys()]));
    const limits = all.flatMap(({ spec }) => [...(spec.regions ?? []), ...(spec.notRegions ?? [])]);
    const byRegion = [...new Set([...names, ...limits])]
      .filter((name) => name !== '')
      .map((name) => [name, this.#inRegion(all, name)] as const);
    return all.map((scored, i) => ({
      spec: scored.spec,
      weight: weights[i]!,
      regions: Object.fromEntries(byRegion.map(([name, own]) => [name, own[i]!])),
      seen: seenOf(scored, now),
      state: scored.state,
    }));
  }

  #inRegion(all: readonly Scored[], region: string): number[] {
    return weightsOf(all, (scored) => (isOpenTo(scored.spec, region) ? scored.level(region) : 0));
  }
}

function drifted(from: number, goal: number, seconds: number): number {
  const most = from * DRIFT * seconds;
  return from + Math.max(-most, Math.min(most, goal - from));
}

/**
 * 0-100, the greatest 100. Those with weight 0 come in when all others have fallen; when all have
 * fallen nothing better is known than what was wished.
 */
function weightsOf(all: readonly Scored[], levelOf: (scored: Scored) => number): number[] {
  const wish = ({ spec, factor }: Scored) => spec.weight * factor;
  const firsts = all.map((scored) => wish(scored) * levelOf(scored));
  if (firsts.some((value) => value > 0)) return scaled(firsts);
  const spares = all.map((scored) => (scored.spec.weight === 0 ? levelOf(scored) : 0));
  if (spares.some((value) => value > 0)) return scaled(spares);
  const wished = all.map(wish);
  return scaled(wished.some((value) => value > 0) ? wished : all.map(() => 1));
}

function scaled(values: readonly number[]): number[] {
  const most = Math.max(...values);
  return values.map((value) =>
    value <= 0 ? 0 : Math.max(1, Math.round((value / most) * WEIGHT_MAX)),
  );
}

function seenOf(scored: Scored, now: number): CdnEntry['seen'] {
  let [requests, failed] = [0, 0];
  for (const { health } of scored.regions.values()) {
    const seen = health.seen(now);
    requests += seen.requests;
    failed += seen.failed * seen.requests;
  }
  const ok = requests === 0 ? 1 : 1 - failed / requests;
  const qualities = Array.from(scored.regions.values(), ({ quality }) => quality);
  const fared = faredOf(qualities, now);
  return {
    ...{ requests, ok, delayMs: Math.round(scored.delayMs), mbps: scored.mbps(now) },
    ...(fared !== undefined && { slowMs: Math.round(fared.delayMs), missed: fared.missed }),
  };
}
