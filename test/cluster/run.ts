/**
 * One run of faults over a cluster under load: after each, everybody must have everything that was
 * acknowledged, once and in order; how long the longest silence was is kept for the report.
 */
import { seededRandom } from '../../src/random.js';
import { startCluster, type Cluster, type ClusterOptions } from '../kit/cluster.js';
import { Crowd, type CrowdOptions } from './crowd.js';
import { faultsOf, inflict, kindsFor, wait, type Fault, type FaultKind } from './faults.js';
import { Ledger } from './ledger.js';

export interface RunOptions {
  readonly seed: number;
  readonly faults: number;
  readonly cluster: Omit<ClusterOptions, 'create'>;
  readonly crowd: CrowdOptions;
  /** Instead of those of the seed. */
  readonly only?: readonly Fault[];
}

export interface Recovery {
  readonly fault: Fault;
  /** Longest time any viewer went without a keepable publication around the fault. */
  readonly silenceMs: number;
}

export interface RunReport {
  readonly seed: number;
  readonly recoveries: readonly Recovery[];
  readonly flaws: readonly string[];
  readonly acknowledged: number;
  readonly received: number;
  readonly verdicts: ReadonlyMap<string, number>;
  /** Newest lines of all processes when something was wrong. */
  readonly logs: string;
}

/** After a fault has ended, all must have caught up within this. */
const SETTLE_MS = 15_000;
const LOOK_MS = 20;
const CALM_MS = 500;
/** A viewer that has only just come back is rightly more careful at the next loss. */
const STEADY_MS = 5500;

export async function runFaults(options: RunOptions): Promise<RunReport> {
  const random = seededRandom(options.seed);
  const cluster = await startCluster({ ...options.cluster, create: options.crowd.rooms });
  const ledger = new Ledger();
  const crowd = new Crowd(cluster, options.crowd, {
    ledger,
    random: seededRandom(options.seed + 1),
  });
  const recoveries: Recovery[] = [];
  let logs = '';
  try {
    crowd.start();
    await settle(crowd, ledger, 'the start');
    const faults = options.only ?? faultsOf(random, options.faults, kindsFor(cluster));
    for (const fault of faults) {
      if (ledger.flaws.length > 0) break;
      if (fault.kind.startsWith('edge')) await wait(STEADY_MS);
      recoveries.push(await oneFault(cluster, fault, { crowd, ledger }));
    }
    await crowd.quiet();
    await settle(crowd, ledger, 'the end');
    await until(() => crowd.unanswered === 0, 25_000);
    if (crowd.unanswered > 0) ledger.flaw(`${crowd.unanswered} danmaku never got an end`);
    if (ledger.flaws.length > 0) logs = cluster.logs(15);
  } finally {
    crowd.leave();
    await crowd.quiet();
    await cluster.stop();
  }
  const { flaws, acknowledged, received } = ledger;
  const { verdicts } = crowd;
  return { seed: options.seed, recoveries, flaws, acknowledged, received, verdicts, logs };
}

interface Watched {
  readonly crowd: Crowd;
  readonly ledger: Ledger;
}

async function oneFault(
  cluster: Cluster,
  fault: Fault,
  { crowd, ledger }: Watched,
): Promise<Recovery> {
  for (const { receipts } of crowd.viewers) receipts.takeSilence();
  await inflict(cluster, fault);
  await settle(crowd, ledger, textOf(fault));
  // What servers do among themselves may go on when all seems well: a failover, a new replica.
  await cluster.redisWhole();
  const silenceMs = Math.max(...crowd.viewers.map(({ receipts }) => receipts.takeSilence()));
  await wait(CALM_MS);
  return { fault, silenceMs };
}

/** Waits until every viewer has what was acknowledged by now, then compares. */
async function settle(crowd: Crowd, ledger: Ledger, what: string): Promise<void> {
  const rooms = new Set(crowd.viewers.map(({ receipts }) => receipts.room));
  // Something new in each room first: that it is silent is no sign of health.
  const before = new Map([...rooms].map((room) => [room, ledger.head(room)]));
  const isNew = (room: string) => ledger.head(room) > before.get(room)!;
  if (!crowd.isStopping) await until(() => [...rooms].every(isNew), SETTLE_MS);
  const heads = new Map([...rooms].map((room) => [room, ledger.head(room)]));
  const isBehind = ({ receipts }: Crowd['viewers'][number]) =>
    receipts.offset < heads.get(receipts.room)!;
  await until(() => !crowd.viewers.some(isBehind), SETTLE_MS);
  for (const viewer of crowd.viewers) {
    const { receipts, stream } = viewer;
    const head = heads.get(receipts.room)!;
    if (!isBehind(viewer)) receipts.check(head);
    else {
      const state = JSON.stringify(stream.state);
      ledger.flaw(`after ${what}: ${receipts.name} is at ${receipts.offset} of ${head}, ${state}`);
    }
  }
}

/** True once it holds, false when the time is over. */
async function until(holds: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) return false;
    await wait(LOOK_MS);
  }
  return true;
}

export function textOf({ kind, target, lastsMs, isSilent }: Fault): string {
  return `${kind} (target ${target}, ${lastsMs} ms${isSilent ? ', silent' : ''})`;
}

/** A line for each kind: how often, the median and the longest silence. */
export function recoveryTable({ recoveries }: RunReport): string {
  const kinds = new Map<FaultKind | 'all', number[]>();
  for (const { fault, silenceMs } of recoveries) {
    for (const name of [fault.kind, 'all'] as const) {
      kinds.set(name, [...(kinds.get(name) ?? []), silenceMs]);
    }
  }
  const rows = [...kinds].map(([kind, all]) => {
    const sorted = all.sort((a, b) => a - b);
    const p50 = sorted[Math.floor((sorted.length - 1) / 2)]!;
    return `| ${kind} | ${sorted.length} | ${Math.round(p50)} | ${Math.round(sorted.at(-1)!)} |`;
  });
  return ['| fault | times | p50 ms | max ms |', '|---|--:|--:|--:|', ...rows].join('\n');
}
