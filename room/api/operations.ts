/** Owns the routes for operators and pages that need no key: health, readiness, metrics, openapi. */
import { Type } from '@sinclair/typebox';
import type { Exposition } from '../../src/adapters/prometheus.js';
import { route, type Route } from './route.js';
import * as S from './schemas.js';

export interface OperationParts {
  readonly ready: () => { ready: boolean; reasons: readonly string[] };
  readonly exposition: Exposition;
  readonly viewerPort: () => number;
  /** The description of all routes; asked for at the first call. */
  readonly describe: () => { readonly openapi?: string };
}

const group = 'operations';
const open = true;
const reach = 'here';

export function operationRoutes(parts: OperationParts): Route[] {
  return [healthRoute(), readyRoute(parts), ...describingRoutes(parts)];
}

function healthRoute(): Route {
  return route({
    method: 'GET',
    url: '/healthz',
    group,
    open,
    reach,
    summary: 'Whether the process answers',
    status: 200,
    answer: S.HealthAnswer,
    run: async () => ({ status: 'ok' as const }),
  });
}

function readyRoute(parts: OperationParts): Route {
  return route({
    method: 'GET',
    url: '/readyz',
    group,
    open,
    reach,
    summary: 'Whether the service can do its work; 503 with the reasons when not',
    status: 200,
    answer: S.ReadyAnswer,
    otherAnswers: { 503: S.ReadyAnswer },
    run: async ({ reply }) => {
      const { ready, reasons } = parts.ready();
      if (!ready) void reply.status(503).header('retry-after', 1);
      return { ready, reasons };
    },
  });
}

function describingRoutes(parts: OperationParts): Route[] {
  return [
    route({
      method: 'GET',
      url: '/metrics',
      group,
      open,
      reach,
      summary: 'Counters, gauges and histograms in the Prometheus text format',
      status: 200,
      answer: Type.String(),
      produces: 'text/plain',
      run: async ({ reply }) => {
        void reply.type(parts.exposition.contentType);
        return parts.exposition.render();
      },
    }),
    route({
      method: 'GET',
      url: '/openapi.json',
      group,
      open,
      reach,
      summary: 'This description (OpenAPI 3.1)',
      status: 200,
      answer: Type.Object(
        { openapi: Type.Optional(Type.String()) },
        { additionalProperties: true },
      ),
      run: async () => parts.describe(),
    }),
    route({
      method: 'GET',
      url: '/page.json',
      group,
      open,
      reach,
      summary: 'What the pages need to know',
      status: 200,
      answer: S.PageAnswer,
      run: async () => ({ viewerPort: parts.viewerPort() }),
    }),
  ];
}
