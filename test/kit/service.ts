/**
 * Runs the built service (`dist/barrage.js all`) as its own process, as an operator would: own data
 * folder, free ports, its log read line by line. Can be killed and started again on the same data.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens, type TokenRequest } from '../../src/tokens.js';
import { parseJson, startBarrage } from './barrage-process.js';

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
  const running = await startBarrage('all', configFile, configOf(folder, options));
  const viewerPort = Number(running.ready['viewerPort']);
  const studioPort = Number(running.ready['studioPort']);
  const tokens = new Tokens([TOKEN_KEY], 'barrage');
  return {
    ...{ viewerPort, studioPort },
    apiKey: API_KEY,
    folder,
    configFile,
    pid: running.pid,
    log: running.log,
    token: (user, rooms = ['lobby'], more = {}) =>
      tokens.issue({ user, rooms, ttlMs: 3_600_000, ...more }, Date.now()),
    studio: (method, path, body, headers) =>
      callStudio(studioPort, { method, path, body, headers }),
    stop: async (keep = false) => {
      const code = await running.stop();
      if (!keep) await rm(folder, { recursive: true, force: true });
      return code;
    },
    kill: () => running.kill(),
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

/** Calls the studio API at the port with the kit's key. */
export async function callStudio(
  port: number,
  request: { method: string; path: string; body?: unknown; headers?: object | undefined },
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
  return { status: answer.status, headers: answer.headers, body: parseJson(text) ?? text };
}
