/**
 * Owns the room that many write first: the package ws. `natural` sends each publication to each socket;
 * `batch` builds one WebSocket frame every 100 ms and writes these same bytes to every TCP socket.
 */
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { inBatches, listenForLines, readArguments } from './line-feed.js';

const { port, feedPort, mode } = readArguments();
const server = new WebSocketServer({
  ...{ host: '127.0.0.1', port, backlog: 4096 },
  ...{ perMessageDeflate: false, clientTracking: false },
});
const viewers = new Map<WebSocket, Socket>();

server.on('connection', (viewer, request) => {
  viewers.set(viewer, request.socket);
  request.socket.setNoDelay(true);
  viewer.on('error', () => undefined);
  viewer.on('close', () => viewers.delete(viewer));
});

/** An unmasked text frame (RFC 6455, 5.2). */
function prepared(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([0x81, length]), payload]);
  if (length < 65_536) {
    return Buffer.concat([Buffer.from([0x81, 126, length >> 8, length & 255]), payload]);
  }
  const head = Buffer.alloc(10);
  head.writeUInt16BE(0x817f);
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

function sendEach(line: string): void {
  for (const viewer of viewers.keys()) viewer.send(line);
}

function writeAll(frame: string): void {
  const bytes = prepared(frame);
  for (const socket of viewers.values()) socket.write(bytes);
}

server.on('listening', () => {
  listenForLines(feedPort, mode === 'batch' ? inBatches(writeAll) : sendEach);
});
