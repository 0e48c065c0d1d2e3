/**
 * Owns the question of fan-out: one room, many viewers, steady publications; deliveries, frames and
 * bytes for a second of server CPU, and how late they are. Service and yardstick run in turn.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { Poster } from './poster.js';
import { openRoom, WIDE_OPEN } from './rooms.js';
import { startRawUws, startService, type Server } from './service.js';
import { ViewerLoad, type Format } from './viewer-load.js';
import { measure, perCpuSecond, type Window } from './window.js';

interface Case {
  readonly server: 'barrage' | 'raw-uws';
  readonly format: Format;
  readonly viewers: number;
  readonly perSecond: number;
}

const ROOM = 'room';
const JOIN_MS_MAX = 60_000;

export async function measureFanOut(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const one of cases(bench)) {
      say(`fanout run ${run}: ${one.server} ${one.format} ${one.viewers} × ${one.perSecond}/s`);
      rows.add({ ...one }, await runCase(bench, one, run));
    }
  }
  addRatios(rows);
  return {
    question: 'fanout',
    title: 'Fan-out: one room, steady danmaku to every viewer',
    notes: [
      'Danmaku are posted to the studio API in batches every 20 ms; latency runs from ' +
        'the post to the viewer that read it, so it holds the HTTP call and the tick.',
      'A delivery is one publication read by one viewer; a flush is one WebSocket ' +
        'payload with frames; bytes are all bytes the viewers read.',
      'raw-uws is bench/peers/raw-uws: the same posts as one frame every 100 ms, with ' +
        'nothing a chatroom needs. `ratio` divides deliveries per server CPU-second by ' +
        'those of raw-uws in the same run.',
      'The room is set so that nothing is sampled (budget 10,000/s, no audience table); ' +
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
  return plan.viewers.flatMap((viewers) =>
    plan.rates.flatMap((perSecond) => kinds.map((kind) => ({ ...kind, viewers, perSecond }))),
  );
}

async function runCase(bench: Bench, one: Case, run: number): Promise<Record<string, number>> {
  const server = one.server === 'barrage' ? await startService() : await startRawUws();
  try {
    if (one.server === 'barrage') await openRoom(server.studio, ROOM, WIDE_OPEN);
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
  const load = new ViewerLoad(builder, {
    port: server.edgePort,
    path: server.path(ROOM),
    room: ROOM,
    viewers: one.viewers,
    format: one.format,
  });
  try {
    await load.ready(JOIN_MS_MAX);
    await sleep(1000);
    const joinedRss = server.usage().rssBytes;
    const poster = new Poster(server.studio, ROOM, new Corpus(seed), one.perSecond);
    await sleep(plan.warmupSeconds * 1000);
    const posted = poster.counts();
    const window = await measure(server, load, plan.seconds);
    const accepted = acceptedOf(poster.counts().verdicts) - acceptedOf(posted.verdicts);
    const end = await poster.stop();
    if (end.failed > 0) say(`  ${end.failed} batches failed: ${end.reason}`);
    return {
      ...figures(window),
      delivered: window.counts.deliveries / Math.max(1, accepted * one.viewers),
      notPosted: end.late,
      rssPerViewer: (joinedRss - emptyRss) / one.viewers,
    };
  } finally {
    await load.stop();
  }
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

/** Adds `ratio` to each service row: run by run against the yardstick at the same load. */
function addRatios(rows: Rows): void {
  const all = rows.rows();
  for (const row of all) {
    if (row.case['server'] !== 'barrage') continue;
    const yardstick = all.find(
      ({ case: of }) =>
        of['server'] === 'raw-uws' &&
        of['viewers'] === row.case['viewers'] &&
        of['perSecond'] === row.case['perSecond'],
    );
    const theirs = yardstick?.values['deliveriesPerCpuSecond'] ?? [];
    (row.values['deliveriesPerCpuSecond'] ?? []).forEach((ours, run) => {
      const their = theirs[run] ?? 0;
      rows.add(row.case, { ratio: their > 0 ? ours / their : 0 });
    });
  }
}
