/**
 * Owns the question of polling: answers of a cursor that was answered before, beside a static file of
 * the same size from nginx with one worker, asked by the same load program in turn.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { clock, freePort, nowUs, say, sleep, until } from './kit.js';
import { pinned, SERVER_CORE, usageOf } from './machine.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom } from './rooms.js';
import { startService, type Server } from './service.js';

const ROOM = 'room';
const CONNECTIONS = 64;
const PIPELINING = 1;
const PUBLICATIONS = 5;

export async function measurePoll(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    say(`poll run ${run}`);
    const server = await startService();
    try {
      await openRoom(server.studio, ROOM);
      const { path, body } = await knownPoll(server);
      const ours = await askMany(server.edgePort, path, server.pid, bench.plan.seconds);
      const peer = await askNginx(body, bench.plan.seconds);
      rows.add(
        { bytes: body.length },
        {
          answersPerCpuSecond: ours.perCpuSecond,
          answersPerSecond: ours.perSecond,
          ...(peer === undefined ? {} : { nginxPerCpuSecond: peer.perCpuSecond }),
          ...(peer === undefined ? {} : { ratio: ours.perCpuSecond / peer.perCpuSecond }),
          failed: ours.failed,
          p99Ms: ours.p99Ms,
        },
      );
    } finally {
      await server.stop();
    }
  }
  return {
    question: 'poll',
    title: 'Polling: a cursor that was answered before, beside nginx with a static file',
    notes: [
      `${CONNECTIONS} connections that stay open, one request at a time each; nginx has one worker, ` +
        'sendfile and keepalive on, its log off. `ratio` is ours to its, for server CPU-second.',
    ],
    rows: rows.rows(),
  };
}

/** Polls once from the start of the stream, so that the cursor's answer is made, and tells it. */
async function knownPoll(server: Server): Promise<{ path: string; body: string }> {
  const base = `http://127.0.0.1:${server.edgePort}/v1/rooms/${ROOM}/publications`;
  const first = (await (await fetch(base)).json()) as { cursor: string };
  for (let i = 0; i < PUBLICATIONS; i++) {
    const said = { kind: 'notice', lane: 'control', text: `to whom it may concern: ${i}` };
    await server.studio.must('POST', `/v1/rooms/${ROOM}/publications`, said);
  }
  const path = `/v1/rooms/${ROOM}/publications?cursor=${first.cursor}`;
  let body = '';
  await until(
    async () => {
      body = await (await fetch(`${base}?cursor=${first.cursor}`)).text();
      return body.split('to whom').length > PUBLICATIONS;
    },
    'the publications to be polled',
    5000,
  );
  return { path, body };
}

interface Asked {
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly failed: number;
  readonly p99Ms: number;
}

async function askMany(port: number, path: string, pid: number, seconds: number): Promise<Asked> {
  const url = `http://127.0.0.1:${port}${path}`;
  const before = usageOf(pid).cpuSeconds;
  const began = nowUs();
  const result = await autocannon({
    ...{ url, connections: CONNECTIONS, pipelining: PIPELINING, duration: seconds },
  });
  const cpuSeconds = usageOf(pid).cpuSeconds - before;
  const wallSeconds = (nowUs() - began) / 1e6;
  const { total } = result.requests;
  return {
    perCpuSecond: cpuSeconds > 0 ? total / cpuSeconds : 0,
    perSecond: total / wallSeconds,
    failed: result.non2xx + result.errors,
    p99Ms: result.latency.p99,
  };
}

/** Undefined where there is no nginx. */
async function askNginx(body: string, seconds: number): Promise<Asked | undefined> {
  const program = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((path) => existsSync(path));
  if (program === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'barrage-nginx-'));
  const port = await freePort();
  writeFileSync(join(folder, 'answer.json'), body);
  writeFileSync(join(folder, 'nginx.conf'), nginxText(folder, port));
  const [file, ...args] = pinned(SERVER_CORE, program, ['-p', folder, '-c', 'nginx.conf']);
  const child = spawn(file!, args, { stdio: 'ignore' });
  try {
    const answers = () => fetch(`http://127.0.0.1:${port}/answer.json`).then(({ ok }) => ok);
    await until(() => answers().catch(() => false), 'nginx', 5000);
    return await askMany(port, '/answer.json', workerOf(child), seconds);
  } finally {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

function nginxText(folder: string, port: number): string {
  return [
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;`,
    'user root;',
    'events { worker_connections 1024; }',
    'http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;',
    '  types { application/json json; }',
    `  server { listen 127.0.0.1:${port}; root ${folder}; open_file_cache max=10;`,
    '    add_header cache-control no-store; } }',
    '',
  ].join('\n');
}

/** The process that does the work: the only child of the master. */
function workerOf({ pid = 0 }: ChildProcess): number {
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      if (Number(parent) === pid) return Number(name);
    } catch {
      // Ended meanwhile.
    }
  }
  throw new Error('nginx has no worker');
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  const end = clock.now() + 5000;
  while (child.exitCode === null && child.signalCode === null && clock.now() < end) await sleep(20);
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
