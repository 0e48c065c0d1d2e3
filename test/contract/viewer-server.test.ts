/** The adapters of port ViewerServer against their common suite. */
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listenUws, loadLibrary } from '../../edge/socket-uws.js';
import { listenWs, listenWsFed } from '../../edge/socket-ws.js';
import type { ListenViewers } from '../../edge/viewer-server.js';
import { guardPort } from '../../edge/listen.js';
import { viewerServerSuite } from './viewer-server-suite.js';

describe('uWebSockets.js', () => {
  viewerServerSuite(listenUws);

  it('O-2 a machine without a native binary is told so in one line', async () => {
    const loading = loadLibrary(() => Promise.reject(new Error('cannot open\nshared object')));
    await expect(loading).rejects.toMatchObject({ code: 'platform' });
    await expect(loading).rejects.toThrow(
      /^[^\n]*Node v\d+[^\n]*Linux \(x64, arm64, glibc\)[^\n]*$/,
    );
  });
});

describe('ws', () => viewerServerSuite(listenWs));

/** Connections accepted by another server, as a process that others share a port with gets them. */
const listenFed: ListenViewers = async (options, handlers) => {
  await guardPort(options.host, options.port);
  const gate = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => gate.listen(options.port, options.host, resolve));
  const { port } = gate.address() as AddressInfo;
  const feed = listenWsFed((take) => void gate.on('connection', take));
  const server = await feed({ ...options, port }, handlers);
  return {
    port,
    pause: () => {
      gate.close();
      server.pause();
    },
    close: () => {
      gate.close();
      server.close();
    },
  };
};

describe('ws with connections accepted elsewhere', () => {
  viewerServerSuite(listenFed);

  it('E-SOCK-3 a request head that trickles is cut after its time', async () => {
    const server = await listenFed(
      {
        ...{ host: '127.0.0.1', port: 0, socketPath: '/v1/ws', messageBytesMax: 1000 },
        ...{ bodyBytesMax: 1000, requestMs: 200, bufferedBytesMax: 1 << 20 },
      },
      {
        upgrade: () => ({ accept: false, reply: { status: 400, headers: {}, body: '' } }),
        request: (_, exchange) => exchange.reply({ status: 200, headers: {}, body: '' }),
        fault: () => undefined,
      },
    );
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write('GET / HTTP/1.1\r\nHost: a');
    await new Promise((resolve) => socket.once('close', resolve));
    server.close();
  });
});
