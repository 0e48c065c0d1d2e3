/**
 * Owns the web servers of the CDN bench: one nginx that serves the pusher's folder and another in front
 * of it that caches, both by deploy/nginx-cdn.conf. Knows no viewers and no pusher.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, say, sleep, until } from './kit.js';
import { LOAD_CORE, pinned, SERVER_CORE, usageOf } from './machine.js';
import { findProgram } from './programs.js';
import { projectFolder } from './service.js';

const START_MS = 10_000;
const END_MS = 5000;

export interface Site {
  /** Where viewers ask. */
  readonly port: number;
  /** What the origin serves. */
  readonly folder: string;
  /** Requests the origin has had. */
  originRequests(): number;
  /** User and system time of all processes of the cache so far. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Rejects when nginx is missing or does not start. */
export async function startSite(): Promise<Site> {
  const program = findProgram(['nginx']);
  if (program === undefined) throw new Error('nginx is not installed');
  const base = mkdtempSync(join(tmpdir(), 'barrage-bench-cdn-'));
  chmodSync(base, 0o777);
  const [port, origin] = [await freePort(), await freePort()];
  // Both run the whole configuration; the half that is not asked listens aside.
  const [aside, asideToo] = [await freePort(), await freePort()];
  const folder = join(base, 'files');
  const log = join(base, 'origin.log');
  const servers = [
    start(program, LOAD_CORE, join(base, 'origin'), {
      ...{ origin, cache: aside, asked: origin },
      ...{ root: `root ${folder}; access_log ${log};` },
    }),
    start(program, SERVER_CORE, join(base, 'cache'), {
      ...{ origin: asideToo, cache: port, asked: origin },
      ...{ root: `root ${folder};` },
    }),
  ];
  const answers = (at: number) => () =>
    fetch(`http://127.0.0.1:${at}/`).then(
      () => true,
      () => false,
    );
  const stop = async () => {
    await Promise.all(servers.map(end));
    rmSync(base, { recursive: true, force: true });
  };
  try {
    await until(answers(origin), 'nginx as origin', START_MS);
    await until(answers(port), 'nginx as cache', START_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ port, folder, stop },
    originRequests: () => readFileSync(log, 'utf8').split('\n').length - 1,
    cpuSeconds: () => usageOfAll(servers[1]!.pid!),
  };
}

interface Ports {
  readonly origin: number;
  readonly cache: number;
  /** The origin the cache asks. */
  readonly asked: number;
  readonly root: string;
}

function start(program: string, core: number, base: string, of: Ports): ChildProcess {
  mkdirSync(base);
  const site = readFileSync(join(projectFolder, 'deploy/nginx-cdn.conf'), 'utf8')
    .replaceAll('proxy_pass http://127.0.0.1:8090', `proxy_pass http://127.0.0.1:${of.asked}`)
    .replaceAll('listen 127.0.0.1:8090', `listen 127.0.0.1:${of.origin}`)
    .replace('listen 8091', `listen 127.0.0.1:${of.cache}`)
    .replace('root cdn;', of.root)
    .replaceAll(/^.*dav_.*$|^.*create_full_put_path.*$/gm, '');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${base}/${name};`,
  );
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const config = `${user} worker_processes 1; pid ${base}/nginx.pid; daemon off;
    worker_rlimit_nofile 20000;
    events { worker_connections 16000; }
    http { access_log off; keepalive_requests 100000000; ${temporary.join(' ')} ${site} }`;
  const file = join(base, 'nginx.conf');
  writeFileSync(file, config);
  const args = ['-p', base, '-c', file, '-e', join(base, 'error.log')];
  const [command, ...rest] = pinned(core, program, args) as [string, ...string[]];
  const nginx = spawn(command, rest, { stdio: 'ignore' });
  nginx.on('error', (error) => say(`nginx: ${error.message}`));
  return nginx;
}

async function end(nginx: ChildProcess): Promise<void> {
  if (nginx.exitCode !== null) return;
  const ended = once(nginx, 'exit');
  nginx.kill('SIGTERM');
  await Promise.race([ended, sleep(END_MS)]);
  if (nginx.exitCode === null) nginx.kill('SIGKILL');
}

function usageOfAll(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const all = [pid, ...children.split(' ').filter(Boolean).map(Number)];
  return all.reduce((sum, each) => sum + usageOf(each).cpuSeconds, 0);
}
