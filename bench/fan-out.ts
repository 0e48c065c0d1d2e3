/**
 * Owns the question of fan-out: one room, many viewers, steady publications; deliveries, frames and
 * bytes for a second of server CPU, and how late they are. Service and yardsticks run in turn.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { hasFloor, startFloorRoom } from './peers/floor-room.js';
import { Poster } from './poster.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { startRawUws, startService, type Server } from './service.js';
import { ViewerLoad, type Format, type ViewerCounts } from './viewer-load.js';
import { measure, perCpuSecond, type Window } from './window.js';
import type { Feed } from './plan.js';

interface Case {
  readonly server: 'barrage' | 'raw-uws' | 'floor';
  readonly format: Format;
  /** Whether viewers say the danmaku over their sockets, or a studio posts them to the API. */
  readonly feed: Feed;
  readonly viewers: number;
  readonly perSecond: number;
}

const ROOM = 'room';
const FLOOR = { server: 'floor', format: 'json' } as const;
const STARTS: Readonly<Record<Case['server'], () => Promise<Server>>> = {
  barrage: () => startService(),
  'raw-uws': startRawUws,
  floor: startFloorRoom,
};
/** What the service is divided by, and the name of the ratio. */
const YARDSTICKS = { ratio: 'raw-uws', floorRatio: 'floor' } as const;
const JOIN_MS_MAX = 60_000;
const TEXTS = 5000;
/** Danmaku and deliveries per second before the warm-up at the rate that is measured. */
const WARM_PER_SECOND = 2000;
const WARM_DELIVERIES = 2_000_000;
const WARM_MS = 5000;

export async function measureFanOut(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const one of cases(bench)) {
      const { server, format, feed, viewers, perSecond } = one;
      say(`fanout run ${run}: ${server} ${format} ${viewers} × ${perSecond}/s by ${feed}`);
      rows.add({ ...one }, await runCase(bench, one, run));
    }
  }
  addRatios(rows);
  return {
    question: 'fanout',
    title: 'Fan-out: one room, steady danmaku to every viewer',
    notes: [
      'Fed by viewers, danmaku are said over their sockets and each sender is told its verdict, ' +
        'by both servers; fed by the API, a studio posts them in batches every 20 ms. Latency ' +
        'runs from there to the viewer that read it, so it holds the tick. Viewers say more for ' +
        'five seconds before the warm-up, so that code that is run seldom is compiled.',
      'A delivery is one publication read by one viewer; a flush is one WebSocket ' +
        'payload with frames; bytes are all bytes the viewers read.',
      'raw-uws is bench/peers/raw-uws: the same danmaku as one frame every 100 ms, with ' +
        'nothing a chatroom needs. `ratio` divides deliveries per server CPU-second by ' +
        'those of raw-uws in the same run.',
      'floor is bench/peers/floor.c as a room: joining, danmaku from sockets, a verdict for each and ' +
        'one frame every 100 ms, with one write of the same bytes to every socket. It looks for the ' +
        'fields of what is said and validates nothing, checks no token, and has no API, so it is not ' +
        'there where a studio posts. `floor ratio` is to it what `ratio` is to raw-uws.',
      'Both yardsticks flush every 100 ms whatever the crowd; the service lengthens the interval of a ' +
        'large room (up to 150 ms), so part of its ratio is fewer flushes: compare flushes per ' +
        'CPU-second too, and latency.',
      'The room is set so that nothing is sampled (budget 10,000/s, the tick of such a room); ' +
        '`delivered` is the share of accepted publications × viewers that arrived in the ' +
        'window (posting and reading windows differ by the latency).',
    ],
    rows: rows.rows(),
  };
}

function cases({ plan, builder }: Bench): Case[] {
  const kinds: Pick<Case, 'server' | 'format'>[] = [
    { server: 'raw-uws', format: 'json' },
    { server: 'barrage', format: 'json' },
  ];
  if (builder.deflate) kinds.push({ server: 'barrage', format: 'deflate' });
  return plan.feeds.flatMap((feed) =>
    plan.viewers.flatMap((viewers) =>
      plan.rates.flatMap((perSecond) =>
        [...(feed === 'viewers' && hasFloor() ? [FLOOR] : []), ...kinds].map((kind) => ({
          ...{ ...kind, feed, viewers, perSecond },
        })),
      ),
    ),
  );
}

async function runCase(bench: Bench, one: Case, run: number): Promise<Record<string, number>> {
  const server = await STARTS[one.server]();
  try {
    if (one.server === 'barrage') {
      await openRoom(server.studio, ROOM, wideOpenFor(one.viewers));
    }
    return await runLoad(bench, one, server, bench.plan.seed + run);
  } finally {
    await server.stop();
  }
}

async function runLoad(
  { plan, builder }: Bench,
  one: Case,
  server: Server,
  seed: number,
): Promise<Record<string, number>> {
  const emptyRss = server.usage().rssBytes;
  const corpus = new Corpus(seed);
  const load = new ViewerLoad(builder, {
    port: server.edgePort,
    path: server.path(ROOM),
    room: ROOM,
    viewers: one.viewers,
    format: one.format,
    ...(one.feed === 'viewers' ? speaking(server, corpus, one.viewers) : {}),
  });
  try {
    await load.ready(JOIN_MS_MAX);
    await sleep(1000);
    const joinedRss = server.usage().rssBytes;
    if (one.feed === 'viewers') await warmUp(load, one);
    const feed = one.feed === 'viewers' ? new Speakers(load, one) : studioFeed(server, corpus, one);
    await sleep(plan.warmupSeconds * 1000);
    const before = feed.accepted();
    const window = await measure(server, load, plan.seconds);
    const accepted = feed.accepted(window.counts) - before;
    const notPosted = await feed.stop(window.counts);
    return {
      ...figures(window),
      delivered: window.counts.deliveries / Math.max(1, accepted * one.viewers),
      notPosted,
      rssPerViewer: (joinedRss - emptyRss) / one.viewers,
    };
  } finally {
    await load.stop();
  }
}

/** What a server has run for a while is compiled; at a hundred danmaku a second that takes minutes. */
async function warmUp(load: ViewerLoad, { viewers, perSecond }: Case): Promise<void> {
  const most = Math.min(WARM_PER_SECOND, Math.floor(WARM_DELIVERIES / viewers));
  load.speak(Math.max(perSecond, most));
  await sleep(WARM_MS);
}

/** Each viewer with a token of its own, and what they say. */
function speaking(server: Server, corpus: Corpus, viewers: number) {
  const texts = Array.from({ length: TEXTS }, () => corpus.text());
  const tokens = Array.from({ length: viewers }, (_, i) => server.token(`u${10_000 + i}`, ROOM));
  return tokens[0] === '' ? { texts } : { texts, tokens };
}

/** Where the danmaku come from. */
interface Feeding {
  /** Danmaku published so far; of viewers those of the window. */
  accepted(window?: ViewerCounts): number;
  /** Ends it and says how many were not offered as asked. */
  stop(window: ViewerCounts): Promise<number>;
}

class Speakers implements Feeding {
  readonly #load: ViewerLoad;

  constructor(load: ViewerLoad, { perSecond }: Case) {
    this.#load = load;
    load.speak(perSecond);
  }

  accepted(window?: ViewerCounts): number {
    return acceptedOf(window?.verdicts ?? {});
  }

  stop({ blocked }: ViewerCounts): Promise<number> {
    this.#load.speak(0);
    return Promise.resolve(blocked);
  }
}

function studioFeed(server: Server, corpus: Corpus, { perSecond }: Case): Feeding {
  const poster = new Poster(server.studio, ROOM, corpus, perSecond);
  return {
    accepted: () => acceptedOf(poster.counts().verdicts),
    stop: async () => {
      const end = await poster.stop();
      if (end.failed > 0) say(`  ${end.failed} batches failed: ${end.reason}`);
      return end.late;
    },
  };
}

function acceptedOf(verdicts: Readonly<Record<string, number>>): number {
  return verdicts['published'] ?? 0;
}

/** Deliveries, frames and bytes always stand together; the unit is in the name. */
function figures(window: Window): Record<string, number> {
  const { counts, seconds } = window;
  return {
    deliveriesPerSecond: counts.deliveries / seconds,
    flushesPerSecond: counts.flushes / seconds,
    framesPerSecond: counts.frames / seconds,
    bytesPerSecond: counts.bytes / seconds,
    deliveriesPerCpuSecond: perCpuSecond(counts.deliveries, window),
    flushesPerCpuSecond: perCpuSecond(counts.flushes, window),
    framesPerCpuSecond: perCpuSecond(counts.frames, window),
    bytesPerCpuSecond: perCpuSecond(counts.bytes, window),
    p50Ms: counts.latencyMs.p50,
    p99Ms: counts.latencyMs.p99,
    maxMs: counts.latencyMs.max,
    serverBusy: window.serverBusy,
    loadBusy: window.loadBusy,
    gaps: counts.gaps,
    repeats: counts.repeats,
    closed: counts.closed,
    unread: counts.unread,
  };
}

/** Adds the ratios to each service row: run by run against the yardsticks at the same load. */
function addRatios(rows: Rows): void {
  const all = rows.rows();
  for (const row of all) {
    if (row.case['server'] !== 'barrage') continue;
    for (const [name, server] of Object.entries(YARDSTICKS)) {
      const yardstick = all.find(
        ({ case: of }) =>
          of['server'] === server &&
          of['feed'] === row.case['feed'] &&
          of['viewers'] === row.case['viewers'] &&
          of['perSecond'] === row.case['perSecond'],
      );
      const theirs = yardstick?.values['deliveriesPerCpuSecond'] ?? [];
      (row.values['deliveriesPerCpuSecond'] ?? []).forEach((ours, run) => {
        const their = theirs[run] ?? 0;
        if (their > 0) rows.add(row.case, { [name]: ours / their });
      });
    }
  }
}
