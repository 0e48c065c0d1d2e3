/**
 * Owns the question of the cluster: the same work through one process, and through NATS, Redis, a room
 * service and one or two edges; what each process takes for it, and how late it is.
 */
import autocannon from 'autocannon';
import { COMMANDS_PER_SECOND } from '../src/limits.js';
import { missingPrograms, PARTS, SHAPES, startShape } from './cluster-shapes.js';
import type { RunningShape, Shape } from './cluster-shapes.js';
import { Corpus } from './corpus.js';
import { clock, say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { OPEN_UPLINK, openRoom, wideOpenFor } from './rooms.js';
import { ViewerLoad, type LoadOptions, type ViewerCounts } from './viewer-load.js';

interface Work {
  readonly work: 'fan-out' | 'joins' | 'uplink' | 'keep';
  /** Viewers, or connections of the studio. */
  readonly viewers: number;
  /** Danmaku per second; 0: as fast as it goes. */
  readonly perSecond: number;
}

const ROOM = 'room';
const FAN_OUT_PER_SECOND = 100;
const UPLINK_PER_SECOND = 10_000;
const JOINING_AT_ONCE = 128;
const KEEP_CONNECTIONS = 32;
const JOIN_MS_MAX = 60_000;
const TEXTS = 2000;

export async function measureCluster(bench: Bench): Promise<Table> {
  const missing = missingPrograms();
  if (missing !== undefined) throw new Error(missing);
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const work of works(bench)) {
      for (const shape of SHAPES) {
        say(`cluster run ${run}: ${work.work} ${work.viewers} × ${work.perSecond}/s, ${shape}`);
        rows.add({ shape, ...work }, await runCase(bench, work, { shape, run }));
      }
    }
  }
  return {
    question: 'cluster',
    title: 'Through the cluster: the same work in one process and in many',
    notes: [
      'All processes of a shape share the server core, so compare work for a CPU-second of all of ' +
        'them together; where they have a core each the latency is less. Redis writes to the disk ' +
        'before it answers, as the embedded store does.',
      'Work is deliveries (fan-out), joins, danmaku answered (uplink) and keepable posts ' +
        'acknowledged (keep). `busy` is the share of a core; that of edges is of all of them. NATS ' +
        'messages are those that came in and those that went out.',
    ],
    rows: rows.rows(),
  };
}

function works({ plan }: Bench): Work[] {
  return [
    ...plan.viewers.map((viewers) => ({
      ...{ work: 'fan-out' as const, viewers, perSecond: FAN_OUT_PER_SECOND },
    })),
    { work: 'joins', viewers: JOINING_AT_ONCE, perSecond: 0 },
    {
      work: 'uplink',
      viewers: Math.ceil(UPLINK_PER_SECOND / (COMMANDS_PER_SECOND * 0.75)),
      perSecond: UPLINK_PER_SECOND,
    },
    { work: 'keep', viewers: KEEP_CONNECTIONS, perSecond: 0 },
  ];
}

async function runCase(
  bench: Bench,
  work: Work,
  { shape, run }: { readonly shape: Shape; readonly run: number },
): Promise<Record<string, number>> {
  const running = await startShape(shape);
  const corpus = new Corpus(bench.plan.seed + run);
  try {
    const limits = { 'fan-out': wideOpenFor(work.viewers), uplink: OPEN_UPLINK } as const;
    await openRoom(running.studio, ROOM, work.work in limits ? limits[work.work as 'uplink'] : {});
    if (work.work === 'keep') return await keep(bench, running, corpus);
    return await withViewers(bench, work, { running, corpus });
  } finally {
    await running.stop();
  }
}

interface Given {
  readonly running: RunningShape;
  readonly corpus: Corpus;
}

/** Viewers spread over the edges evenly: a load program for each edge. */
async function withViewers(
  { plan, builder }: Bench,
  { work, viewers, perSecond }: Work,
  { running, corpus }: Given,
): Promise<Record<string, number>> {
  const { edgePorts } = running;
  const texts = Array.from({ length: TEXTS }, () => corpus.text());
  const loads = edgePorts.map((port, i) => {
    const own = Math.ceil((viewers - i) / edgePorts.length);
    const users = Array.from({ length: own }, (_, n) => `u${10_000 + i * 100_000 + n}`);
    const options: LoadOptions = {
      ...{ port, path: `/v1/ws?room=${ROOM}`, room: ROOM, viewers: own },
      tokens: users.map((user) => running.token(user, ROOM)),
      ...(work === 'joins' ? { churn: true } : { texts }),
    };
    return new ViewerLoad(builder, options);
  });
  try {
    if (work !== 'joins') {
      await Promise.all(loads.map((load) => load.ready(JOIN_MS_MAX)));
      for (const load of loads) load.speak(perSecond / loads.length);
    }
    await sleep(plan.warmupSeconds * 1000);
    await Promise.all(loads.map((load) => load.mark()));
    const used = await spent(running);
    await sleep(plan.seconds * 1000);
    const counts = await Promise.all(loads.map((load) => load.report()));
    return { ...figures(work, counts, await used()), ...health(counts) };
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
}

/** Keepable posts over kept connections, as fast as they are acknowledged. */
async function keep(
  { plan }: Bench,
  running: RunningShape,
  corpus: Corpus,
): Promise<Record<string, number>> {
  const { studio } = running;
  const path = `/v1/rooms/${ROOM}/publications`;
  const requests = Array.from({ length: TEXTS }, () => ({
    method: 'POST' as const,
    path,
    body: JSON.stringify({ kind: 'gift', lane: 'high', ...corpus.next() }),
  }));
  const options: autocannon.Options = {
    url: `http://127.0.0.1:${studio.port}`,
    headers: { authorization: `Bearer ${studio.key}`, 'content-type': 'application/json' },
    ...{ requests, connections: KEEP_CONNECTIONS },
  };
  await autocannon({ ...options, duration: plan.warmupSeconds });
  const used = await spent(running);
  const result = await autocannon({ ...options, duration: plan.seconds });
  const usage = await used();
  return {
    ...perWork(result['2xx'] / result.duration, usage),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failed: result.non2xx + result.errors + result.timeouts,
  };
}

/** Shares of a core by part, and messages of NATS per second, from now until the answer is called. */
async function spent(running: RunningShape): Promise<() => Promise<Record<string, number>>> {
  const parts = ['all', ...PARTS] as const;
  const before = parts.map((part) => running.usage(part));
  const notes = await running.notes();
  const began = clock.now();
  return async () => {
    const seconds = (clock.now() - began) / 1000;
    const busy = parts.flatMap((part, i) => {
      const after = running.usage(part);
      if (after === undefined) return [];
      return [[`${part}Busy`, (after.cpuSeconds - before[i]!.cpuSeconds) / seconds] as const];
    });
    const natsMessagesPerSecond = ((await running.notes()) - notes) / seconds;
    return { ...Object.fromEntries(busy), natsMessagesPerSecond };
  };
}

function perWork(workPerSecond: number, usage: Record<string, number>): Record<string, number> {
  const all = usage['allBusy'] ?? 0;
  return { workPerSecond, workPerCpuSecond: all > 0 ? workPerSecond / all : 0, ...usage };
}

function figures(
  work: Work['work'],
  counts: readonly ViewerCounts[],
  usage: Record<string, number>,
): Record<string, number> {
  const sum = (of: (one: ViewerCounts) => number): number =>
    counts.reduce((total, one) => total + of(one) / one.seconds, 0);
  const done = {
    'fan-out': (one: ViewerCounts) => one.deliveries,
    joins: (one: ViewerCounts) => one.joined,
    uplink: (one: ViewerCounts) => Object.values(one.verdicts).reduce((a, b) => a + b, 0),
    keep: () => 0,
  };
  const times = counts.map((one) => (work === 'uplink' ? one.answerMs : one.latencyMs));
  return {
    ...perWork(sum(done[work]), usage),
    flushesPerSecond: sum((one) => one.flushes),
    bytesPerSecond: sum((one) => one.bytes),
    // Of the slower edge; a join is not timed.
    ...(work !== 'joins' && {
      p50Ms: Math.max(...times.map(({ p50 }) => p50)),
      p99Ms: Math.max(...times.map(({ p99 }) => p99)),
    }),
  };
}

/** What must be 0. */
function health(counts: readonly ViewerCounts[]): Record<string, number> {
  const sum = (of: (one: ViewerCounts) => number): number =>
    counts.reduce((total, one) => total + of(one), 0);
  return {
    gaps: sum((one) => one.gaps),
    repeats: sum((one) => one.repeats),
    unread: sum((one) => one.unread),
    closed: sum((one) => one.closed),
    failed: sum((one) => one.failed),
  };
}
