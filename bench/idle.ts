/**
 * Owns the question of idle viewers: how many of them edge processes on this machine hold over a NATS
 * bus, the memory of each, what their heartbeats cost, and the time a publication takes to the last
 * one. It ends by itself when memory gets short.
 */
import { readFileSync } from 'node:fs';
import { EdgeCrowd, ROOM, type CrowdEdge } from './edge-crowd.js';
import { clock, nowUs, say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import type { Builder } from './viewer-load.js';

/** Under the 20,000 descriptors a process may have here. */
const EDGE_VIEWERS = 18_000;
/** Joined before an edge's memory counts as its fixed cost. */
const WARM_VIEWERS = 200;
const FREE_BYTES_MIN = 3 * 2 ** 30;
/** Code is compiled and what a start leaves behind is freed, before anything is counted. */
const START_SECONDS = 10;
/** Everyone was asked once since the join: from then on each is asked alike. */
const SETTLE_SECONDS = 50;
/** Longer than the time until a silent viewer is asked, so that each is asked once. */
const IDLE_SECONDS = 45;
const DELIVERY_MS_MAX = 120_000;

export async function measureIdle({ plan, builder }: Bench): Promise<Table> {
  const rows = new Rows();
  for (const viewers of plan.idleViewers) {
    for (let run = 1; run <= plan.runs; run++) {
      say(`idle run ${run}: ${viewers} viewers`);
      rows.add({ asked: viewers }, await runOnce(builder, viewers));
    }
  }
  return {
    question: 'idle',
    title: 'Idle viewers: many connected, next to nothing said',
    notes: [
      `Edge processes of ${EDGE_VIEWERS} viewers each on the server core, over one NATS bus, each ` +
        'viewer a user with a token, all in one room. It stops joining when less than 3 GiB of ' +
        'memory are free: `viewers` is how many there were.',
      `One more edge has its first ${WARM_VIEWERS} viewers only: what it holds and takes at the same ` +
        'time is the fixed cost of a process (`process`). `resident bytes per viewer` and ' +
        '`heartbeat core percent` are what the others have beyond that, `idle core percent` is all ' +
        'they take; of one core, for 100,000 viewers. `machine bytes` is what the machine has lost ' +
        'since the joining began: kernel and both ends.',
      `The window of ${IDLE_SECONDS} s begins ${SETTLE_SECONDS} s after the last join, when ` +
        'everyone has been asked once.',
    ],
    rows: rows.rows(),
  };
}

async function runOnce(builder: Builder, viewers: number): Promise<Record<string, number>> {
  const crowd = await EdgeCrowd.start(builder, viewers);
  try {
    return await fill(crowd, viewers);
  } finally {
    await crowd.stop();
  }
}

async function fill(crowd: EdgeCrowd, viewers: number): Promise<Record<string, number>> {
  const edges: CrowdEdge[] = [];
  for (let left = viewers; left > 0; left -= EDGE_VIEWERS) {
    edges.push(await warmEdge(crowd));
    if (edges.length % 10 === 0) say(`${edges.length} edges`);
  }
  // The last one stays as it is.
  await warmEdge(crowd);
  await sleep(START_SECONDS * 1000);
  const freeBefore = freeBytes();
  const began = clock.now();
  let joined = 0;
  let used = 0;
  for (const edge of edges) {
    if (freeBytes() < FREE_BYTES_MIN) break;
    const left = viewers - used * EDGE_VIEWERS;
    const count = Math.max(1, Math.min(EDGE_VIEWERS, left) - WARM_VIEWERS);
    await crowd.join(edge, count);
    joined += count;
    used++;
    say(`${joined} viewers on ${used} edges, ${Math.round(freeBytes() / 2 ** 20)} MiB free`);
  }
  const joinSeconds = (clock.now() - began) / 1000;
  await sleep(SETTLE_SECONDS * 1000);
  const shares = await idleShares(crowd);
  const process = shares.at(-1)!;
  const busy = shares.slice(0, used);
  const resident = crowd.usage().map(({ rssBytes }) => rssBytes);
  const fixedBytes = resident.at(-1)!;
  const per100k = (share: number) => (share * 100 * 100_000) / joined;
  return {
    viewers: joined + WARM_VIEWERS * crowd.edges.length,
    edges: used,
    joinsPerSecond: joined / joinSeconds,
    residentBytesPerViewer: Math.round((sum(resident.slice(0, used)) - fixedBytes * used) / joined),
    machineBytesPerViewer: Math.round((freeBefore - freeBytes()) / joined),
    processResidentMegabytes: fixedBytes / 1e6,
    processCorePercent: process * 100,
    heartbeatCorePercentPer100k: per100k(sum(busy) - process * used),
    idleCorePercentPer100k: per100k(sum(busy)),
    ...(await publish(crowd, joined + WARM_VIEWERS * crowd.edges.length)),
  };
}

async function warmEdge(crowd: EdgeCrowd): Promise<CrowdEdge> {
  const edge = await crowd.addEdge();
  await crowd.join(edge, WARM_VIEWERS);
  return edge;
}

/** Share of a core that each edge takes while nothing is said. */
async function idleShares(crowd: EdgeCrowd): Promise<number[]> {
  const [before, began] = [crowd.usage(), nowUs()];
  await sleep(IDLE_SECONDS * 1000);
  const seconds = (nowUs() - began) / 1e6;
  return crowd.usage().map((each, i) => (each.cpuSeconds - before[i]!.cpuSeconds) / seconds);
}

/** One publication to everyone. */
async function publish({ loads, studio }: EdgeCrowd, viewers: number) {
  await Promise.all(loads.map((load) => load.mark()));
  const said = { kind: 'notice', lane: 'control', text: 'hear', data: { bt: nowUs() } };
  await studio.must('POST', `/v1/rooms/${ROOM}/publications`, said);
  const all = () => Promise.all(loads.map((load) => load.report()));
  let reports = await all();
  const end = clock.now() + DELIVERY_MS_MAX;
  while (sum(reports.map((each) => each.deliveries)) < viewers && clock.now() < end) {
    await sleep(500);
    reports = await all();
  }
  const totals = await Promise.all(loads.map((load) => load.total()));
  const medians = reports.map((each) => each.latencyMs.p50).sort((a, b) => a - b);
  return {
    medianDeliveryMs: medians[medians.length >> 1] ?? NaN,
    lastDeliveryMs: Math.max(...reports.map((each) => each.latencyMs.max)),
    deliveries: sum(reports.map((each) => each.deliveries)),
    closed: sum(totals.map((each) => each.closed)),
  };
}

function freeBytes(): number {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, each) => all + each, 0);
}
