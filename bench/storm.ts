/**
 * Owns the question of a storm of joins: many users with tokens log in at once while others watch.
 * Every join must be answered, memory stay bounded, and those who watch hardly notice.
 */
import { Corpus } from './corpus.js';
import { clock, say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { Poster } from './poster.js';
import { openRoom, WIDE_OPEN } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad } from './viewer-load.js';

const ROOM = 'room';
const WATCHERS = 1000;
const RATE = 100;
/** With the watchers, the service and its files under the 20,000 descriptors a process has here. */
const USERS = 18_000;
const LOADS = 2;
/** Connections on their way at once, of both loads: as a proxy in front lets through, or without one. */
const PENDING = [512, 4096];
const STORM_MS_MAX = 60_000;

export async function measureStorm(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const pending of PENDING) {
      say(`storm run ${run}, ${pending} on their way`);
      const server = await startService({ BARRAGE_EDGE_CONNECTIONS_MAX: '19500' });
      try {
        const of = { users: USERS, onTheirWay: pending, watchers: WATCHERS, rate: RATE };
        rows.add(of, await runOnce(bench, server, { run, pending }));
      } finally {
        await server.stop();
      }
    }
  }
  return {
    question: 'storm',
    title: 'A storm of joins beside viewers who watch',
    notes: [
      `${LOADS} load programs connect ${USERS} users with tokens to the room as fast as the machine ` +
        'makes them, so many on their way at once (the rest come as these are through), while ' +
        `${WATCHERS} viewers watch another room of ${RATE} publications a second. What connects ` +
        'gives way to what watches on the load core. ' +
        'p99 is of the watchers, before and during the storm; `net joins` are counted without what the ' +
        'watched room took of the core before.',
    ],
    rows: rows.rows(),
  };
}

async function runOnce(
  bench: Bench,
  server: Server,
  { run, pending }: { readonly run: number; readonly pending: number },
): Promise<Record<string, number>> {
  const { plan, builder } = bench;
  await openRoom(server.studio, ROOM);
  await openRoom(server.studio, 'watched', WIDE_OPEN);
  const to = { port: server.edgePort };
  const watch = new ViewerLoad(builder, {
    ...{ ...to, room: 'watched', path: server.path('watched'), viewers: WATCHERS },
  });
  const loads: ViewerLoad[] = [];
  let poster: Poster | undefined;
  try {
    await watch.ready(STORM_MS_MAX);
    poster = new Poster(server.studio, 'watched', new Corpus(plan.seed + run), RATE);
    await sleep(plan.warmupSeconds * 1000);
    await watch.mark();
    const calmBefore = server.usage().cpuSeconds;
    await sleep(plan.seconds * 1000);
    const calm = await watch.report();
    const calmBusy = (server.usage().cpuSeconds - calmBefore) / calm.seconds;
    const tokens = Array.from({ length: USERS }, (_, i) => server.token(`u${i}`, ROOM));
    const before = server.usage();
    let peak = before.rssBytes;
    const looking = clock.every(100, () => (peak = Math.max(peak, server.usage().rssBytes)));
    await watch.mark();
    for (let i = 0; i < LOADS; i++) {
      const part = tokens.slice((i * USERS) / LOADS, ((i + 1) * USERS) / LOADS);
      const of = { ...to, room: ROOM, path: server.path(ROOM), viewers: part.length };
      const way = { rate: 100_000, pending: pending / LOADS, isMild: true };
      loads.push(new ViewerLoad(builder, { ...of, ...way, tokens: part }));
    }
    const ready = await Promise.all(loads.map((load) => load.ready(STORM_MS_MAX)));
    const after = server.usage();
    const stormy = await watch.report();
    looking.cancel();
    const seconds = Math.max(...ready.map((each) => each.seconds));
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
    return {
      joined: ready.reduce((sum, each) => sum + each.joined, 0),
      failed: ready.reduce((sum, each) => sum + each.failed, 0),
      joinsPerSecond: USERS / seconds,
      joinsPerCpuSecond: USERS / cpuSeconds,
      netJoinsPerCpuSecond: USERS / (cpuSeconds - calmBusy * seconds),
      calmP99Ms: calm.latencyMs.p99,
      stormP99Ms: stormy.latencyMs.p99,
      ratio: stormy.latencyMs.p99 / calm.latencyMs.p99,
      rssBeforeMegabytes: before.rssBytes / 1e6,
      rssPeakMegabytes: peak / 1e6,
      rssAfterMegabytes: after.rssBytes / 1e6,
      gaps: stormy.gaps,
      closed: stormy.closed,
    };
  } finally {
    await poster?.stop();
    await Promise.all([watch, ...loads].map((load) => load.stop()));
  }
}
