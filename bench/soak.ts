/**
 * Owns the question of collapse: the heaviest fan-out of one process for a long time, in one service
 * to which new viewers come for each run; what it holds, what it takes, and whether memory grows.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const ROOM = 'room';
const PER_SECOND = 1000;
const JOIN_MS_MAX = 60_000;
const TEXTS = 5000;
/** Viewers that left are gone and what they held is given back. */
const REST_MS = 2000;

export async function measureSoak(bench: Bench): Promise<Table> {
  const { plan, builder } = bench;
  if (!builder.deflate) throw new Error('deflate viewers need zlib');
  const viewers = Math.max(...plan.viewers);
  const rows = new Rows();
  const all = new Rows();
  const server = await startService();
  try {
    await openRoom(server.studio, ROOM, wideOpenFor(viewers));
    for (let run = 1; run <= plan.soakRuns; run++) {
      say(`soak run ${run}: ${viewers} × ${PER_SECOND}/s for ${plan.soakSeconds} s`);
      const figures = await runOnce(bench, server, { viewers, run });
      rows.add({ run, viewers, perSecond: PER_SECOND }, figures);
      all.add({ run: 'all', viewers, perSecond: PER_SECOND }, figures);
    }
  } finally {
    await server.stop();
  }
  return {
    question: 'soak',
    title: 'Soak: the heaviest fan-out for a long time',
    notes: [
      `One service; for each run new viewers with deflate join one room, say ${PER_SECOND} danmaku a ` +
        `second together for ${plan.soakSeconds} s, and leave. Megabytes are those of the service ` +
        'before the viewers of the run came, at the end of the run, and after they left. The last ' +
        'row has the median, smallest and largest of all runs.',
      'A delivery is one publication read by one viewer; a flush is one WebSocket payload.',
    ],
    rows: [...rows.rows(), ...all.rows()],
  };
}

async function runOnce(
  { plan, builder }: Bench,
  server: Server,
  { viewers, run }: { readonly viewers: number; readonly run: number },
): Promise<Record<string, number>> {
  const rssBefore = server.usage().rssBytes;
  const corpus = new Corpus(plan.seed + run);
  const load = new ViewerLoad(builder, {
    ...{ port: server.edgePort, path: server.path(ROOM), room: ROOM, viewers, format: 'deflate' },
    texts: Array.from({ length: TEXTS }, () => corpus.text()),
    tokens: Array.from({ length: viewers }, (_, i) => server.token(`u${10_000 + i}`, ROOM)),
  });
  try {
    await load.ready(JOIN_MS_MAX);
    load.speak(PER_SECOND);
    await sleep(plan.warmupSeconds * 1000);
    const window = await measure(server, load, plan.soakSeconds);
    const { counts, seconds } = window;
    const published = counts.verdicts['published'] ?? 0;
    load.speak(0);
    await load.stop();
    await sleep(REST_MS);
    return {
      deliveriesPerSecond: counts.deliveries / seconds,
      flushesPerSecond: counts.flushes / seconds,
      framesPerSecond: counts.frames / seconds,
      bytesPerSecond: counts.bytes / seconds,
      deliveriesPerCpuSecond: perCpuSecond(counts.deliveries, window),
      serverBusy: window.serverBusy,
      loadBusy: window.loadBusy,
      p50Ms: counts.latencyMs.p50,
      p99Ms: counts.latencyMs.p99,
      maxMs: counts.latencyMs.max,
      delivered: counts.deliveries / Math.max(1, published * viewers),
      notOffered: counts.blocked,
      gaps: counts.gaps,
      repeats: counts.repeats,
      unread: counts.unread,
      closed: counts.closed,
      rssBeforeMegabytes: rssBefore / 1e6,
      rssEndMegabytes: window.serverRssBytes / 1e6,
      rssAfterMegabytes: server.usage().rssBytes / 1e6,
    };
  } finally {
    await load.stop();
  }
}
