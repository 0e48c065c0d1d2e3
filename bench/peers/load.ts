/**
 * Owns the comparison under load: the same publications to the same viewers by every server in turn;
 * CPU for a delivery against latency, bytes for a delivery, memory for a viewer that only waits.
 */
import { say } from '../kit.js';
import { Rows, type Bench, type Row, type Table } from '../plan.js';
import { measure, perCpuSecond, type Window } from '../window.js';
import { peersNamed } from './catalog.js';
import type { Peer } from './peer.js';
import { memoryTable, bytesTable, loadTable } from './tables.js';
import { Session } from './session.js';

/** Below this share of what was offered a server does not hold a rate. */
const HELD = 0.95;
/** Of its core, where a server that falls behind has itself to blame. */
const BUSY = 0.85;
const RATES: readonly number[] = [500, 200, 100, 80, 50, 20, 10, 5, 2];
const TRIES_MAX = 3;

interface Case {
  readonly peer: Peer;
  readonly viewers: number;
  readonly perSecond: number;
}

/** All tables that come of these runs. */
export async function measurePeersLoad(bench: Bench): Promise<readonly Table[]> {
  const { plan } = bench;
  const rows = new Rows();
  const held = new Map<string, number>();
  const absent = new Set<string>();
  for (let run = 1; run <= plan.runs; run++) {
    for (const viewers of plan.viewers) {
      for (const peer of peersNamed(plan.peers)) {
        const why = peer.missing();
        if (why !== undefined) absent.add(`${peer.name}: ${why}`);
        else await addRun({ bench, rows, held, absent, run }, peer, viewers);
      }
    }
  }
  const all = rows.rows();
  const perSecond = plan.rates[0] ?? 0;
  const notes = [...absent].map((one) => `**not measured: ${one}**`);
  return [
    loadTable(all, perSecond, notes),
    bytesTable(all, notes),
    memoryTable(all, notes, Math.max(...plan.viewers)),
  ];
}

interface Progress {
  readonly bench: Bench;
  readonly rows: Rows;
  /** Rates held at the first run, for those who hold less than was asked. */
  readonly held: Map<string, number>;
  readonly absent: Set<string>;
  readonly run: number;
}

/** Measures at the rate asked; on the first run goes down until the server holds one. */
async function addRun(progress: Progress, peer: Peer, viewers: number): Promise<void> {
  const { bench, rows, held, absent, run } = progress;
  const key = `${peer.name} ${viewers}`;
  const asked = bench.plan.rates[0] ?? 0;
  let perSecond = held.get(key) ?? asked;
  for (let tries = held.has(key) || bench.plan.quick ? TRIES_MAX : 1; ; tries++) {
    say(`peers run ${run}: ${peer.name}, ${viewers} viewers × ${perSecond}/s`);
    try {
      const values = await runCase(bench, { peer, viewers, perSecond }, run);
      const lower = lowerRate(values, perSecond);
      if (lower !== undefined && tries < TRIES_MAX) {
        say(`  delivered ${(values['delivered']! * 100).toFixed(0)} %: now ${lower}/s`);
        perSecond = lower;
        continue;
      }
      held.set(key, perSecond);
      rows.add(caseOf(peer, viewers, perSecond, asked), values);
    } catch (error) {
      const why = String(error).split('\n')[0]!.slice(0, 200);
      say(`  failed: ${why}`);
      absent.add(`${peer.name} with ${viewers} viewers in run ${run}: ${why}`);
    }
    return;
  }
}

/**
 * The rate to try next where one was not held; undefined where it was. A server that was not busy was
 * kept from its core by something else: it tries the same rate again.
 */
export function lowerRate(
  { delivered = 0, serverBusy = 0 }: Readonly<Record<string, number>>,
  perSecond: number,
): number | undefined {
  if (delivered >= HELD) return undefined;
  if (serverBusy < BUSY) return perSecond;
  return RATES.find((rate) => rate <= perSecond * delivered * 0.9);
}

function caseOf(peer: Peer, viewers: number, perSecond: number, asked: number): Row['case'] {
  const rate = perSecond === asked ? `${asked}` : `${perSecond} (not ${asked})`;
  return { viewers, server: peer.name, sends: peer.sends, perSecond: rate };
}

async function runCase(bench: Bench, one: Case, run: number): Promise<Record<string, number>> {
  const { plan, builder } = bench;
  const { peer, viewers, perSecond } = one;
  const seed = plan.seed + run;
  const session = await Session.open(peer, { builder, viewers, perSecond, seed });
  try {
    await session.warm(perSecond, plan.warmupSeconds * 1000);
    const before = session.posts.posted;
    const window = await measure(session.server, session.load, plan.seconds);
    const posted = session.posts.posted - before;
    const total = await session.drain();
    const { rssBytes } = session.joined;
    return {
      ...figures(window),
      delivered: window.counts.deliveries / Math.max(1, posted * viewers),
      lost: session.posts.posted * viewers - total.deliveries,
      closed: total.closed,
      rssPerViewer: (rssBytes - session.empty.rssBytes) / viewers,
    };
  } finally {
    await session.stop();
  }
}

function figures(window: Window): Record<string, number> {
  const { counts, seconds, serverCpuSeconds } = window;
  const deliveries = Math.max(1, counts.deliveries);
  return {
    cpuUsPerDelivery: (serverCpuSeconds * 1e6) / deliveries,
    deliveriesPerSecond: counts.deliveries / seconds,
    deliveriesPerCpuSecond: perCpuSecond(counts.deliveries, window),
    flushesPerCpuSecond: perCpuSecond(counts.flushes, window),
    bytesPerCpuSecond: perCpuSecond(counts.bytes, window),
    p50Ms: counts.latencyMs.p50,
    p99Ms: counts.latencyMs.p99,
    serverBusy: window.serverBusy,
    loadBusy: window.loadBusy,
    bytesPerDelivery: counts.bytes / deliveries,
    deliveriesPerFlush: counts.deliveries / Math.max(1, counts.flushes),
  };
}
