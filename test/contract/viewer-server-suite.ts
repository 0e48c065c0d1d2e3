/**
 * What every adapter of port ViewerServer must do, whatever library is behind it. Registered by a
 * test file of each adapter.
 */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import type {
  HttpExchange,
  HttpRequest,
  HttpStream,
  Handshake,
  HandshakeRequest,
  ListenViewers,
  SendAnswer,
  SocketListener,
  ViewerServer,
  ViewerServerOptions,
  ViewerSocket,
} from '../../edge/viewer-server.js';
import { until } from '../kit/edge.js';

const OPTIONS: ViewerServerOptions = {
  host: '127.0.0.1',
  port: 0,
  socketPath: '/v1/ws',
  messageBytesMax: 64 << 10,
  bodyBytesMax: 1000,
  requestMs: 300,
  bufferedBytesMax: 4 << 20,
};

export function viewerServerSuite(listen: ListenViewers): void {
  let server: ViewerServer;
  let faults: string[];
  let upgrade: (request: HandshakeRequest) => Handshake;
  let serve: (request: HttpRequest, exchange: HttpExchange) => void;
  let sockets: ViewerSocket[];
  let events: string[];

  const listener: SocketListener = {
    received: (bytes, isBinary) =>
      events.push(`${isBinary ? 'binary' : 'text'} ${Buffer.from(bytes).toString()}`),
    heard: () => events.push('heard'),
    closed: () => events.push('closed'),
  };
  const accept = (more: Partial<Extract<Handshake, { accept: true }>> = {}): Handshake => ({
    accept: true,
    protocol: '',
    isBinary: false,
    abandoned: () => events.push('abandoned'),
    open: (socket) => {
      sockets.push(socket);
      return listener;
    },
    ...more,
  });

  beforeEach(async () => {
    [faults, sockets, events] = [[], [], []];
    upgrade = () => accept();
    serve = (_, exchange) => exchange.reply({ status: 200, headers: {}, body: 'ok' });
    server = await listen(OPTIONS, {
      upgrade: (request) => upgrade(request),
      request: (request, exchange) => serve(request, exchange),
      fault: (where) => faults.push(where),
    });
  });
  afterEach(() => server.close());

  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;
  const open = async (path = '/v1/ws', protocols: string[] = []) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols);
    socket.on('error', () => undefined);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    await until(() => sockets.length > 0, 'the socket');
    return socket;
  };

  it('E-IN-1 a refused handshake is a plain answer; the request is readable', async () => {
    let seen = '';
    upgrade = (request) => {
      seen = `${request.query.get('room')} ${request.header('last-event-id')} ${request.address}`;
      return { accept: false, reply: { status: 429, headers: { 'retry-after': '5' }, body: 'no' } };
    };
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/ws?room=a%20b`, {
      headers: { 'last-event-id': 'y' },
    });
    socket.on('error', () => undefined);
    const answer = await new Promise<IncomingMessage>((resolve) =>
      socket.once('unexpected-response', (_, response) => resolve(response)),
    );
    expect(answer.statusCode).toBe(429);
    expect(answer.headers).toMatchObject({ 'retry-after': '5' });
    expect(seen).toBe('a b y 127.0.0.1');
    expect(events).toEqual([]);
  });

  it('W-2 the chosen subprotocol is answered and decides text or binary', async () => {
    upgrade = () => accept({ protocol: 'b', isBinary: true });
    const socket = await open('/v1/ws', ['a', 'b']);
    expect(socket.protocol).toBe('b');
    const got = new Promise((resolve) =>
      socket.once('message', (data, isBinary) => resolve([String(data), isBinary])),
    );
    expect(sockets[0]!.send(Buffer.from('弹幕'))).toBe('sent');
    expect(await got).toEqual(['弹幕', true]);
  });

  it('W-1 messages arrive as bytes in order, pings and pongs are heard', async () => {
    const socket = await open();
    socket.send('one');
    socket.send(Buffer.from('two'));
    socket.ping();
    sockets[0]!.ping();
    await until(() => events.length === 4, 'four events');
    expect(events.slice(0, 3)).toEqual(['text one', 'binary two', 'heard']);
    expect(events[3]).toBe('heard');
  });

  it('W-8 a message over the bound ends the connection', async () => {
    const socket = await open();
    socket.send('x'.repeat((64 << 10) + 1));
    await until(() => events.includes('closed'), 'the close');
    expect(events).toEqual(['closed']);
  });

  it('W-10 an end carries code and reason, is told before it returns, and later sends are lost', async () => {
    const socket = await open();
    const closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => resolve([code, String(reason)])),
    );
    sockets[0]!.end(4503, '{"reason":"kicked"}');
    expect(events).toEqual(['closed']);
    expect(sockets[0]!.send('more')).toBe('lost');
    expect(sockets[0]!.bufferedBytes()).toBe(0);
    sockets[0]!.ping();
    sockets[0]!.end(4000, '');
    expect(await closed).toEqual([4503, '{"reason":"kicked"}']);
    expect(events).toEqual(['closed']);
  });

  it('E-SLOW-3 what a viewer does not read is counted, arrives in order later, or ends it', async () => {
    const socket = await open();
    const sizes: number[] = [];
    socket.on('message', (data: Buffer) => sizes.push(data.length));
    socket.pause();
    let answer: SendAnswer = 'sent';
    let count = 0;
    while (answer === 'sent') answer = sockets[0]!.send(Buffer.alloc(100_000 + count++, 'x'));
    expect(answer).toBe('buffered');
    expect(sockets[0]!.bufferedBytes()).toBeGreaterThan(0);
    socket.resume();
    await until(() => sizes.length === count, 'all of it');
    expect(sizes).toEqual(Array.from({ length: count }, (_, i) => 100_000 + i));
    await until(() => sockets[0]!.bufferedBytes() === 0, 'nothing left');
    socket.pause();
    for (let i = 0; answer !== 'lost'; i++) {
      expect(i).toBeLessThan(1000);
      answer = sockets[0]!.send(Buffer.alloc(100_000));
      expect(sockets[0]!.bufferedBytes()).toBeLessThan(OPTIONS.bufferedBytesMax + 200_000);
    }
    socket.terminate();
    await until(() => events.includes('closed'), 'the close');
  });

  it('E-IN-8 a half-closed socket is closed', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(
      'GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    await until(() => sockets.length === 1, 'the socket');
    socket.resume();
    socket.end();
    await until(() => events.includes('closed'), 'the close');
    socket.destroy();
  });

  it('O-2 an error in any handler is reported, ends only its connection, and the next are served', async () => {
    upgrade = () =>
      accept({
        open: (socket) => {
          sockets.push(socket);
          return {
            received: () => {
              throw new Error('received');
            },
            heard: () => undefined,
            closed: () => {
              throw new Error('closed');
            },
          };
        },
      });
    const socket = await open();
    socket.send('x');
    await new Promise((resolve) => socket.once('close', resolve));
    await until(() => faults.length === 2, 'two faults');
    upgrade = () =>
      accept({
        open: () => {
          throw new Error('open');
        },
      });
    const second = new WebSocket(`ws://127.0.0.1:${server.port}/v1/ws`);
    second.on('error', () => undefined);
    await new Promise((resolve) => second.once('close', resolve));
    upgrade = () => {
      throw new Error('upgrade');
    };
    const third = new WebSocket(`ws://127.0.0.1:${server.port}/v1/ws`);
    third.on('error', () => undefined);
    await new Promise((resolve) => third.once('close', resolve));
    serve = () => {
      throw new Error('request');
    };
    await expect(fetch(url('/x'))).rejects.toThrow();
    expect(faults).toEqual(['message', 'close', 'open', 'upgrade', 'request']);
    serve = (_, exchange) => exchange.reply({ status: 200, headers: {}, body: 'ok' });
    expect((await fetch(url('/x'))).status).toBe(200);
  });

  it('E-SAY-2 requests come whole with method, path, query, headers and body', async () => {
    let seen: HttpRequest | undefined;
    serve = (request, exchange) => {
      seen = request;
      exchange.reply({ status: 201, headers: { authorization: 'b' }, body: '弹幕' });
    };
    const answer = await fetch(url('/p/q?a=%E5%BC%B9&b=2'), {
      method: 'POST',
      headers: { 'Last-Event-ID': 'y' },
      body: 'é'.repeat(400),
    });
    expect([answer.status, answer.headers.get('authorization'), await answer.text()]).toEqual([
      201,
      'b',
      '弹幕',
    ]);
    expect(seen).toMatchObject({ method: 'POST', path: '/p/q', address: '127.0.0.1' });
    expect([seen!.query.get('a'), seen!.headers.get('last-event-id')]).toEqual(['弹', 'y']);
    expect(seen!.body.toString()).toBe('é'.repeat(400));
    seen = undefined;
    const large = await fetch(url('/'), { method: 'POST', body: 'x'.repeat(1001) });
    expect(large.status).toBe(413);
    expect(seen).toBeUndefined();
  });

  it('E-IN-8 a body that trickles is cut after its time', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n');
    const drip = setInterval(() => socket.write('x'), 20);
    const start = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('E-POLL-2 an answer may come later; one who goes before is told of, and answering it is harmless', async () => {
    let later: HttpExchange | undefined;
    let aborts = 0;
    serve = (_, exchange) => {
      later = exchange;
      exchange.onAbort(() => aborts++);
    };
    const answer = fetch(url('/'));
    await until(() => later !== undefined, 'the request');
    later!.reply({ status: 200, headers: {}, body: Buffer.from('late') });
    later!.reply({ status: 500, headers: {}, body: 'twice' });
    expect(await (await answer).text()).toBe('late');
    expect(aborts).toBe(0);
    later = undefined;
    const control = new AbortController();
    const gone = fetch(url('/'), { signal: control.signal }).catch(() => 'gone');
    await until(() => later !== undefined, 'the request');
    control.abort();
    expect(await gone).toBe('gone');
    await until(() => aborts === 1, 'the abort');
    later!.reply({ status: 200, headers: {}, body: 'nobody' });
    expect(later!.stream(200, {}, ':\n').send('nobody')).toBe('lost');
    expect(faults).toEqual([]);
  });

  it('E-SSE-1 a stream sends as it comes, counts what waits, keeps its order, and ends', async () => {
    let stream: HttpStream | undefined;
    serve = (_, exchange) => {
      stream = exchange.stream(200, { 'content-type': 'text/plain' }, '.');
    };
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => stream !== undefined, 'the stream');
    socket.pause();
    let sent = 0;
    while (stream!.send('#'.repeat(100_000)) === 'sent') sent++;
    sent++;
    for (let i = 0; i < 10; i++, sent++) expect(stream!.send('#'.repeat(100_000))).toBe('buffered');
    expect(stream!.bufferedBytes()).toBeGreaterThanOrEqual(1_000_000);
    expect(stream!.bufferedBytes()).toBeLessThanOrEqual(1_100_000 + 1000);
    let got = 0;
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 0x23) got++;
    });
    socket.resume();
    await until(() => stream!.bufferedBytes() === 0, 'nothing to wait');
    stream!.send('#');
    stream!.end();
    expect(stream!.send('more')).toBe('lost');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(got).toBe(sent * 100_000 + 1);
  });

  it('E-IN-1 a long token fits in the headers', async () => {
    serve = (request, exchange) =>
      exchange.reply({
        status: 200,
        headers: {},
        body: String(request.headers.get('authorization')?.length),
      });
    const answer = await fetch(url('/'), { headers: { authorization: 'x'.repeat(10_000) } });
    expect(await answer.text()).toBe('10000');
  });

  it('O-2 a port in use is refused in one line', async () => {
    const handlers = { upgrade: () => accept(), request: () => undefined, fault: () => undefined };
    const again = listen({ ...OPTIONS, port: server.port }, handlers);
    await expect(again).rejects.toMatchObject({ code: 'port_in_use' });
    await expect(again).rejects.toThrow(/^[^\n]*127\.0\.0\.1:\d+[^\n]*$/);
  });

  it('E-JOIN-4 of many who come at once all are answered, but those who left again', async () => {
    const many = Array.from({ length: 400 }, () => connect(server.port, '127.0.0.1'));
    const answers = many.map(
      (each, i) =>
        new Promise((resolve) => {
          each.on('error', () => undefined);
          each.once('close', () => resolve('closed'));
          each.once('data', (data) => resolve(String(data).slice(0, 8)));
          each.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
          if (i % 4 === 0) each.once('connect', () => each.destroy());
        }),
    );
    const got = await Promise.all(answers);
    expect(got).toEqual(many.map((_, i) => (i % 4 === 0 ? 'closed' : 'HTTP/1.1')));
    for (const each of many) each.destroy();
  });

  it('E-JOIN-4 closed while many wait to be read it ends them all', async () => {
    const many = Array.from({ length: 400 }, () => connect(server.port, '127.0.0.1'));
    const ends = many.map((each) => new Promise((resolve) => each.once('close', resolve)));
    for (const each of many) each.on('error', () => undefined);
    await new Promise((resolve) => many[0]!.once('connect', resolve));
    server.close();
    await Promise.all(ends);
  });

  it('E-END-2 closed it ends connections that ask nothing too: they would hold the process', async () => {
    const quiet = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => quiet.once('connect', resolve));
    const ended = new Promise((resolve) => quiet.once('close', resolve));
    quiet.on('error', () => undefined);
    server.close();
    await ended;
  });

  it('E-END-2 paused it takes no newcomers and keeps the others; closed it frees the port', async () => {
    const socket = await open();
    server.pause();
    await expect(fetch(url('/'))).rejects.toThrow();
    const got = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
    sockets[0]!.send('still here');
    expect(await got).toBe('still here');
    const { port } = server;
    server.close();
    await new Promise((resolve) =>
      socket.readyState === 3 ? resolve(1) : socket.once('close', resolve),
    );
    const handlers = { upgrade: () => accept(), request: () => undefined, fault: () => undefined };
    const next = await listen({ ...OPTIONS, port }, handlers);
    expect(next.port).toBe(port);
    next.close();
  });
}
