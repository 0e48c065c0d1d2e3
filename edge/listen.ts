/**
 * Owns which socket library an edge listens with: the native one where it has a binary for this
 * machine, else Node's own with `ws`, which is told once with what it costs. Rules: SPEC E-SOCK-1, 2.
 */
import { createServer } from 'node:net';
import { asBarrageError, BarrageError } from '../src/errors.js';
import type { Log } from '../src/ports/log.js';
import { listenUws, loadLibrary } from './socket-uws.js';
import { listenWs } from './socket-ws.js';
import type { ListenViewers } from './viewer-server.js';

/** `auto`: uws where it runs, else ws. */
export type SocketsChoice = 'auto' | 'uws' | 'ws';
export type SocketLibrary = 'uws' | 'ws';

/** Throws what `loadLibrary` throws where there is no binary. */
type Load = () => Promise<unknown>;

const COST =
  'sockets: using ws, which takes more CPU for a delivery and 4 KB more for a viewer; ' +
  'uWebSockets.js needs Node 20 or 22 on Linux (glibc), macOS or Windows, installed by npm ci';

/** The library to use. Rejects with BarrageError `platform` when `uws` is asked for and has no binary. */
export async function chooseSockets(
  choice: SocketsChoice,
  log: Log,
  load: Load = () => loadLibrary(),
): Promise<SocketLibrary> {
  if (choice === 'ws') return 'ws';
  try {
    await load();
    return 'uws';
  } catch (error) {
    const told = asBarrageError(error);
    if (choice === 'uws' || told.code !== 'platform') throw error;
    log.warn(COST, { why: told.message });
    return 'ws';
  }
}

export function listenerOf(library: SocketLibrary): ListenViewers {
  return library === 'uws' ? listenUws : listenWs;
}

/** Listens with the library chosen; for `EdgeParts.listen`. */
export function listenBy(choice: SocketsChoice, log: Log, load?: Load): ListenViewers {
  return async (options, handlers) =>
    listenerOf(await chooseSockets(choice, log, load))(options, handlers);
}

/**
 * Rejects with BarrageError `port_in_use` when anyone listens there; the port, a free one for 0.
 * Ports shared by several processes on purpose would else be shared with strangers in silence.
 */
export function guardPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE';
      const why = inUse ? 'the port is taken' : String(cause.code);
      const message = `cannot listen on ${host}:${port}: ${why}`;
      const told = { field: 'edge.port', cause };
      reject(new BarrageError(inUse ? 'port_in_use' : 'config', message, told));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      probe.close(() => resolve(taken));
    });
  });
}
