/**
 * Owns what viewers are told of the table of CDNs: the shares of viewers of no particular region, those
 * of each region that has others, and when a change is worth telling. Pure. Rules: SPEC R-CDN-9,
 * R-CDN-10, R-CDN-12.
 */
import type { CdnRegions, CdnSource } from '../../../src/wire/cdn.js';
import { CDN_REGIONS_MAX } from '../../../src/wire/cdn.js';
import { isOpenTo, type CdnEntry } from '../../../src/wire/cdn-state.js';

export interface ToldCdns {
  readonly sources: readonly CdnSource[];
  readonly regions: CdnRegions;
}

/** A CDN's weight for viewers of a region; null: it is not for them. */
export function weightIn({ spec, weight, regions }: CdnEntry, region: string): number | null {
  if (!isOpenTo(spec, region)) return null;
  return Object.hasOwn(regions, region) ? regions[region]! : weight;
}

/** The fact's sources and regions; regions that get what all get are left out. */
export function toldOf(entries: readonly CdnEntry[]): ToldCdns {
  const isLimited = ({ spec }: CdnEntry) => (spec.regions ?? []).length > 0;
  // Who is of no region listed takes a CDN meant for some only when there is no other.
  const hasOpen = entries.some((entry) => !isLimited(entry) && entry.weight > 0);
  const sources = entries.map((entry) => {
    const { id, url } = entry.spec;
    return { id, url, weight: hasOpen && isLimited(entry) ? 0 : entry.weight };
  });
  const all = sources.map(({ weight }) => weight);
  const rows = namesIn(entries)
    .map((name) => [name, entries.map((entry) => weightIn(entry, name))] as const)
    .filter(([, weights]) => weights.some((weight, i) => weight !== all[i]));
  const isKept = (weights: readonly (number | null)[]) =>
    weights.some((weight, i) => (weight ?? 0) === 0 && all[i]! > 0);
  // Over the bound those go that are kept from no CDN: they only take it in another share.
  const chosen = [...rows.filter(([, w]) => isKept(w)), ...rows.filter(([, w]) => !isKept(w))];
  return { sources, regions: Object.fromEntries(chosen.slice(0, CDN_REGIONS_MAX).sort(byName)) };
}

/**
 * Whether viewers should hear of the new weights: a fall or a rise from nothing at once (of one region
 * within two seconds, since there are many), else now and then.
 */
export function isNews(
  told: readonly CdnEntry[],
  next: readonly CdnEntry[],
  sinceMs: number,
): boolean {
  if (told.length !== next.length) return true;
  const names = namesIn([...told, ...next]);
  return next.some((entry, i) => {
    const before = told[i]!;
    if (identityOf(before) !== identityOf(entry)) return true;
    if (isWorth(before.weight, entry.weight, { sinceMs, atOnceMs: 0 })) return true;
    return names.some((name) => {
      const [was, is] = [weightIn(before, name) ?? 0, weightIn(entry, name) ?? 0];
      return isWorth(was, is, { sinceMs, atOnceMs: REGION_NEWS_MS });
    });
  });
}
const NEWS_MS = 15_000;
const NEWS_SHARE = 0.25;
const REGION_NEWS_MS = 2000;

function isWorth(was: number, is: number, of: { sinceMs: number; atOnceMs: number }): boolean {
  if (was === is) return false;
  if ((was === 0) !== (is === 0)) return of.sinceMs >= of.atOnceMs;
  return of.sinceMs >= NEWS_MS && Math.abs(was - is) >= Math.max(was, is) * NEWS_SHARE;
}

/** Who it is and whom it is for. */
function identityOf({ spec: { id, url, regions, notRegions } }: CdnEntry): string {
  return JSON.stringify([id, url, regions ?? [], notRegions ?? []]);
}

/** In order, so that the same table makes the same bytes. */
function namesIn(entries: readonly CdnEntry[]): string[] {
  return [...new Set(entries.flatMap(({ regions }) => Object.keys(regions)))].sort();
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
