/** Owns what can be said about handing out edges: names and units of the code, and the defaults. */

export interface DispatchConfig {
  /** Answers whoever asks; without it an API key is needed. */
  readonly public: boolean;
  /** Of viewers nothing better is known of; empty: the edges of all regions are the same to them. */
  readonly defaultRegion: string;
  /** A header set by what stands before us that tells where a viewer is; empty: none. */
  readonly regionHeader: string;
  /** Values of that header by region; a value not named is itself taken for a region. */
  readonly headerRegions: readonly { readonly value: string; readonly region: string }[];
  /** Ranges of viewers' addresses by region; the narrowest holds. */
  readonly regions: readonly { readonly range: string; readonly region: string }[];
  /** Where viewers of a full region go, nearest first; after these anywhere. */
  readonly near: readonly { readonly region: string; readonly then: readonly string[] }[];
  /** A room is spread over as many edges as it has this many viewers. */
  readonly roomViewersPerEdge: number;
  /** Share of its capacity from which an edge is handed out last. */
  readonly fullMark: number;
  /** Share of a core from which an edge is handed out last. */
  readonly busyMark: number;
  /** Take a viewer's address from the last entry of X-Forwarded-For. */
  readonly trustProxy: boolean;
}

export const DISPATCH_DEFAULTS: DispatchConfig = {
  public: true,
  defaultRegion: '',
  regionHeader: '',
  headerRegions: [],
  regions: [],
  near: [],
  roomViewersPerEdge: 2000,
  fullMark: 0.95,
  busyMark: 0.85,
  trustProxy: false,
};
