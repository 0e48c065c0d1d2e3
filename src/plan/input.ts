/**
 * Owns what a plan is asked: the audience, what it is sent, the machines, the prices. Reads it from
 * text, fills in what was not said, and refuses by field and rule what cannot be.
 */
import { BarrageError } from '../errors.js';
import { DEFAULT_SETTINGS } from '../room-settings.js';
import { ASSUMED } from './assumptions.js';

export type Survive = 'nothing' | 'machine' | 'region';
export const SURVIVES: readonly Survive[] = ['nothing', 'machine', 'region'];

export interface PlanInput {
  readonly viewers: number;
  readonly rooms: number;
  readonly regions: number;
  /** Droppable publications per second that each viewer of a room is sent. */
  readonly rate: number;
  /** Keepable ones. */
  readonly keepRate: number;
  /** The room's tick. */
  readonly tickMs: number;
  /** Danmaku said per second by all viewers. */
  readonly said: number;
  /** New viewers per second at the peak. */
  readonly arrivals: number;
  /** Share of WebSocket viewers that take deflate. */
  readonly deflate: number;
  readonly sse: number;
  readonly poll: number;
  /** Share of viewers that follow the CDN; 0: it is off. */
  readonly cdn: number;
  /** Places of the CDN that ask the origin by themselves. */
  readonly pops: number;
  readonly survive: Survive;
  /** Share of a core, and of the network, that may be in use. */
  readonly busy: number;
  /** The longest time between two flushes of a viewer. */
  readonly intervalMs: number;
  readonly descriptors: number;
  /** Cores of a machine, each with one edge. */
  readonly cores: number;
  readonly nicBitsPerSecond: number;
  readonly memoryBytes: number;
  readonly prices: Prices;
}

export interface Prices {
  readonly coreHour: number;
  readonly egressGb: number;
  readonly cdnGb: number;
}

/** Values as given on the command line, by option. */
export type PlanText = Readonly<Partial<Record<PlanField, string>>>;

interface Field {
  readonly flag: string;
  readonly help: string;
  readonly min: number;
  readonly max: number;
  readonly isWhole?: boolean;
}

/** Every option with a number: its bounds, its meaning. */
export const PLAN_FIELDS = {
  viewers: field('--viewers <count>', 'viewers at once, e.g. 10M', 1, 1e9, true),
  rooms: field('--rooms <count>', 'rooms they are spread over evenly (1)', 1, 1e6, true),
  regions: field('--regions <count>', 'regions they are spread over evenly (1)', 1, 100, true),
  rate: field('--rate <per-second>', "publications each is sent (by the room's audience)", 0, 1e4),
  keepRate: field('--keep-rate <per-second>', 'keepable ones besides these (1)', 0, 1e4),
  tickMs: field('--tick-ms <ms>', "the room's tick (by its audience)", 20, 5000),
  said: field('--said <per-second>', 'danmaku all viewers say (one in a thousand viewers)', 0, 1e8),
  arrivals: field('--arrivals <per-second>', 'viewers who come at the peak (all in 60 s)', 0, 1e8),
  deflate: field('--deflate <share>', 'of the sockets that take deflate (0.9)', 0, 1),
  sse: field('--sse <share>', 'of the viewers on server-sent events (0.02)', 0, 1),
  poll: field('--poll <share>', 'of the viewers that poll (0.01)', 0, 1),
  pops: field('--pops <count>', 'places of the CDN that ask the origin (100)', 1, 1e5, true),
  busy: field(
    '--busy <share>',
    'of a core and of the network that may be in use (0.7)',
    0.05,
    0.95,
  ),
  intervalMs: field('--interval-ms <ms>', 'longest time between two flushes (300)', 20, 1000),
  descriptors: field('--descriptors <count>', 'a process may have open (20000)', 100, 1e7, true),
  cores: field('--cores <count>', 'cores of a machine, an edge on each (16)', 1, 1024, true),
  nic: field('--nic <gbit>', "the machine's network, Gbit/s (10)", 0.01, 1000),
  memory: field('--memory <gb>', "the machine's memory, GB (64)", 0.5, 1e5),
  priceCoreHour: field('--price-core-hour <price>', 'of a core for an hour', 0, 1e6),
  priceGbEgress: field('--price-gb-egress <price>', 'of a GB that leaves the edges', 0, 1e6),
  priceCdnGb: field('--price-cdn-gb <price>', 'of a GB that leaves the CDN', 0, 1e6),
} as const satisfies Readonly<Record<string, Field>>;

type NumberField = keyof typeof PLAN_FIELDS;
export type PlanField = NumberField | 'cdn' | 'survive';

function field(flag: string, help: string, min: number, max: number, isWhole?: true): Field {
  return { flag, help, min, max, ...(isWhole && { isWhole }) };
}

/** Throws BarrageError `invalid` with field and rule. */
export function readPlanInput(text: PlanText): PlanInput {
  const given = (name: NumberField): number | undefined => numberOf(name, text[name]);
  const viewers = given('viewers');
  if (viewers === undefined) throw flaw('viewers', 'must be given');
  const rooms = given('rooms') ?? 1;
  if (rooms > viewers) throw flaw('rooms', 'must be at most the viewers');
  const row = audienceOf(viewers / rooms);
  const [sse, poll] = [given('sse') ?? 0.02, given('poll') ?? 0.01];
  if (sse + poll > 1) throw flaw('poll', 'and --sse together must be at most 1');
  return {
    ...{ viewers, rooms, sse, poll },
    regions: given('regions') ?? 1,
    rate: given('rate') ?? row.budgetPerSecond,
    keepRate: given('keepRate') ?? 1,
    tickMs: given('tickMs') ?? row.tickMs,
    said: given('said') ?? viewers * ASSUMED.saidByViewer,
    arrivals: given('arrivals') ?? viewers / ASSUMED.arrivalSeconds,
    deflate: given('deflate') ?? 0.9,
    cdn: cdnShare(text.cdn ?? 'auto', viewers / rooms),
    pops: given('pops') ?? 100,
    survive: surviveOf(text.survive ?? 'machine', given('regions') ?? 1),
    busy: given('busy') ?? 0.7,
    intervalMs: given('intervalMs') ?? 300,
    descriptors: given('descriptors') ?? 20_000,
    cores: given('cores') ?? 16,
    nicBitsPerSecond: (given('nic') ?? 10) * 1e9,
    memoryBytes: (given('memory') ?? 64) * 1e9,
    prices: {
      coreHour: given('priceCoreHour') ?? 0,
      egressGb: given('priceGbEgress') ?? 0,
      cdnGb: given('priceCdnGb') ?? 0,
    },
  };
}

/** The row of the audience table that holds for so many viewers. */
export function audienceOf(viewers: number): { budgetPerSecond: number; tickMs: number } {
  const row = DEFAULT_SETTINGS.audience.findLast((one) => viewers >= one.viewers);
  return row ?? DEFAULT_SETTINGS;
}

const SCALES: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, '%': 0.01 };

function numberOf(name: NumberField, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parts = /^(\d{1,12}(?:\.\d{1,9})?)([kMG%]?)$/.exec(text);
  if (parts === null) throw flaw(name, `must be a number, k, M or % after it (not ${shown(text)})`);
  const { min, max, isWhole }: Field = PLAN_FIELDS[name];
  const value = Number((Number(parts[1]) * SCALES[parts[2]!]!).toPrecision(15));
  if (value < min || value > max) throw flaw(name, `must be ${min} to ${max} (not ${shown(text)})`);
  if (isWhole === true && !Number.isInteger(value)) throw flaw(name, 'must be a whole number');
  return value;
}

function cdnShare(text: string, roomViewers: number): number {
  if (text === 'off') return 0;
  if (text === 'auto') return roomViewers > DEFAULT_SETTINGS.cdnOnAbove ? ASSUMED.cdnAutoShare : 0;
  const parts = /^(\d{1,3}(?:\.\d{1,9})?)(%?)$/.exec(text);
  const share = parts === null ? Number.NaN : Number(parts[1]) * (parts[2] === '%' ? 0.01 : 1);
  if (share >= 0 && share <= 1) return share;
  throw flaw('cdn', `must be auto, off or a share of the viewers (not ${shown(text)})`);
}

function surviveOf(text: string, regions: number): Survive {
  const found = SURVIVES.find((one) => one === text);
  if (found === undefined) throw flaw('survive', `must be ${SURVIVES.join(', ')}`);
  if (found === 'region' && regions === 1) throw flaw('survive', 'a region needs --regions over 1');
  return found;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}

function flaw(name: PlanField, rule: string): BarrageError {
  const flag = name === 'cdn' || name === 'survive' ? `--${name}` : PLAN_FIELDS[name].flag;
  return new BarrageError('invalid', `${flag.split(' ')[0]} ${rule}`, { field: name, rule });
}
