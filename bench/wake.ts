/**
 * Owns the question of waking: everyone who waits for one room over HTTP, by server-sent events or by
 * a long poll, is told of each publication; how late the last one is, and what a woken viewer costs.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { Poster } from './poster.js';
import { openRoom, wideOpenFor } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const ROOM = 'room';
const WAYS = ['events', 'poll', 'poll as advised'] as const;
const RATES = [1, 10] as const;
const JOIN_MS_MAX = 60_000;
/** At this rate for so long first, so that what is measured is compiled. */
const WARM_PER_SECOND = 5;
const WARM_MS = 5000;
/** How many are joined in a second: less than the machine can, so that it is not part of it. */
const JOINS_PER_SECOND = 4000;

interface Case {
  readonly way: (typeof WAYS)[number];
  readonly viewers: number;
  readonly perSecond: number;
}

export async function measureWake(bench: Bench): Promise<Table> {
  const { plan, builder } = bench;
  if (!builder.isCompiled) throw new Error('viewers over HTTP need a C compiler');
  const rows = new Rows();
  for (let run = 1; run <= plan.runs; run++) {
    for (const one of cases(bench)) {
      say(`wake run ${run}: ${one.way}, ${one.viewers} × ${one.perSecond}/s`);
      const server = await startService();
      try {
        rows.add({ ...one }, await runCase(bench, one, { server, run }));
      } finally {
        await server.stop();
      }
    }
  }
  return {
    question: 'wake',
    title: 'Waking those who wait over HTTP: server-sent events and long polls',
    notes: [
      'All are guests of one room, each from an address of its own, and a studio posts danmaku. ' +
        'Latency runs from the post to the viewer that read it, for every delivery: `max` is the ' +
        'last viewer of the slowest publication.',
      'A poller asks again as soon as it has its answer (`poll`), or after the time the answer ' +
        'advises (`poll as advised`: a crowd comes back about a thousand a second together, so most ' +
        'find something there and few wait). `woken` are events or answers with publications; ' +
        'those of long polls hold the next request too.',
      '`lost` is publications × viewers - deliveries of the window, which begins and ends amid them: ' +
        'near 0, either way. `gaps` are answers that had to start anew, or holes in offsets.',
    ],
    rows: rows.rows(),
  };
}

function cases({ plan }: Bench): Case[] {
  const viewers = Math.max(...plan.viewers);
  const rates = plan.quick ? RATES.slice(0, 1) : RATES;
  return WAYS.flatMap((way) => rates.map((perSecond) => ({ way, viewers, perSecond })));
}

interface Given {
  readonly server: Server;
  readonly run: number;
}

async function runCase(
  { plan, builder }: Bench,
  { way, viewers, perSecond }: Case,
  { server, run }: Given,
): Promise<Record<string, number>> {
  await openRoom(server.studio, ROOM, wideOpenFor(viewers));
  const corpus = new Corpus(plan.seed + run);
  const emptyRss = server.usage().rssBytes;
  const load = new ViewerLoad(builder, {
    ...{ port: server.edgePort, room: ROOM, viewers, addresses: viewers, rate: JOINS_PER_SECOND },
    path: `/v1/rooms/${ROOM}/${way === 'events' ? 'events' : 'publications'}`,
    http: way === 'events' ? 'events' : 'poll',
    isHeeding: way === 'poll as advised',
  });
  let poster = new Poster(server.studio, ROOM, corpus, WARM_PER_SECOND);
  try {
    await load.ready(JOIN_MS_MAX);
    await sleep(WARM_MS);
    await poster.stop();
    const joinedRss = server.usage().rssBytes;
    poster = new Poster(server.studio, ROOM, corpus, perSecond);
    await sleep(plan.warmupSeconds * 1000);
    const before = published(poster);
    const window = await measure(server, load, plan.seconds);
    const { counts, seconds } = window;
    const expected = (published(poster) - before) * viewers;
    const woken = perCpuSecond(counts.flushes, window);
    return {
      deliveriesPerSecond: counts.deliveries / seconds,
      wokenPerSecond: counts.flushes / seconds,
      bytesPerSecond: counts.bytes / seconds,
      cpuUsPerWoken: woken > 0 ? 1e6 / woken : 0,
      p50Ms: counts.latencyMs.p50,
      p99Ms: counts.latencyMs.p99,
      maxMs: counts.latencyMs.max,
      serverBusy: window.serverBusy,
      loadBusy: window.loadBusy,
      rssPerViewer: (joinedRss - emptyRss) / viewers,
      lost: expected - counts.deliveries,
      gaps: counts.gaps,
      errors: counts.errors,
      unread: counts.unread,
      closed: counts.closed,
    };
  } finally {
    await poster.stop();
    await load.stop();
  }
}

function published(poster: Poster): number {
  return poster.counts().verdicts['published'] ?? 0;
}
