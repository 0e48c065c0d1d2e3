/**
 * Owns the serving of the pages in `web/`: files only, under a policy that lets a page run its own
 * scripts and connect to an edge, and nothing else.
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

export async function installPages(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onSend', async (_request, reply) => {
      void reply.header('content-security-policy', PAGE_POLICY);
      void reply.header('referrer-policy', 'no-referrer');
    });
    await scope.register(fastifyStatic, {
      root: folder,
      prefix: '/',
      dotfiles: 'ignore',
      index: ['index.html'],
      extensions: ['html'],
      decorateReply: false,
    });
  });
}
