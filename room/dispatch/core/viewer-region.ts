/**
 * Owns where a viewer is and where it may go instead: by what it says, by a header of what stands
 * before us, by its address, by default; then the neighbours in order. Rules: SPEC D-DISP-4, 5.
 */
import { AddressRanges } from '../../../src/address-ranges.js';
import type { DispatchConfig } from '../../../src/dispatch-settings.js';
import { REGION_PATTERN } from '../../../src/wire/edge-report.js';

export interface WhereFrom {
  readonly region?: string | undefined;
  /** Value of the configured header. */
  readonly header?: string | undefined;
  readonly address: string;
}

const pattern = new RegExp(REGION_PATTERN);

export class ViewerRegions {
  readonly #ranges: AddressRanges<string>;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #chains: ReadonlyMap<string, readonly string[]>;
  readonly #default: string;

  constructor({ regions, headerRegions, near, defaultRegion }: DispatchConfig) {
    this.#ranges = new AddressRanges(
      regions.map(({ range, region }) => ({ cidr: range, value: region })),
    );
    this.#headers = new Map(headerRegions.map(({ value, region }) => [value, region]));
    this.#chains = new Map(
      near.map(({ region, then }) => [region, [...new Set([region, ...then])]]),
    );
    this.#default = defaultRegion;
  }

  /** What names no region that is configured or has edges (`hasEdges`) is passed over. */
  of({ region, header, address }: WhereFrom, hasEdges: (region: string) => boolean): string {
    const isKnown = (name: string) => this.#chains.has(name) || hasEdges(name);
    if (region !== undefined && isKnown(region)) return region;
    if (header !== undefined && header !== '') {
      const named = this.#headers.get(header);
      if (named !== undefined) return named;
      if (pattern.test(header) && isKnown(header)) return header;
    }
    return this.#ranges.find(address) ?? this.#default;
  }

  /** Regions to look in, in this order; after them anywhere. */
  chain(region: string): readonly string[] {
    return this.#chains.get(region) ?? [region];
  }
}
