/**
 * Owns the question of slow viewers: what those who read notice, and what memory it takes, when some
 * viewers of a room stop reading for good.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { tcpBufferBytes } from './machine.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { adviseSendBuffers } from './send-buffers.js';
import { startService, type Server } from './service.js';
import { ViewerLoad } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const ROOM = 'room';
const VIEWERS = 10_000;
const PER_SECOND = 100;
/** Shares of viewers that stop reading once they have joined; 0 is what the others compare with. */
const STALLED: readonly number[] = [0, 0.01, 0.1, 0.5];
const SPEAKERS = 100;
const TEXTS = 5000;
const JOIN_MS_MAX = 60_000;
/**
 * What those who do not read are sent until all buffers on their way are full: so many a second, until
 * memory grows no more (by this many bytes between two looks), for at most this long.
 */
const FILL_PER_SECOND = 300;
const FILL_LOOK_MS = 2000;
const FILLED_BYTES = 8 << 20;
const FILL_MS_MAX = 40_000;
/** What was late at the higher rate has arrived by then. */
const CALM_MS = 3000;

export async function measureSlow(bench: Bench): Promise<Table> {
  const rows = new Rows();
  const { held, undo } = adviseSendBuffers();
  try {
    for (let run = 1; run <= bench.plan.runs; run++) await runAll(bench, run, rows);
  } finally {
    undo();
  }
  return {
    question: 'slow',
    title: 'Slow viewers: some of a room stop reading, the others should not notice',
    notes: [
      `${PER_SECOND} danmaku a second, said by ${SPEAKERS} further viewers. Viewers stop reading ` +
        'the moment they have joined and keep their connection; latency and deliveries are ' +
        'those of the ones who read; `p99 ratio` is to the run of the same turn in which all read.',
      `Before the window ${FILL_PER_SECOND} danmaku a second fill the buffers of those who do not ` +
        'read, until nothing grows any more (`fill seconds`): while memory is taken for the ' +
        'first time everything is slower.',
      '`tcp megabytes` is what the kernel holds in socket buffers of both ends, on loopback on ' +
        `one machine (${held}); \`rss megabytes\` is the growth of the server.`,
    ],
    rows: rows.rows(),
  };
}

async function runAll(bench: Bench, run: number, rows: Rows): Promise<void> {
  let calmP99Ms = NaN;
  for (const stalled of STALLED) {
    say(`slow run ${run}: ${stalled * 100} % of ${VIEWERS} stop reading`);
    const values = await runOnce(bench, stalled, run);
    if (stalled === 0) calmP99Ms = values.p99Ms;
    rows.add({ viewers: VIEWERS, stalled }, { ...values, p99Ratio: values.p99Ms / calmP99Ms });
  }
}

type SlowFigures = Record<string, number> & { readonly p99Ms: number };

async function runOnce(bench: Bench, stalled: number, run: number): Promise<SlowFigures> {
  const server = await startService();
  try {
    await openRoom(server.studio, ROOM, wideOpenFor(VIEWERS));
    return await runLoad(bench, server, { stalled, seed: bench.plan.seed + run });
  } finally {
    await server.stop();
  }
}

async function runLoad(
  { plan, builder }: Bench,
  server: Server,
  { stalled, seed }: { readonly stalled: number; readonly seed: number },
): Promise<SlowFigures> {
  const at = { port: server.edgePort, path: server.path(ROOM), room: ROOM };
  const corpus = new Corpus(seed);
  const speakers = new ViewerLoad(builder, {
    ...at,
    viewers: SPEAKERS,
    tokens: Array.from({ length: SPEAKERS }, (_, i) => server.token(`u${10_000 + i}`, ROOM)),
    texts: Array.from({ length: TEXTS }, () => corpus.text()),
  });
  const viewers = new ViewerLoad(builder, {
    ...at,
    viewers: VIEWERS,
    ...(stalled > 0 ? { stall: stalled } : {}),
  });
  try {
    await Promise.all([speakers.ready(JOIN_MS_MAX), viewers.ready(JOIN_MS_MAX)]);
    const before = { rss: server.usage().rssBytes, tcp: tcpBufferBytes() };
    speakers.speak(FILL_PER_SECOND);
    const fillSeconds = await filled(server);
    speakers.speak(PER_SECOND);
    await sleep(CALM_MS + plan.warmupSeconds * 1000);
    const window = await measure(server, viewers, plan.seconds);
    const { counts, seconds } = window;
    const reading = VIEWERS * (1 - stalled);
    return {
      reading,
      fillSeconds,
      deliveriesPerSecond: counts.deliveries / seconds,
      delivered: counts.deliveries / seconds / PER_SECOND / reading,
      deliveriesPerCpuSecond: perCpuSecond(counts.deliveries, window),
      p50Ms: counts.latencyMs.p50,
      p99Ms: counts.latencyMs.p99,
      maxMs: counts.latencyMs.max,
      serverBusy: window.serverBusy,
      rssMegabytes: (window.serverRssBytes - before.rss) / 1e6,
      tcpMegabytes: (tcpBufferBytes() - before.tcp) / 1e6,
      closed: counts.closed,
      gaps: counts.gaps,
    };
  } finally {
    await speakers.stop();
    await viewers.stop();
  }
}

/** Seconds until what server and kernel hold has stopped growing. */
async function filled(server: Server): Promise<number> {
  const held = () => server.usage().rssBytes + tcpBufferBytes();
  let before = held();
  let passedMs = 0;
  while (passedMs < FILL_MS_MAX) {
    await sleep(FILL_LOOK_MS);
    passedMs += FILL_LOOK_MS;
    const now = held();
    if (now - before < FILLED_BYTES) break;
    before = now;
  }
  return passedMs / 1000;
}
