/** Owns the description of the API (OpenAPI 3.1) and its page under /docs, which works offline. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { WEBHOOKS } from './webhooks.js';

/** Swagger UI writes style attributes; nothing else may be inline and nothing comes from outside. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Must be registered before the routes it describes. */
export async function installDocs(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Barrage: studio and operations API',
        version: '1.0.0',
        description:
          'Live-stream chatroom and danmaku broadcast. Every call needs an API key but those marked ' +
          'open. Errors are `{"error": {"code", "message", "requestId", …}}`; 429 and 503 carry ' +
          '`Retry-After`. Times are Unix milliseconds.',
      },
      // The package's types of a description are older than OpenAPI 3.1.
      ...({ webhooks: WEBHOOKS } as object),
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An API key' },
          header: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      security: [{ bearer: [] }, { header: [] }],
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    theme: { title: 'Barrage API' },
    uiConfig: { deepLinking: true, validatorUrl: null, layout: 'BaseLayout' },
  });
}
