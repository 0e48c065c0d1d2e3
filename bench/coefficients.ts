/**
 * Owns what a report of the bench says about costs: the coefficients of the capacity plan, fitted to
 * or read off its tables. Knows no plan; `bench/plan-coefficients.ts` writes them where the plan reads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CoefficientName } from '../src/plan/coefficients.js';
import { fitNonNegative } from './fit.js';
import { spreadOf } from './kit.js';
import type { Report } from './report.js';

/** A row of a report with the median of each value. */
export interface MedianRow {
  readonly case: Readonly<Record<string, string | number>>;
  readonly values: Readonly<Record<string, number>>;
}
export interface Source {
  /** `<report> <question>` */
  readonly from: string;
  readonly rows: readonly MedianRow[];
}
/** Gives the tables of a question, the newest first. */
export type Sources = (question: string) => readonly Source[];
export interface Derived {
  readonly value: number;
  readonly from: string;
}

/** Batches of a studio's posts per second at most (bench/poster.ts). */
const POSTS_PER_SECOND_MAX = 50;

/** A median of fewer runs than this says too little to plan with. */
const RUNS_MIN = 3;
/** At one rate the costs of a danmaku, a send and a byte cannot be told apart. */
const RATES_MIN = 2;

/** All reports of a folder that have runs enough, for the fan-out rates too; quick ones are one run each. */
export function reportsOf(folder: string): Sources {
  const reports = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      name: name.replace(/\.json$/, ''),
      report: JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report,
    }))
    .filter(({ report: { plan } }) => !plan.quick && plan.runs >= RUNS_MIN)
    .sort((a, b) => (a.report.at < b.report.at ? 1 : -1));
  return (question) =>
    reports
      .filter(({ report: { plan } }) => question !== 'fanout' || plan.rates.length >= RATES_MIN)
      .flatMap(({ name, report }) => {
        const table = report.tables.find((one) => one.question === question);
        if (table === undefined || table.rows.length === 0) return [];
        const rows = table.rows.map((row) => ({ case: row.case, values: mediansOf(row.values) }));
        return [{ from: `${name} ${question}`, rows }];
      });
}

function mediansOf(values: Readonly<Record<string, readonly number[]>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, runs]) => [name, spreadOf(runs).median]),
  );
}

/** Rows of the service itself that were delivered whole. */
export function fanOutRows({ rows }: Source): readonly MedianRow[] {
  return rows.filter((row) => row.case['server'] === 'barrage' && row.values['delivered']! > 0.9);
}

/** What a row of the fan-out is made of, in the order of `FAN_OUT_TERMS`. */
export function termsOf(row: MedianRow): readonly number[] {
  const { feed = 'api', perSecond } = row.case;
  const rate = Number(perSecond);
  return [
    1,
    feed === 'api' ? Math.min(POSTS_PER_SECOND_MAX, rate) / 1e6 : 0,
    feed === 'viewers' ? rate / 1e6 : 0,
    row.values['flushesPerSecond']! / 1e6,
    row.values['bytesPerSecond']! / 1e9,
  ];
}
export const FAN_OUT_TERMS = ['idleShare', 'postUs', 'sayUs', 'sendUs', 'byteNs'] as const;

/** Everything the reports tell, each by the newest that tells it; what none of them tells is left out. */
export function derive(sources: Sources): Partial<Record<CoefficientName, Derived>> {
  const out: Partial<Record<CoefficientName, Derived>> = {};
  const put = (question: string, read: (source: Source) => Values): void => {
    for (const source of sources(question).toReversed()) {
      for (const [name, value] of Object.entries(read(source))) {
        out[name as CoefficientName] = { value, from: source.from };
      }
    }
  };
  put('fanout', (source) => fanOutCosts(fanOutRows(source)));
  put('fanout', (source) => fanOutBytes(fanOutRows(source)));
  put('joins', ({ rows: [row] }) => ({
    joinUs: 1e6 / row!.values['joinsPerCpuSecond']!,
    processBytes: row!.values['serverRssMegabytes']! * 1e6,
  }));
  put('api', ({ rows }) => apiCosts(rows));
  put('uplink', ({ rows }) => uplinkCosts(rows));
  put('cluster', ({ rows }) => clusterCosts(rows, out.sendUs?.value ?? 0));
  return out;
}

type Values = Partial<Record<CoefficientName, number>>;

/** CPU of a fan-out = a fixed part + what is said + flushes × a send's cost + bytes × a byte's. */
function fanOutCosts(rows: readonly MedianRow[]): Values {
  const fitted = fitNonNegative(
    rows.map(termsOf),
    rows.map((row) => row.values['serverBusy']!),
  );
  const big = Math.max(...rows.map((row) => Number(row.case['viewers'])));
  const rss = rows
    .filter((row) => row.case['viewers'] === big)
    .map((r) => r.values['rssPerViewer']!);
  return {
    // A term that no row holds is not known.
    ...Object.fromEntries(
      FAN_OUT_TERMS.flatMap((name, i) =>
        rows.some((row) => termsOf(row)[i]! > 0) ? [[name, fitted[i]!]] : [],
      ),
    ),
    viewerBytes: spreadOf(rss).median,
  };
}

/** Bytes of a flush = a head + publications in it × the bytes of one, by format. */
function fanOutBytes(rows: readonly MedianRow[]): Values {
  const values: Record<string, number> = {};
  for (const format of ['json', 'deflate']) {
    const of = rows.filter((row) => row.case['format'] === format);
    if (of.length < 2) continue;
    const [head, each] = fitNonNegative(
      of.map(({ values: v }) => [1, v['deliveriesPerSecond']! / v['flushesPerSecond']!]),
      of.map(({ values: v }) => v['bytesPerSecond']! / v['flushesPerSecond']!),
    );
    values[`${format}FlushBytes`] = head!;
    values[`${format}EachBytes`] = each!;
  }
  return values;
}

function apiCosts(rows: readonly MedianRow[]): Values {
  const poll = rows.find((row) => row.case['request'] === 'GET poll answer');
  return poll === undefined ? {} : { pollUs: 1e6 / poll.values['requestsPerCpuSecond']! };
}

/** The dearest row of rooms that let few in; what is shown to viewers is in it. */
function uplinkCosts(rows: readonly MedianRow[]): Values {
  const costs = rows
    .filter((row) => row.case['room'] === 'default')
    .map((row) => 1e6 / row.values['answeredPerCpuSecond']!);
  return costs.length === 0 ? {} : { refuseUs: Math.max(...costs) };
}

/** Of the real cluster with one edge: what NATS and Redis take, where each is busiest. */
function clusterCosts(rows: readonly MedianRow[], sendUs: number): Values {
  const of = (work: string) =>
    rows.find((row) => row.case['work'] === work && row.case['shape'] === 'cluster 1 edge')?.values;
  const [uplink, keep] = [of('uplink'), of('keep')];
  const values: Values = {};
  if (uplink !== undefined) {
    const offered = uplink['workPerSecond']!;
    values.natsUs = (uplink['natsBusy']! * 1e6) / uplink['natsMessagesPerSecond']!;
    values.roomAdmitUs = (uplink['roomBusy']! * 1e6) / offered;
    const sends = (uplink['flushesPerSecond']! * sendUs) / 1e6;
    values.edgeAdmitUs = (Math.max(0, uplink['edgeBusy']! - sends) * 1e6) / offered;
  }
  if (keep !== undefined) {
    values.redisKeepUs = (keep['redisBusy']! * 1e6) / keep['workPerSecond']!;
    values.roomKeepUs = (keep['roomBusy']! * 1e6) / keep['workPerSecond']!;
  }
  return values;
}
