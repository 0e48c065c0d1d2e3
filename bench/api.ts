/**
 * Owns the question of HTTP: studio posts, reads and long-poll answers under autocannon, requests
 * for a second of server CPU. The only importer of autocannon.
 */
import autocannon from 'autocannon';
import { Corpus } from './corpus.js';
import { clock, say } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom, WIDE_OPEN } from './rooms.js';
import { startService, type Server } from './service.js';

const ROOM = 'room';
const TEXTS = 200;
const KEEPABLE_BEFORE = 20;

interface Case {
  readonly request: string;
  readonly connections: number;
  readonly options: (server: Server, seed: number) => Promise<autocannon.Options>;
}

const CASES: readonly Case[] = [
  { request: 'POST droppable danmaku', connections: 32, options: postOptions('danmaku', 'normal') },
  { request: 'POST keepable (fsync)', connections: 32, options: postOptions('gift', 'high') },
  { request: 'GET room', connections: 16, options: (server) => roomOptions(server) },
  { request: 'GET poll answer', connections: 16, options: (server) => pollOptions(server) },
];

export async function measureApi(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const one of CASES) {
      say(`api run ${run}: ${one.request}`);
      const of = { request: one.request, connections: one.connections };
      rows.add(of, await runCase(bench, one, bench.plan.seed + run));
    }
  }
  return {
    question: 'api',
    title: 'Studio API and long poll over kept connections',
    notes: [
      'autocannon in the bench process on the load core; `notOk` counts answers outside ' +
        '2xx and errors.',
      'A droppable post is answered after its tick: with few connections its rate is ' +
        'bounded by the tick, not by the CPU, so read the per-CPU figure.',
      'The poll answers are those of one cursor behind the newest publication: the same ' +
        'bytes for everyone.',
    ],
    rows: rows.rows(),
  };
}

async function runCase({ plan }: Bench, one: Case, seed: number): Promise<Record<string, number>> {
  const server = await startService();
  try {
    await openRoom(server.studio, ROOM, WIDE_OPEN);
    const options = await one.options(server, seed);
    const before = server.usage().cpuSeconds;
    const began = clock.now();
    const result = await autocannon({
      ...options,
      connections: one.connections,
      duration: plan.seconds,
    });
    const cpuSeconds = server.usage().cpuSeconds - before;
    return {
      requestsPerSecond: result['2xx'] / result.duration,
      requestsPerCpuSecond: cpuSeconds > 0 ? result['2xx'] / cpuSeconds : 0,
      bytesPerSecond: result.throughput.total / result.duration,
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
      notOk: result.non2xx + result.errors + result.timeouts,
      serverBusy: cpuSeconds / ((clock.now() - began) / 1000),
    };
  } finally {
    await server.stop();
  }
}

function postOptions(kind: string, lane: string): Case['options'] {
  return async (server, seed) => {
    const corpus = new Corpus(seed);
    const requests = Array.from({ length: TEXTS }, () => ({
      method: 'POST' as const,
      path: `/v1/rooms/${ROOM}/publications`,
      body: JSON.stringify({ kind, lane, ...corpus.next() }),
    }));
    return { ...studioOptions(server), requests };
  };
}

async function roomOptions(server: Server): Promise<autocannon.Options> {
  return { ...studioOptions(server), requests: [{ path: `/v1/rooms/${ROOM}` }] };
}

/** Publishes a few keepable publications, then asks from the cursor before them. */
async function pollOptions(server: Server): Promise<autocannon.Options> {
  const corpus = new Corpus(1);
  const path = `/v1/rooms/${ROOM}/publications`;
  const edge = `http://127.0.0.1:${server.edgePort}`;
  const first = (await (await fetch(`${edge}${path}`)).json()) as { cursor?: string };
  if (typeof first.cursor !== 'string') throw new Error('the poll answered without a cursor');
  for (let i = 0; i < KEEPABLE_BEFORE; i++) {
    await server.studio.must('POST', path, { kind: 'gift', lane: 'high', ...corpus.next() });
  }
  return { url: edge, requests: [{ path: `${path}?cursor=${first.cursor}` }] };
}

function studioOptions({ studio }: Server): autocannon.Options {
  return {
    url: `http://127.0.0.1:${studio.port}`,
    headers: { authorization: `Bearer ${studio.key}`, 'content-type': 'application/json' },
  };
}
