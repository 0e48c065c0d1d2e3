/**
 * Owns the question of a crowd beyond one process: an edge of several processes on one core, with the
 * bus and the room service it needs on the same core; what holds, and what each process takes for it.
 */
import { startCluster, missingPrograms, type RunningShape } from './cluster-shapes.js';
import { Corpus } from './corpus.js';
import { clock, say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { ViewerLoad, type Format, type ViewerCounts } from './viewer-load.js';

const ROOM = 'room';
const PROCESSES = 3;
const PER_SECOND = 100;
const JOIN_MS_MAX = 120_000;
const TEXTS = 5000;
/** What is to settle after so many joined, and be compiled. */
const SETTLE_MS = 6000;

export async function measureMany(bench: Bench): Promise<Table> {
  const missing = missingPrograms();
  if (missing !== undefined) throw new Error(missing);
  const { plan, builder } = bench;
  const formats: Format[] = builder.deflate ? ['json', 'deflate'] : ['json'];
  const rows = new Rows();
  for (let run = 1; run <= plan.runs; run++) {
    for (const format of formats) {
      say(`many run ${run}: ${plan.crowd} × ${PER_SECOND}/s, ${format}`);
      const of = { viewers: plan.crowd, processes: PROCESSES, perSecond: PER_SECOND, format };
      rows.add(of, await runCase(bench, format, run));
    }
  }
  return {
    question: 'many',
    title: 'A crowd on several edge processes of one core',
    notes: [
      `\`barrage edge\` with ${PROCESSES} processes on one port, the room service, NATS and Redis all ` +
        'share the server core; all viewers are on the other core. Viewers say the danmaku over their ' +
        'sockets; latency runs from there to each viewer that read it.',
      '`all busy` is of all server processes together, of one core; the others are of each process. ' +
        '`delivered` is the share of published × viewers that arrived in the window.',
    ],
    rows: rows.rows(),
  };
}

async function runCase(
  { plan, builder }: Bench,
  format: Format,
  run: number,
): Promise<Record<string, number>> {
  const running = await startCluster({ edges: 1, processes: PROCESSES });
  const corpus = new Corpus(plan.seed + run);
  try {
    await openRoom(running.studio, ROOM, wideOpenFor(plan.crowd));
    const load = new ViewerLoad(builder, {
      ...{ port: running.edgePorts[0]!, path: `/v1/ws?room=${ROOM}`, room: ROOM, format },
      viewers: plan.crowd,
      texts: Array.from({ length: TEXTS }, () => corpus.text()),
      tokens: Array.from({ length: plan.crowd }, (_, i) => running.token(`u${100_000 + i}`, ROOM)),
    });
    try {
      await load.ready(JOIN_MS_MAX);
      load.speak(PER_SECOND);
      await sleep(SETTLE_MS + plan.warmupSeconds * 1000);
      return await window(running, load, plan);
    } finally {
      await load.stop();
    }
  } finally {
    await running.stop();
  }
}

async function window(
  running: RunningShape,
  load: ViewerLoad,
  { seconds, crowd }: Bench['plan'],
): Promise<Record<string, number>> {
  await load.mark();
  const before = running.processes();
  const began = clock.now();
  await sleep(seconds * 1000);
  const counts = await load.report();
  const wallSeconds = (clock.now() - began) / 1000;
  const after = running.processes();
  const spent = after.map(({ name, usage }, i) => ({
    name,
    cpuSeconds: usage.cpuSeconds - before[i]!.usage.cpuSeconds,
    rssBytes: usage.rssBytes,
  }));
  const cpuSeconds = spent.reduce((sum, each) => sum + each.cpuSeconds, 0);
  return {
    ...figures(counts, cpuSeconds),
    delivered: counts.deliveries / Math.max(1, (counts.verdicts['published'] ?? 0) * crowd),
    allBusy: cpuSeconds / wallSeconds,
    ...Object.fromEntries(spent.map((each) => [`${each.name}Busy`, each.cpuSeconds / wallSeconds])),
    loadBusy: counts.cpuUs / 1e6 / wallSeconds,
    edgeRssMegabytes:
      spent
        .filter(({ name }) => name.startsWith('edge'))
        .reduce((sum, { rssBytes }) => sum + rssBytes, 0) / 1e6,
  };
}

function figures(counts: ViewerCounts, cpuSeconds: number): Record<string, number> {
  const { seconds } = counts;
  return {
    deliveriesPerSecond: counts.deliveries / seconds,
    flushesPerSecond: counts.flushes / seconds,
    framesPerSecond: counts.frames / seconds,
    bytesPerSecond: counts.bytes / seconds,
    deliveriesPerCpuSecond: counts.deliveries / cpuSeconds,
    flushesPerCpuSecond: counts.flushes / cpuSeconds,
    bytesPerCpuSecond: counts.bytes / cpuSeconds,
    p50Ms: counts.latencyMs.p50,
    p99Ms: counts.latencyMs.p99,
    maxMs: counts.latencyMs.max,
    gaps: counts.gaps,
    repeats: counts.repeats,
    unread: counts.unread,
    closed: counts.closed,
  };
}
