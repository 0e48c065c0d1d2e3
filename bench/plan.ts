/**
 * Owns what a bench run is asked to do: the command line, what `--quick` leaves out, and the shape in
 * which every question answers. Knows no server.
 */
import { parseArgs } from 'node:util';
import type { Builder } from './viewer-load.js';

export const QUESTIONS = [
  ...(['fanout', 'small-rooms', 'slow', 'bytes'] as const),
  ...(['uplink', 'flood', 'api', 'dispatch', 'joins', 'micro'] as const),
  ...(['poll', 'wake', 'storm', 'cluster', 'many', 'soak', 'cdn', 'idle'] as const),
  ...(['simulation'] as const),
] as const;
/** Asked with `--peers`: how other servers do the same work. */
export const PEER_QUESTIONS = ['peers-load', 'peers-slow'] as const;
export type Question = (typeof QUESTIONS)[number] | (typeof PEER_QUESTIONS)[number];

/**
 * Viewers of a CDN, asked for one after the other. All are one load process that shares its kept
 * connections among them (cdn-viewers.ts), since it has 20,000 descriptors: so it is the cores that end
 * this, nginx's first. At 30,000 that was busy for 70 % here (report 2026-11-29-db578d8); what is not
 * carried is told as such. More connections than that take several load processes, and nginx workers.
 */
const CDN_VIEWERS = [1000, 5000, 25_000, 30_000];

/** The soak is to see what comes with time. */
const SOAK_RUNS = 10;
const SOAK_SECONDS = 60;

/** Who says the danmaku of the fan-out. */
export const FEEDS = ['viewers', 'api'] as const;
export type Feed = (typeof FEEDS)[number];

export interface Plan {
  readonly only: readonly Question[];
  /** Whether servers are compared, and words of the names of those that are; none for all. */
  readonly isComparing: boolean;
  readonly peers: readonly string[];
  readonly quick: boolean;
  readonly runs: number;
  /** Length of each measured window. */
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly viewers: readonly number[];
  /** Viewers of the crowd on several processes. */
  readonly crowd: number;
  readonly soakRuns: number;
  readonly soakSeconds: number;
  readonly cdnViewers: readonly number[];
  /** Viewers of the question of idle ones. */
  readonly idleViewers: readonly number[];
  /** Publications per second of the fan-out. */
  readonly rates: readonly number[];
  readonly feeds: readonly Feed[];
  /** Danmaku per second of the uplink. */
  readonly offered: readonly number[];
  readonly seed: number;
  readonly folder: string | undefined;
}

/** What a question gets to work with. */
export interface Bench {
  readonly plan: Plan;
  readonly builder: Builder;
}

/** One line of a table: what was set, then each measured value of every run. */
export interface Row {
  readonly case: Readonly<Record<string, string | number>>;
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** Further tables of a question. */
type MoreTable =
  'cdn-model' | 'cdn-variants' | 'peers-bytes' | 'peers-memory' | 'simulation-losses';

export interface Table {
  readonly question: Question | MoreTable;
  readonly title: string;
  /** What the figures are and are not, a sentence each. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  readonly plots?: readonly Plot[];
}

/** A drawing of a table's figures. */
export interface Plot {
  /** File name without its ending. */
  readonly name: string;
  readonly svg: string;
}

/** Throws an Error that names the option and the rule. */
export function readPlan(args: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      peer: { type: 'string' },
      only: { type: 'string' },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      viewers: { type: 'string' },
      crowd: { type: 'string' },
      'cdn-viewers': { type: 'string' },
      rates: { type: 'string' },
      feeds: { type: 'string' },
      offered: { type: 'string' },
      seed: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const { quick, peers: isComparing } = values;
  const questions = isComparing ? PEER_QUESTIONS : QUESTIONS;
  return {
    // A crowd of idle viewers takes the machine for minutes: only when asked for.
    only: words<Question>('only', values.only, questions) ?? questions.filter((q) => q !== 'idle'),
    isComparing,
    peers: values.peer?.split(',') ?? [],
    quick,
    runs: number('runs', values.runs, quick ? 1 : isComparing ? 5 : 3),
    seconds: number('seconds', values.seconds, quick ? 4 : 8),
    warmupSeconds: quick ? 2 : 3,
    viewers: numbers('viewers', values.viewers, [1000, 10_000]),
    crowd: number('crowd', values.crowd, quick ? 6000 : 50_000),
    soakRuns: number('runs', values.runs, quick ? 1 : SOAK_RUNS),
    soakSeconds: number('seconds', values.seconds, quick ? 4 : SOAK_SECONDS),
    cdnViewers: numbers('cdn-viewers', values['cdn-viewers'], CDN_VIEWERS),
    idleViewers: numbers('viewers', values.viewers, [quick ? 18_000 : 100_000]),
    rates: numbers('rates', values.rates, quick || isComparing ? [100] : [10, 100, 1000]),
    feeds: words('feeds', values.feeds, FEEDS) ?? (quick ? ['viewers'] : FEEDS),
    offered: numbers('offered', values.offered, quick ? [10_000] : [10_000, 30_000, 50_000]),
    seed: number('seed', values.seed, 1),
    folder: values.out,
  };
}

function words<T extends string>(
  name: string,
  text: string | undefined,
  known: readonly T[],
): T[] | undefined {
  return text?.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found === undefined) {
      throw new Error(`--${name}: "${word}" is none of ${known.join(', ')}`);
    }
    return found;
  });
}

function number(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1_000_000) {
    throw new Error(`--${name}: "${text}" is not a whole number from 1 to 1000000`);
  }
  return value;
}

function numbers(name: string, text: string | undefined, fallback: readonly number[]): number[] {
  return text === undefined ? [...fallback] : text.split(',').map((part) => number(name, part, 1));
}

/** Collects the values of each case over the runs, in the order the cases first came. */
export class Rows {
  readonly #rows = new Map<string, { case: Row['case']; values: Map<string, number[]> }>();

  add(of: Row['case'], values: Readonly<Record<string, number>>): void {
    const key = JSON.stringify(of);
    const row = this.#rows.get(key) ?? { case: of, values: new Map<string, number[]>() };
    this.#rows.set(key, row);
    for (const [name, value] of Object.entries(values)) {
      row.values.set(name, [...(row.values.get(name) ?? []), value]);
    }
  }

  rows(): Row[] {
    return [...this.#rows.values()].map((row) => ({
      case: row.case,
      values: Object.fromEntries(row.values),
    }));
  }
}
