/** A real nginx on a free port with a configuration of the test, in a temporary folder; ends by pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { findOrInstall, findOrInstallModule, type NginxModule } from './tools.js';

const START_MS = 10_000;

export class Nginx {
  readonly folder: string;
  readonly port: number;
  readonly #config: string;
  #process: ChildProcess | undefined;

  constructor(folder: string, port: number, config: string) {
    this.folder = folder;
    this.port = port;
    this.#config = config;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start(): Promise<void> {
    const program = await findOrInstall('nginx');
    const file = join(this.folder, 'nginx.conf');
    await writeFile(file, this.#config);
    const args = ['-p', this.folder, '-c', file, '-e', join(this.folder, 'error.log')];
    const started = spawn(program, [...args, '-g', 'daemon off;'], { stdio: 'ignore' });
    this.#process = started;
    const until = Date.now() + START_MS;
    while (!(await this.#answers())) {
      if (started.exitCode !== null || Date.now() > until) {
        throw new Error(`nginx did not start: ${await this.errors()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Like a crash: nothing is ended in good order. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGTERM');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  errors(): Promise<string> {
    return readFile(join(this.folder, 'error.log'), 'utf8').catch(() => '');
  }

  /** Lines of the access log. */
  async accesses(): Promise<string[]> {
    const text = await readFile(join(this.folder, 'access.log'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  async #answers(): Promise<boolean> {
    try {
      await (await fetch(new URL('healthz', this.url))).arrayBuffer();
      return true;
    } catch {
      return false;
    }
  }
}

export interface NginxPlan {
  /** Inside `http {}`; given the port and the folder. */
  readonly http: (port: number, folder: string) => string;
  readonly modules?: readonly NginxModule[];
  /** Files beside its configuration, by name: what that includes. */
  readonly beside?: Readonly<Record<string, string>>;
}

export async function prepareNginx({ http, modules = [], beside = {} }: NginxPlan): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-nginx-'));
  // Workers of a server started by root run as another user.
  await chmod(folder, 0o777);
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  // nginx first: a module alone would bring in one of another version.
  await findOrInstall('nginx');
  const loaded: string[] = [];
  for (const name of modules) loaded.push(`load_module ${await findOrInstallModule(name)};`);
  for (const [name, text] of Object.entries(beside)) await writeFile(join(folder, name), text);
  const config = `
    ${loaded.join('\n')}
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    worker_processes 1; pid ${folder}/nginx.pid;
    events { worker_connections 2048; }
    http {
      ${temporary}
      log_format short '$status $request_method $uri $upstream_cache_status';
      access_log ${folder}/access.log short;
      default_type application/octet-stream;
      types { text/plain txt jsonl; application/json json; }
      ${http(port, folder)}
    }`;
  return new Nginx(folder, port, config);
}

/** A started one that gives out the files of its folder's `cdn` to pages of any origin. */
export async function startFileNginx(): Promise<Nginx> {
  const nginx = await prepareNginx({
    http: (port, folder) => `server {
      listen 127.0.0.1:${port};
      root ${folder}/cdn;
      add_header Access-Control-Allow-Origin * always;
      location = /healthz { return 200 ok; }
    }`,
  });
  await nginx.start();
  return nginx;
}
