/**
 * Owns the small HTTP server of processes without the studio API: health, readiness, metrics. Knows
 * no service; whether the process is ready is asked of whoever started it.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BarrageError } from '../errors.js';
import type { Metrics } from '../telemetry/meter.js';
import { prometheusExposition } from './prometheus.js';

export interface OperationsOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

export interface OperationsParts {
  readonly meter: Metrics;
  /** Run before the metrics are shown: fetches what others counted. Must not reject. */
  readonly refresh?: () => Promise<void>;
  /** No reasons: the process can do its work. */
  readonly reasons: () => readonly string[];
}

export interface OperationsServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Request heads are small and come at once. */
const REQUEST_MS = 5000;
const CONNECTIONS_MAX = 100;

/** Rejects with BarrageError `port_in_use` or `config`. */
export async function startOperations(
  { host, port }: OperationsOptions,
  parts: OperationsParts,
): Promise<OperationsServer> {
  const exposition = prometheusExposition(parts.meter);
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return answer(response, 405, { error: { code: 'invalid', message: 'only GET is served' } });
    }
    if (path === '/healthz') return answer(response, 200, { status: 'ok' });
    if (path === '/readyz') {
      const reasons = parts.reasons();
      const ready = reasons.length === 0;
      return answer(response, ready ? 200 : 503, { ready, reasons });
    }
    if (path !== '/metrics') {
      return answer(response, 404, { error: { code: 'not_found', message: 'nothing is here' } });
    }
    const refreshed = parts.refresh?.() ?? Promise.resolve();
    refreshed.then(exposition.render).then(
      (text) => response.writeHead(200, { 'content-type': exposition.contentType }).end(text),
      () => answer(response, 500, { error: { code: 'internal', message: 'metrics failed' } }),
    );
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (status === 503) headers['retry-after'] = '1';
  response.writeHead(status, headers).end(JSON.stringify(body));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE';
      const what = inUse ? 'is in use by another process' : `cannot be listened on (${cause.code})`;
      const told = { field: 'studio.port', cause };
      reject(new BarrageError(inUse ? 'port_in_use' : 'config', `${host}:${port} ${what}`, told));
    });
    server.listen({ host, port }, resolve);
  });
}
