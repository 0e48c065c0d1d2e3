/**
 * Runs the built service (`dist/barrage.js all`) as its own process, as an operator would: own data
 * folder, free ports, its log read line by line. Can be killed and started again on the same data.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Tokens, type TokenRequest } from '../../src/tokens.js';

const PROGRAM = fileURLToPath(new URL('../../dist/barrage.js', import.meta.url));
const READY_MS = 15_000;
const STOP_MS = 15_000;
export const API_KEY = 'kit-key-0123456789abcdef0123456789abcdef';
export const TOKEN_KEY = { kid: 'kit', secret: 'kit-secret-0123456789abcdef0123456789' };

export interface ServiceOptions {
  /** Keeps the data folder of an earlier run. */
  readonly folder?: string;
  readonly viewerPort?: number;
  readonly studioPort?: number;
  /** Merged over the kit's own configuration, section by section. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface Service {
  readonly viewerPort: number;
  readonly studioPort: number;
  readonly apiKey: string;
  readonly folder: string;
  readonly configFile: string;
  readonly pid: number;
  /** Lines of the log so far. */
  readonly log: readonly string[];
  /** A viewer token, an hour long, for `lobby` unless said otherwise. */
  token(user: string, rooms?: readonly string[], more?: Partial<TokenRequest>): string;
  /** Calls the studio API with the key; the answer's JSON, undefined when it has none. */
  studio(method: string, path: string, body?: unknown, headers?: object): Promise<StudioAnswer>;
  /** Ends by SIGTERM and removes the folder unless `keep`. */
  stop(keep?: boolean): Promise<number | null>;
  /** Ends by SIGKILL, keeping the folder. */
  kill(): Promise<void>;
}

export interface StudioAnswer {
  readonly status: number;
  readonly headers: Headers;
  // The shape is what the test is about.
  readonly body: any;
}

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'barrage-service-')));
  const configFile = join(folder, 'barrage.yaml');
  await writeFile(configFile, stringify(configOf(folder, options)));
  const child = spawn(process.execPath, [PROGRAM, 'all', '--config', configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const log: string[] = [];
  const ports = await ready(child, log);
  const tokens = new Tokens([TOKEN_KEY], 'barrage');
  return {
    ...ports,
    apiKey: API_KEY,
    folder,
    configFile,
    pid: child.pid!,
    log,
    token: (user, rooms = ['lobby'], more = {}) =>
      tokens.issue({ user, rooms, ttlMs: 3_600_000, ...more }, Date.now()),
    studio: (method, path, body, headers) =>
      call(ports.studioPort, { method, path, body, headers }),
    stop: (keep = false) => stop(child, keep ? undefined : folder),
    kill: async () => {
      await end(child, 'SIGKILL');
    },
  };
}

function configOf(folder: string, options: ServiceOptions): Record<string, unknown> {
  const base: Record<string, Record<string, unknown>> = {
    edge: { host: '127.0.0.1', port: options.viewerPort ?? 0 },
    studio: {
      host: '127.0.0.1',
      port: options.studioPort ?? 0,
      keys: [{ id: 'kit', secret: API_KEY }],
    },
    tokens: { keys: [TOKEN_KEY] },
    data: { folder: join(folder, 'data') },
    drain: { window: '200ms' },
  };
  for (const [section, values] of Object.entries(options.config ?? {})) {
    base[section] = { ...base[section], ...values };
  }
  return base;
}

/** The ports, read from the log line that says the service is ready. */
function ready(
  child: ChildProcess,
  log: string[],
): Promise<{ viewerPort: number; studioPort: number }> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${why}\n${log.slice(-20).join('\n')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('the service was not ready in time');
    }, READY_MS);
    const read = (line: string) => {
      log.push(line);
      const entry = parse(line);
      if (entry?.['msg'] !== 'ready') return;
      clearTimeout(timer);
      resolve({
        viewerPort: Number(entry['viewerPort']),
        studioPort: Number(entry['studioPort']),
      });
    };
    createInterface({ input: child.stdout! }).on('line', read);
    createInterface({ input: child.stderr! }).on('line', (line) => log.push(line));
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`the service ended with ${code} before it was ready`);
    });
  });
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

async function call(
  port: number,
  request: { method: string; path: string; body: unknown; headers: object | undefined },
): Promise<StudioAnswer> {
  const answer = await fetch(`http://127.0.0.1:${port}${request.path}`, {
    method: request.method,
    headers: {
      authorization: `Bearer ${API_KEY}`,
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: parse(text) ?? text };
}

async function stop(child: ChildProcess, folder: string | undefined): Promise<number | null> {
  const code = await end(child, 'SIGTERM');
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  return code;
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the service did not end ${STOP_MS} ms after ${signal}`));
    }, STOP_MS);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
    child.kill(signal);
  });
}
