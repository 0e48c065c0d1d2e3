/**
 * Owns the room over uWebSockets.js: `natural` publishes each publication to the subscribers, `batch`
 * one frame every 100 ms, `loop` sends such a frame socket by socket.
 */
import { App, type WebSocket } from 'uWebSockets.js';
import { inBatches, listenForLines, readArguments } from './line-feed.js';

const { port, feedPort, mode } = readArguments();
const viewers = new Set<WebSocket<unknown>>();

const app = App().ws('/*', {
  idleTimeout: 120,
  maxBackpressure: 1 << 20,
  open: (socket) => {
    if (mode === 'loop') viewers.add(socket);
    else socket.subscribe('room');
  },
  close: (socket) => void viewers.delete(socket),
});

const publish = (text: string) => void app.publish('room', text);

function sendEach(frame: string): void {
  for (const viewer of viewers) viewer.send(frame);
}

const TAKES: Readonly<Record<string, (line: string) => void>> = {
  natural: publish,
  batch: mode === 'batch' ? inBatches(publish) : publish,
  loop: mode === 'loop' ? inBatches(sendEach) : sendEach,
};

app.listen('127.0.0.1', port, (socket) => {
  if (socket === false) process.exit(1);
  listenForLines(feedPort, TAKES[mode] ?? publish);
});
