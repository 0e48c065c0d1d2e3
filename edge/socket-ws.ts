/**
 * Owns the adapter of port ViewerServer over Node's http server and `ws`: where the native socket
 * library has no binary. Compression is off: frames come compressed. Sends are in ws-socket.ts.
 */
import {
  createServer,
  ServerResponse,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { BarrageError } from '../src/errors.js';
import type {
  Handshake,
  HttpReply,
  HttpRequest,
  ListenViewers,
  ViewerServer,
  ViewerServerHandlers,
  ViewerServerOptions,
} from './viewer-server.js';
import { WsExchange } from './ws-exchange.js';
import { wrappers, type Wrappers } from './ws-frames.js';
import { guard, WsSocket, type Accepted } from './ws-socket.js';

/** As with the other library. */
const HEADER_BYTES_MAX = 16 << 10;
/** How long the other side may take to answer a close before the connection is cut. */
const CLOSE_MS = 5000;
const BACKLOG = 4096;

interface Serving {
  readonly options: ViewerServerOptions;
  readonly handlers: ViewerServerHandlers;
  readonly wrappers: Wrappers;
  readonly shaker: WebSocketServer;
  /** Subprotocols chosen for handshakes under way. */
  readonly chosen: WeakMap<IncomingMessage, string>;
  /** Every connection, upgraded or not. */
  readonly open: Set<Socket>;
  readonly sockets: Set<WsSocket>;
}

/** Listens on a port of its own; see `ListenViewers`. */
export const listenWs: ListenViewers = (options, handlers) => serve(options, handlers);

/** Hands over connections that another process accepted, from now on. */
export type Feed = (take: (socket: Socket) => void) => void;

/** As `listenWs`, for connections accepted elsewhere on `options.port`. */
export function listenWsFed(feed: Feed): ListenViewers {
  return (options, handlers) => serve(options, handlers, feed);
}

async function serve(
  options: ViewerServerOptions,
  handlers: ViewerServerHandlers,
  feed?: Feed,
): Promise<ViewerServer> {
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: options.requestMs,
    requestTimeout: options.requestMs,
    connectionsCheckingInterval: Math.max(100, options.requestMs / 2),
  });
  const serving = servingOf(options, handlers);
  server.on('connection', (socket) => {
    socket.setNoDelay(true);
    serving.open.add(socket);
    socket.once('close', () => serving.open.delete(socket));
  });
  server.on('request', (request, response) => serveHttp(request, response, serving));
  server.on('upgrade', (request, socket, head) => upgrade(request, socket, head, serving));
  let isPaused = false;
  const pause = () => {
    isPaused = true;
    server.close();
  };
  if (feed === undefined) await listen(server, options);
  else {
    // Its time limits on slow requests begin with this event.
    server.emit('listening');
    feed((socket) => {
      if (isPaused) return void socket.destroy();
      server.emit('connection', socket);
      // It was not read where it was accepted.
      socket.resume();
    });
  }
  return {
    port: (server.address() as AddressInfo | null)?.port ?? options.port,
    pause,
    close: () => {
      pause();
      for (const socket of serving.sockets) socket.cut();
      for (const socket of serving.open) socket.destroy();
    },
  };
}

function servingOf(options: ViewerServerOptions, handlers: ViewerServerHandlers): Serving {
  const chosen = new WeakMap<IncomingMessage, string>();
  const shaker = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false },
    maxPayload: options.messageBytesMax,
    closeTimeout: CLOSE_MS,
    handleProtocols: (_, request) => chosen.get(request) ?? false,
  } as ConstructorParameters<typeof WebSocketServer>[0]);
  const [open, sockets] = [new Set<Socket>(), new Set<WsSocket>()];
  return { options, handlers, chosen, shaker, wrappers: wrappers(), open, sockets };
}

function listen(server: Server, { host, port }: ViewerServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE';
      const why = inUse ? 'the port is taken' : String(cause.code);
      const message = `cannot listen on ${host}:${port}: ${why}`;
      reject(
        new BarrageError(inUse ? 'port_in_use' : 'config', message, { field: 'edge.port', cause }),
      );
    });
    server.listen({ host, port, backlog: BACKLOG }, resolve);
  });
}

function serveHttp(request: IncomingMessage, response: ServerResponse, serving: Serving): void {
  const { options, handlers } = serving;
  const { bodyBytesMax, requestMs, bufferedBytesMax } = options;
  const exchange = new WsExchange(request, response, {
    ...{ wrappers: serving.wrappers, bufferedBytesMax },
    fault: (error) => handlers.fault('http', error),
  });
  const asked: Omit<HttpRequest, 'body'> = {
    method: request.method ?? '',
    ...placeOf(request),
    headers: headersOf(request),
    address: addressOf(request),
  };
  const answer = (body: Buffer) => {
    const done = guard(handlers, 'request', () => handlers.request({ ...asked, body }, exchange));
    if (!done) exchange.cut();
  };
  if (asked.method === 'POST') {
    exchange.readBody({ bytesMax: bodyBytesMax, withinMs: requestMs }, answer);
  } else {
    request.resume();
    answer(Buffer.alloc(0));
  }
}

function upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer, serving: Serving): void {
  const socket = duplex as Socket;
  socket.on('error', () => undefined);
  const { path, query } = placeOf(request);
  const isSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
  if (path !== serving.options.socketPath || !isSocket) {
    // Node hands over whatever asks for an upgrade (h2c too): we decline, and answer as without it.
    if (request.method === 'POST') return answerOn(request, socket, { ...BODY_UNREAD });
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.destroySoon());
    return serveHttp(request, response, serving);
  }
  const address = addressOf(request);
  const shake = { address, query, header: (name: string) => headerOf(request, name) };
  let answer: Handshake;
  try {
    answer = serving.handlers.upgrade(shake);
  } catch (error) {
    serving.handlers.fault('upgrade', error);
    socket.destroy();
    return;
  }
  if (!answer.accept) return answerOn(request, socket, answer.reply);
  shakeHands({ request, socket, head, answer }, serving);
}

const BODY_UNREAD: HttpReply = {
  status: 400,
  headers: { 'content-type': 'application/json' },
  body: '{"error":{"code":"invalid","message":"a body cannot come with an upgrade"}}',
};

interface Shaking {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly answer: Accepted;
}

function shakeHands(shaking: Shaking, { handlers, chosen, shaker, ...rest }: Serving): void {
  const { request, socket, head, answer } = shaking;
  let isOpen = false;
  if (answer.protocol !== '') chosen.set(request, answer.protocol);
  try {
    shaker.handleUpgrade(request, socket, head, (native) => {
      isOpen = true;
      const wrapper = rest.wrappers[answer.isBinary ? 'binary' : 'text'];
      const { bufferedBytesMax } = rest.options;
      const viewer = new WsSocket({ native, socket, wrapper, bufferedBytesMax });
      rest.sockets.add(viewer);
      native.once('close', () => rest.sockets.delete(viewer));
      viewer.begin(answer, handlers);
    });
  } finally {
    if (!isOpen) answer.abandoned();
  }
}

/** A plain answer on a connection that asked for an upgrade. */
function answerOn(request: IncomingMessage, socket: Socket, reply: HttpReply): void {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => socket.destroySoon());
  response.writeHead(reply.status, reply.headers as OutgoingHttpHeaders).end(reply.body);
}

function placeOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const url = request.url ?? '/';
  const at = url.indexOf('?');
  if (at < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

function headersOf(request: IncomingMessage): Map<string, string> {
  return new Map(Object.keys(request.headers).map((name) => [name, headerOf(request, name)]));
}

/** An IPv4 address is the same on a socket of both families. */
function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}
