/**
 * Owns the question of dispatch: plain calls, calls of rooms small and hot, and calls with a token,
 * under autocannon, for a second of server CPU, with one edge and with many.
 */
import { spawn } from 'node:child_process';
import autocannon from 'autocannon';
import { clock, freePort, say, until } from './kit.js';
import { pinned, SERVER_CORE, usageOf } from './machine.js';
import { Rows, type Bench, type Plan, type Table } from './plan.js';
import { nodeArguments } from './service.js';

const KEY = 'bench-key-0123456789abcdef';
const ROOMS = 1000;
const HOT_VIEWERS = 500_000;
const CONNECTIONS = 32;
const READY_MS = 10_000;
const EDGES = [1, 100, 1000];

interface Case {
  readonly call: string;
  readonly paths: () => string[];
  readonly keyed?: true;
}

const CASES: readonly Case[] = [
  { call: 'any edge', paths: () => ['/v1/dispatch'] },
  { call: '1,000 small rooms', paths: () => rooms((i) => `room=room-${i}`) },
  { call: 'one room of 500,000', paths: () => ['/v1/dispatch?room=hot'] },
  { call: 'with a token', paths: () => rooms((i) => `room=room-1&user=user-${i}`), keyed: true },
];

function rooms(query: (i: number) => string): string[] {
  return Array.from({ length: ROOMS }, (_, i) => `/v1/dispatch?${query(i)}`);
}

export async function measureDispatch(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const edges of EDGES) {
      for (const one of CASES) {
        say(`dispatch run ${run}: ${edges} edges, ${one.call}`);
        rows.add({ edges, call: one.call }, await runCase(one, edges, bench.plan));
      }
    }
  }
  return {
    question: 'dispatch',
    title: 'Handing out edges over kept connections',
    notes: [
      `autocannon in the bench process on the load core, ${CONNECTIONS} connections; \`notOk\` ` +
        'counts answers outside 2xx and errors.',
      'The server also takes four reports a second of every edge; their cost is in the CPU figure.',
    ],
    rows: rows.rows(),
  };
}

async function runCase(one: Case, edges: number, plan: Plan): Promise<Record<string, number>> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const hot = one.call.includes('500,000') ? HOT_VIEWERS : 0;
  const counts = [port, edges, hot].map(String);
  const args = nodeArguments('bench/dispatch-server.js', ...counts);
  const [file, ...rest] = pinned(SERVER_CORE, process.execPath, args) as [string, ...string[]];
  const child = spawn(file, rest, { stdio: 'ignore' });
  try {
    const ready = () => fetch(`${url}/readyz`).then(({ status }) => status === 200);
    await until(() => ready().catch(() => false), 'the dispatch server', READY_MS);
    const headers = one.keyed === true ? { authorization: `Bearer ${KEY}` } : {};
    const requests = one.paths().map((path) => ({ path }));
    const load = { url, headers, requests, connections: CONNECTIONS };
    await autocannon({ ...load, duration: plan.warmupSeconds });
    const before = usageOf(child.pid!).cpuSeconds;
    const began = clock.now();
    const result = await autocannon({ ...load, duration: plan.seconds });
    const cpuSeconds = usageOf(child.pid!).cpuSeconds - before;
    return {
      requestsPerSecond: result['2xx'] / result.duration,
      requestsPerCpuSecond: cpuSeconds > 0 ? result['2xx'] / cpuSeconds : 0,
      p50Ms: result.latency.p50,
      p99Ms: result.latency.p99,
      notOk: result.non2xx + result.errors + result.timeouts,
      serverBusy: cpuSeconds / ((clock.now() - began) / 1000),
    };
  } finally {
    child.kill('SIGTERM');
  }
}
