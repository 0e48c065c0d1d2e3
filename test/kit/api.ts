/** The studio API on a free port over rooms in memory, with its pages in a temporary folder. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoomCalls } from '../../room/calls/calls.js';
import {
  startApi,
  type ApiKey,
  type ApiOptions,
  type ClusterParts,
  type RunningApi,
} from '../../room/api/main.js';
import type { RunningDispatch } from '../../room/dispatch/main.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { silentLog, type Log, type LogFields } from '../../src/ports/log.js';
import { Meter } from '../../src/telemetry/meter.js';
import { Tokens } from '../../src/tokens.js';
import { CallsDouble } from './calls-double.js';

export const KEY: ApiKey = { id: 'studio', secret: 'studio-secret-0123456789abcdef' };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // The shape is what each test is about.
  readonly body: any;
}

export interface ApiKit {
  readonly api: RunningApi;
  readonly url: string;
  readonly calls: CallsDouble;
  readonly meter: Meter;
  readonly tokens: Tokens;
  /** Lines logged as errors. */
  readonly errors: { text: string; fields: LogFields | undefined }[];
  keys: readonly ApiKey[];
  readiness: { ready: boolean; reasons: readonly string[] };
  /** Calls with the key; a body that is no text goes as JSON. */
  call(method: string, path: string, body?: unknown, headers?: object): Promise<Answer>;
  /** Stops the API, removes the folder. */
  end(): Promise<void>;
}

/** `rooms` puts others in the place of those in memory; `calls` is idle then. */
export async function startApiKit(
  options: Partial<ApiOptions> = {},
  rooms: {
    readonly calls?: RoomCalls;
    readonly meter?: Meter;
    readonly cluster?: ClusterParts;
    readonly dispatch?: RunningDispatch;
  } = {},
): Promise<ApiKit> {
  const webFolder = await mkdtemp(join(tmpdir(), 'barrage-web-'));
  await writeFile(join(webFolder, 'index.html'), '<!doctype html><title>Barrage</title>');
  await writeFile(join(webFolder, 'studio.html'), '<!doctype html><title>Studio</title>');
  await writeFile(join(webFolder, '.hidden'), 'not to be served');
  const calls = new CallsDouble();
  const meter = rooms.meter ?? new Meter();
  const tokens = new Tokens([{ kid: 'k1', secret: 'x'.repeat(32) }], 'barrage');
  const errors: ApiKit['errors'] = [];
  const log: Log = { ...silentLog, error: (text, fields) => void errors.push({ text, fields }) };
  const api = await startApi(
    {
      ...{ host: '127.0.0.1', port: 0, webFolder, viewerPort: () => 8080 },
      ...{ tokenTtlMs: 3_600_000, ...options },
    },
    {
      ...{ calls: rooms.calls ?? calls, tokens: () => tokens, keys: () => kit.keys, meter, log },
      ...{ clock: new SystemClock(), ready: () => kit.readiness },
      ...(rooms.cluster && { cluster: rooms.cluster }),
      ...(rooms.dispatch && { dispatch: rooms.dispatch }),
    },
  );
  const url = `http://127.0.0.1:${api.port}`;
  const kit: ApiKit = {
    ...{ api, url, calls, meter, tokens, errors, keys: [KEY] },
    readiness: { ready: true, reasons: [] },
    call: (method, path, body, headers) =>
      request(`${url}${path}`, { method, body, headers: { ...bearer(), ...headers } }),
    end: async () => {
      await api.stop();
      await rm(webFolder, { recursive: true, force: true });
    },
  };
  return kit;
}

export function bearer(secret = KEY.secret): Record<string, string> {
  return { authorization: `Bearer ${secret}` };
}

/** One call without a key of its own; the answer's JSON, or its text when it is none. */
export async function request(
  url: string,
  options: { method: string; body?: unknown; headers?: Record<string, string> },
): Promise<Answer> {
  const { method, body } = options;
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const answer = await fetch(url, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await answer.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Pages and metrics are no JSON.
  }
  return { status: answer.status, headers: answer.headers, body: parsed };
}
