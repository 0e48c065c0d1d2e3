/**
 * Owns the room over Socket.IO, WebSocket transport alone, without compression: on its default engine or
 * (`uws-…`) on uWebSockets.js. `natural` emits each publication to the room, `batch` a list every 100 ms.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { App } from 'uWebSockets.js';
import { inBatches, listenForLines, readArguments } from './line-feed.js';

const { port, feedPort, mode } = readArguments();
const io = new Server({
  ...{ transports: ['websocket'], serveClient: false, perMessageDeflate: false },
  ...{ httpCompression: false, pingInterval: 25_000, pingTimeout: 60_000 },
});

io.on('connection', (socket) => void socket.join('room'));

function feed(): void {
  const emit = (event: string) => (text: string) =>
    void io.to('room').emit(event, JSON.parse(text) as unknown);
  const isBatched = mode.endsWith('batch');
  listenForLines(feedPort, isBatched ? inBatches(emit('frame')) : emit('danmaku'));
}

if (mode.startsWith('uws')) {
  const app = App();
  io.attachApp(app);
  app.listen('127.0.0.1', port, (socket) => {
    if (socket === false) process.exit(1);
    feed();
  });
} else {
  const server = createServer();
  io.attach(server);
  server.listen({ port, host: '127.0.0.1', backlog: 4096 }, feed);
}
