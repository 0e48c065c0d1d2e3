/**
 * Owns the question of a flood beside a fan-out: how late a room's viewers read while others offer
 * danmaku to the same core as fast as they can, against the same viewers undisturbed just before.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad, type LoadOptions } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const WATCHED = 'watched';
const FLOODED = 'flooded';
const VIEWERS = 1000;
const PER_SECOND = 60;
const FLOOD_VIEWERS = 200;
const OFFERED_PER_SECOND = 50_000;
const TEXTS = 5000;
const JOIN_MS_MAX = 60_000;

export async function measureFlood(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    say(`flood run ${run}`);
    const of = { viewers: VIEWERS, perSecond: PER_SECOND, offeredPerSecond: OFFERED_PER_SECOND };
    rows.add(of, await runOnce(bench, bench.plan.seed + run));
  }
  return {
    question: 'flood',
    title: 'Flood: a fan-out undisturbed, and beside a flood of danmaku',
    notes: [
      `${VIEWERS} viewers say ${PER_SECOND} danmaku a second in a room that shows them all; then ` +
        `${FLOOD_VIEWERS} viewers of another room, of default limits, in the same process begin ` +
        `to offer ${OFFERED_PER_SECOND} a second, nearly all of them refused. Quiet and flooded ` +
        'are two windows of the same server with the same viewers, one after the other. (A room ' +
        'that gets just as much as its budget shows is no measure: what waits for its place ' +
        'there waits up to a second, flood or not.)',
      'Latency is that of the watched room alone, from the send to every viewer; `ratio` divides ' +
        'its p99 beside the flood by its p99 undisturbed.',
    ],
    rows: rows.rows(),
  };
}

async function runOnce(bench: Bench, seed: number): Promise<Record<string, number>> {
  const server = await startService();
  try {
    await openRoom(server.studio, WATCHED, wideOpenFor(VIEWERS));
    await openRoom(server.studio, FLOODED, { audience: [] });
    return await runLoads(bench, server, new Corpus(seed));
  } finally {
    await server.stop();
  }
}

async function runLoads(
  { plan, builder }: Bench,
  server: Server,
  corpus: Corpus,
): Promise<Record<string, number>> {
  const watched = new ViewerLoad(builder, options(server, WATCHED, VIEWERS, corpus));
  const flooding = new ViewerLoad(builder, options(server, FLOODED, FLOOD_VIEWERS, corpus));
  try {
    await Promise.all([watched.ready(JOIN_MS_MAX), flooding.ready(JOIN_MS_MAX)]);
    watched.speak(PER_SECOND);
    await sleep(plan.warmupSeconds * 1000);
    const quiet = await measure(server, watched, plan.seconds);
    flooding.speak(OFFERED_PER_SECOND);
    await sleep(plan.warmupSeconds * 1000);
    await flooding.mark();
    const flooded = await measure(server, watched, plan.seconds);
    const { offered, blocked, cpuUs, verdicts, seconds } = await flooding.report();
    flooding.speak(0);
    const refused = verdicts['rate_limited'] ?? 0;
    return {
      offeredPerSecond: offered / seconds,
      notTakenPerSecond: blocked / seconds,
      refusedPerSecond: refused / seconds,
      refusedPerCpuSecond: perCpuSecond(refused, flooded),
      quietDeliveriesPerSecond: quiet.counts.deliveries / quiet.seconds,
      floodedDeliveriesPerSecond: flooded.counts.deliveries / flooded.seconds,
      quietP50Ms: quiet.counts.latencyMs.p50,
      quietP99Ms: quiet.counts.latencyMs.p99,
      floodedP50Ms: flooded.counts.latencyMs.p50,
      floodedP99Ms: flooded.counts.latencyMs.p99,
      floodedMaxMs: flooded.counts.latencyMs.max,
      ratio: flooded.counts.latencyMs.p99 / quiet.counts.latencyMs.p99,
      quietServerBusy: quiet.serverBusy,
      serverBusy: flooded.serverBusy,
      loadBusy: flooded.loadBusy + cpuUs / 1e6 / seconds,
      gaps: flooded.counts.gaps,
      closed: flooded.counts.closed,
    };
  } finally {
    await Promise.all([watched.stop(), flooding.stop()]);
  }
}

function options(server: Server, room: string, viewers: number, corpus: Corpus): LoadOptions {
  return {
    port: server.edgePort,
    path: server.path(room),
    room,
    viewers,
    tokens: Array.from({ length: viewers }, (_, i) => server.token(`${room}${i}`, room)),
    texts: Array.from({ length: TEXTS }, () => corpus.text()),
  };
}
