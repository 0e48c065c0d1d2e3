/** Owns the `dispatch:` section of the file, what of `edge:` is told to those who hand out edges. */
import { CIDR_RULE } from '../address-ranges.js';
import { DISPATCH_DEFAULTS, type DispatchConfig } from '../dispatch-settings.js';
import { EDGE_URL_PATTERN, REGION_PATTERN } from '../wire/edge-report.js';
import * as leaf from './leaves.js';

const own = DISPATCH_DEFAULTS;
const REGION_RULE = 'a region, 1-32 of A-Z a-z 0-9 _ -';
const name = new RegExp(REGION_PATTERN);
const REGION = { pattern: name, rule: REGION_RULE };
const REGION_OR_NONE = { pattern: /^[A-Za-z0-9_-]{0,32}$/, rule: `${REGION_RULE}, or empty` };
const URL_OR_NONE = {
  pattern: new RegExp(`${EDGE_URL_PATTERN}|^$`),
  rule: 'an address without a path (https://edge-1.example), or empty',
};
const HEADER = { pattern: /^[a-z0-9-]{0,64}$/, rule: 'the name of a header, in small letters' };
/** Tables of addresses are long. */
const RANGES_MAX = 10_000;

/** The part of `edge:` that its reports tell. */
export const EDGE_REPORT_LEAVES = {
  advertise: leaf.text(
    '',
    'address viewers are sent to; empty: this host and the port above',
    URL_OR_NONE,
  ),
  region: leaf.text('', 'region whose viewers are sent here first', REGION_OR_NONE),
  capacity: leaf.whole(
    0,
    [0, 10_000_000],
    'viewers it is to be sent at most; 0 for connectionsMax',
  ),
  report: leaf.duration('250ms', ['5ms', '1s'], 'how often it tells what it carries'),
} as const;

export const DISPATCH_SECTION = {
  public: leaf.flag(own.public, 'edges are handed out without an API key'),
  defaultRegion: leaf.text(
    own.defaultRegion,
    'region of viewers of whom nothing is known; empty: none',
    REGION_OR_NONE,
  ),
  regionHeader: leaf.text(
    own.regionHeader,
    'header of your proxy or CDN that tells where a viewer is (cf-ipcountry); empty: none',
    HEADER,
  ),
  headerRegions: leaf.entries<{ value: string; region: string }>(
    own.headerRegions,
    {
      value: leaf.textField(/^[\x21-\x7e]{1,64}$/, '1-64 visible characters'),
      region: leaf.textField(name, REGION_RULE),
    },
    'regions of values of that header; a value not named may be a region itself',
  ),
  regions: leaf.entries<{ range: string; region: string }>(
    own.regions,
    {
      range: leaf.textField(/^[0-9A-Fa-f:.]{2,45}(\/\d{1,3})?$/, CIDR_RULE),
      region: leaf.textField(name, REGION_RULE),
    },
    "regions of ranges of viewers' addresses, the narrowest holds",
    { most: RANGES_MAX },
  ),
  near: leaf.entries<{ region: string; then: readonly string[] }>(
    own.near,
    {
      region: leaf.textField(name, REGION_RULE),
      then: leaf.leafField(leaf.texts([], '', REGION)),
    },
    'where viewers of a full region are sent, nearest first; after these anywhere',
  ),
  roomViewersPerEdge: leaf.whole(
    own.roomViewersPerEdge,
    [1, 1_000_000],
    'viewers of one room on one edge before the room is spread further',
  ),
  fullMark: leaf.number(own.fullMark, [0.1, 1], 'share of its capacity at which an edge is last'),
  busyMark: leaf.number(own.busyMark, [0.1, 64], 'share of a core at which an edge is last'),
  trustProxy: leaf.flag(own.trustProxy, 'take the address of a viewer from X-Forwarded-For'),
} as const;

export function toDispatchConfig(section: DispatchConfig): DispatchConfig {
  return { ...section };
}
