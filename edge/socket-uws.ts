/**
 * Owns the adapter of port ViewerServer over uWebSockets.js; the only importer of it. Sockets are
 * sent to one by one: with frames joined beforehand a send loop costs what a publish costs, tells at
 * once who does not read, and needs no topics. Compression is off: frames come compressed.
 */
import { createServer, type AddressInfo } from 'node:net';
import type * as uws from 'uWebSockets.js';
import { afterEvents, catchUp } from '../src/adapters/loop-turns.js';
import { BarrageError } from '../src/errors.js';
import { Arrivals } from './arrivals.js';
import { LightQuery } from './light-query.js';
import { UwsExchange, type Unsettled } from './uws-exchange.js';
import { takeOut, UwsSocket } from './uws-socket.js';
import { HEADERS_READ } from './viewer-server.js';
import type {
  Handshake,
  HandshakeRequest,
  HttpReply,
  ViewerServer,
  ViewerServerHandlers,
  ViewerServerOptions,
} from './viewer-server.js';

/** Headers of a request, bytes; the library's own 4 KiB is too little for long tokens and cookies. */
const HEADER_BYTES_MAX = 16 << 10;
const IDLE_SECONDS_MAX = 960;
const NO_BODY = Buffer.alloc(0);
const FREE_PORT_TRIES = 5;
const SUPPORTED = 'Node 20 or 22 on Linux (x64, arm64, glibc), macOS or Windows';

type Uws = typeof uws;
/** All that is known of a connection hangs on one field: each further one costs every viewer. */
interface UserData {
  readonly socket: UwsSocket;
}

/** Listens; see `ListenViewers`. */
export async function listenUws(
  options: ViewerServerOptions,
  handlers: ViewerServerHandlers,
): Promise<ViewerServer> {
  const library = await loadLibrary();
  const app = library.App();
  const open: UwsSocket[] = [];
  const exchanges = new Set<Unsettled>();
  const arrivals = new Arrivals(afterEvents);
  app.filter((response, count) => {
    catchUp();
    if (count > 0) guard(handlers, 'arrival', () => arrivals.came(response));
  });
  serveSockets(app, { library, options, handlers, open });
  app.any('/*', (response, request) => {
    catchUp();
    guard(handlers, 'request', () =>
      serveHttp(response, request, { options, handlers, exchanges }),
    );
  });
  const listening = await listen(app, library, options);
  let isListening = true;
  const pause = () => {
    if (isListening) library.us_listen_socket_close(listening);
    isListening = false;
  };
  return {
    port: library.us_socket_local_port(listening as uws.us_socket),
    pause,
    close: () => {
      pause();
      arrivals.stop();
      for (const exchange of exchanges) exchange.cut();
      for (const socket of [...open]) socket.cut();
      // Connections without a request too: they would hold the process for ten seconds.
      app.close();
    },
  };
}

/** The library, or BarrageError `platform` in one line when it has no binary for this machine. */
export async function loadLibrary(
  load: () => Promise<Uws> = () => import('uWebSockets.js'),
): Promise<Uws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(HEADER_BYTES_MAX);
  try {
    return await load();
  } catch (cause) {
    const { version, platform, arch } = process;
    const here = `Node ${version} on ${platform} ${arch}`;
    const message = `the socket library does not run here (${here}); it needs ${SUPPORTED}`;
    throw new BarrageError('platform', message, { cause });
  }
}

async function listen(
  app: uws.TemplatedApp,
  library: Uws,
  { host, port, isShared = false }: ViewerServerOptions,
): Promise<uws.us_listen_socket> {
  // Without the option (0) the kernel lets others listen there too and spreads connections over them.
  const exclusive = Number(library['LIBUS_LISTEN_EXCLUSIVE_PORT' as keyof Uws]);
  for (let tries = 0; tries < (port === 0 ? FREE_PORT_TRIES : 1); tries++) {
    const wanted = port === 0 ? await freePort(host) : port;
    const socket = await listenOn(app, { host, port: wanted, options: isShared ? 0 : exclusive });
    if (socket !== false) return socket;
  }
  throw new BarrageError('port_in_use', `cannot listen on ${host}:${port}: the port is taken`);
}

function listenOn(
  app: uws.TemplatedApp,
  { host, port, options }: { host: string; port: number; options: number },
): Promise<uws.us_listen_socket | false> {
  // The declared types lack the overload with host and options.
  const listenHere = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    options: number,
    done: (socket: uws.us_listen_socket | false) => void,
  ) => void;
  return new Promise((resolve) => listenHere(host, port, options, resolve));
}

/**
 * A port nobody has. Left to the library, port 0 would be opened without SO_REUSEADDR, and nobody
 * could listen there again for a minute after a restart.
 */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

interface Serving {
  readonly library: Uws;
  readonly options: ViewerServerOptions;
  readonly handlers: ViewerServerHandlers;
  readonly open: UwsSocket[];
}

function serveSockets(app: uws.TemplatedApp, serving: Serving): void {
  const { options, handlers, open } = serving;
  app.ws<UserData>(options.socketPath, {
    compression: 0,
    maxPayloadLength: options.messageBytesMax,
    maxBackpressure: options.bufferedBytesMax,
    closeOnBackpressureLimit: true,
    // Silence is judged by the edge; this only frees what a dead network left behind.
    idleTimeout: IDLE_SECONDS_MAX,
    sendPingsAutomatically: false,
    upgrade: (response, request, context) => {
      catchUp();
      shakeHands(response, request, context, handlers);
    },
    open: (native) => {
      const { socket } = native.getUserData();
      const accepted = socket.opened(native);
      socket.index = open.push(socket) - 1;
      guard(handlers, 'open', () => (socket.listener = accepted.open(socket)));
      if (socket.listener === undefined) socket.cut();
    },
    message: (native, message, isBinary) => {
      catchUp();
      const { socket } = native.getUserData();
      const done = guard(handlers, 'message', () => {
        socket.listener?.received(new Uint8Array(message), isBinary);
      });
      if (!done) socket.cut();
    },
    ping: (native) => hear(native, handlers),
    pong: (native) => hear(native, handlers),
    close: (native) => {
      const { socket } = native.getUserData();
      socket.forget();
      takeOut(open, socket);
      guard(handlers, 'close', () => socket.listener?.closed());
    },
  });
}

/** A sign of life: what an idle viewer costs, so without a closure. */
function hear(native: uws.WebSocket<UserData>, handlers: ViewerServerHandlers): void {
  try {
    native.getUserData().socket.listener?.heard();
  } catch (error) {
    handlers.fault('pong', error);
  }
}

function shakeHands(
  response: uws.HttpResponse,
  request: uws.HttpRequest,
  context: uws.us_socket_context_t,
  handlers: ViewerServerHandlers,
): void {
  const shake: HandshakeRequest = {
    address: addressOf(response),
    query: new LightQuery(request.getQuery()),
    header: (name) => request.getHeader(name),
  };
  const answer = handshake(shake, handlers);
  if (answer === undefined) {
    response.close();
    return;
  }
  if (!answer.accept) {
    writeReply(response, answer.reply);
    return;
  }
  // The library copies this object's fields, not what they hold.
  const socket = new UwsSocket(answer);
  try {
    response.upgrade<UserData>(
      { socket },
      request.getHeader('sec-websocket-key'),
      answer.protocol,
      request.getHeader('sec-websocket-extensions'),
      context,
    );
  } finally {
    if (socket.isAwaited) answer.abandoned();
  }
}

function handshake(shake: HandshakeRequest, handlers: ViewerServerHandlers): Handshake | undefined {
  try {
    return handlers.upgrade(shake);
  } catch (error) {
    handlers.fault('upgrade', error);
    return undefined;
  }
}

interface HttpServing {
  readonly options: ViewerServerOptions;
  readonly handlers: ViewerServerHandlers;
  readonly exchanges: Set<Unsettled>;
}

function serveHttp(
  response: uws.HttpResponse,
  request: uws.HttpRequest,
  { options, handlers, exchanges }: HttpServing,
): void {
  const headers = new Map<string, string>();
  for (const name of HEADERS_READ) {
    const value = request.getHeader(name);
    if (value !== '') headers.set(name, value);
  }
  const exchange = new UwsExchange(response, exchanges, (error) => handlers.fault('http', error));
  const method = request.getMethod().toUpperCase();
  const path = request.getUrl();
  const query = new LightQuery(request.getQuery());
  const address = addressOf(response);
  const answer = (body: Buffer) => {
    const asked = { method, path, query, headers, address, body };
    const done = guard(handlers, 'request', () => handlers.request(asked, exchange));
    if (!done) exchange.cut();
  };
  if (method !== 'POST') answer(NO_BODY);
  else exchange.readBody({ bytesMax: options.bodyBytesMax, withinMs: options.requestMs }, answer);
  exchange.await();
}

function writeReply(response: uws.HttpResponse, { status, headers, body }: HttpReply): void {
  response.cork(() => {
    response.writeStatus(String(status));
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    response.end(body);
  });
}

function addressOf(response: uws.HttpResponse): string {
  return Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
}

/** Runs a handler; what it throws is reported, never passed on to the library. */
function guard(handlers: ViewerServerHandlers, where: string, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    handlers.fault(where, error);
    return false;
  }
}
