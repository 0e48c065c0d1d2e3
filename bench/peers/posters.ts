/**
 * Owns the bytes by which one poster posts to each kind of server, over connections kept open. What
 * servers answer is read and let go, but for what keeps a connection alive.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { ROOM } from './peer.js';

export interface Poster {
  /** Each text is one message of its own to the server. */
  post(texts: readonly string[]): void;
  close(): void;
}

type Wrap = (text: string) => Buffer | string;

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  // A server that dies under load ends its case through the counts, not the bench.
  socket.on('error', () => undefined);
  return socket;
}

function posterOf(socket: Socket, wrap: Wrap): Poster {
  socket.resume();
  return {
    post: (texts) => {
      socket.cork();
      for (const text of texts) socket.write(wrap(text));
      socket.uncork();
    },
    close: () => socket.destroy(),
  };
}

/** A line each. */
export async function postLines(port: number): Promise<Poster> {
  return posterOf(await connect(port), (text) => `${text}\n`);
}

/** Pipelined HTTP POST requests over one connection. */
export async function postHttp(port: number, path: string): Promise<Poster> {
  const socket = await connect(port);
  const head = `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: `;
  return posterOf(socket, (text) => `${head}${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

/** The NATS protocol: PUB, and PONG to each PING. */
export async function postNats(port: number): Promise<Poster> {
  const socket = await connect(port);
  socket.on('data', (part: Buffer) => {
    if (part.includes('PING\r\n')) socket.write('PONG\r\n');
  });
  socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n');
  return posterOf(socket, (text) => `PUB ${ROOM} ${Buffer.byteLength(text)}\r\n${text}\r\n`);
}

/** MQTT 3.1.1 over TCP: PUBLISH with QoS 0. */
export async function postMqtt(port: number): Promise<Poster> {
  const socket = await connect(port);
  socket.write(mqttConnect());
  return posterOf(socket, (text) => mqttFrame(0x30, [mqttText(ROOM), Buffer.from(text)]));
}

/** CONNECT with a clean session, no keep-alive and a name the server gives. */
export function mqttConnect(): Buffer {
  return mqttFrame(0x10, [mqttText('MQTT'), Buffer.from([4, 2, 0, 0]), mqttText('')]);
}

/** SUBSCRIBE to the room with QoS 0. */
export function mqttSubscribe(): Buffer {
  return mqttFrame(0x82, [Buffer.from([0, 1]), mqttText(ROOM), Buffer.from([0])]);
}

function mqttText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function mqttFrame(kind: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = [kind];
  let rest = body.length;
  do {
    head.push((rest % 128) + (rest > 127 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(head), body]);
}
