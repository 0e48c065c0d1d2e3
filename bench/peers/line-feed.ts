/**
 * Owns the way publications come to the servers the bench wrote itself: one a line over TCP. Ends the
 * process with its starter: no server outlives a bench that was killed.
 */
import { createServer } from 'node:net';

const BATCH_MS = 100;

/** Gives each line to `take` as it comes. */
export function listenForLines(port: number, take: (line: string) => void): void {
  const server = createServer((socket) => {
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (part: string) => {
      const lines = (rest + part).split('\n');
      rest = lines.pop()!;
      lines.forEach(take);
    });
  });
  server.listen(port, '127.0.0.1');
  process.stdin.on('end', () => process.exit(0)).resume();
}

/** Collects publications and gives them to `flush` as one frame every 100 ms. */
export function inBatches(flush: (frame: string) => void): (line: string) => void {
  let waiting: string[] = [];
  setInterval(() => {
    if (waiting.length === 0) return;
    flush(frameOf(waiting));
    waiting = [];
  }, BATCH_MS);
  return (line) => void waiting.push(line);
}

/** The JSON of a frame around publications that are JSON already. */
export function frameOf(publications: readonly string[]): string {
  return `{"type":"frame","publications":[${publications.join(',')}]}`;
}

/** What each of these programs is started with: port of the viewers, port of the feed, mode. */
export function readArguments(): { port: number; feedPort: number; mode: string } {
  const [port, feedPort, mode = ''] = process.argv.slice(2);
  return { port: Number(port), feedPort: Number(feedPort), mode };
}
