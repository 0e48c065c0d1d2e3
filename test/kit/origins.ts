/** Servers that origins are tried against: nginx with DAV, one that honours If-Match, one of S3. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareNginx, type Nginx } from './nginx.js';

/** nginx that takes files by DAV, PROPFIND included; no condition of a write is heard. */
export function davNginx(): Promise<Nginx> {
  return prepareNginx({
    modules: ['ngx_http_dav_ext_module.so'],
    http: (port, folder) => `server {
      listen 127.0.0.1:${port};
      root ${folder}/files;
      client_max_body_size 16m;
      location = /healthz { return 204; }
      location / {
        dav_methods PUT DELETE; dav_ext_methods PROPFIND; create_full_put_path on;
        gzip_static on;
      }
    }`,
  });
}

export interface Served {
  readonly url: string;
  stop(): Promise<void>;
}

/** A small object server that honours If-Match and If-None-Match, as object gateways do. */
export async function conditionalServer(): Promise<Served> {
  const files = new Map<string, { body: Buffer; tag: string }>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(files, request, response, Buffer.concat(chunks)));
  });
  return serve(server);
}

function answer(
  files: Map<string, { body: Buffer; tag: string }>,
  { method, url = '', headers }: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): void {
  const current = files.get(url);
  if (method === 'PUT') {
    const ifMatch = headers['if-match'];
    const isOff =
      (ifMatch !== undefined && ifMatch !== current?.tag) ||
      (headers['if-none-match'] === '*' && current !== undefined);
    if (isOff) return void response.writeHead(412).end();
    const tag = `"${createHash('sha256').update(body).digest('hex')}"`;
    files.set(url, { body, tag });
    return void response.writeHead(201, { etag: tag }).end();
  }
  if (method === 'DELETE') return void response.writeHead(files.delete(url) ? 204 : 404).end();
  if (method !== 'GET') return void response.writeHead(405).end();
  if (current === undefined) return void response.writeHead(404).end();
  response.writeHead(200, { etag: current.tag }).end(current.body);
}

async function serve(server: Server): Promise<Served> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A bucket named `danmaku` on a server that speaks S3. */
export async function s3Server(): Promise<Served> {
  const { default: S3rver } = await import('s3rver');
  const directory = await mkdtemp(join(tmpdir(), 'barrage-s3-'));
  const configureBuckets = [{ name: 'danmaku', configs: [] }];
  const options = { address: '127.0.0.1', port: 0, silent: true, directory, configureBuckets };
  const server = new S3rver(options);
  const { port } = (await server.run()) as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
