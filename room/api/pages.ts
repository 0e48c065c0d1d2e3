/**
 * Owns the serving of the pages in `web/` and, under `/client/`, of the SDK they use: files only,
 * under a policy that lets a page run its own scripts and connect to an edge, and nothing else.
 */
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** An edge is another origin (port or host), so connections are open while scripts are not. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self' ws: wss: http: https:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** `sdk`: the folder of the built SDK; only its scripts are served. Absent: none. */
export async function installPages(
  app: FastifyInstance,
  folder: string,
  sdk?: string,
): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply) => {
      void reply.header('content-security-policy', PAGE_POLICY);
      void reply.header('referrer-policy', 'no-referrer');
    });
    const files = { dotfiles: 'ignore', decorateReply: false } as const;
    await scope.register(fastifyStatic, {
      ...{ ...files, root: folder, prefix: '/' },
      index: ['index.html'],
      extensions: ['html'],
    });
    if (sdk === undefined) return;
    await scope.register(fastifyStatic, {
      ...{ ...files, root: sdk, prefix: '/client/', index: false },
      allowedPath: (path) => path.endsWith('.js'),
    });
  });
}
