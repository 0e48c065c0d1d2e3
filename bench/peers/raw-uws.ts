/**
 * Owns the yardstick: the least a batching broadcast over uWebSockets.js can be. One room, posts and
 * what viewers say are collected and published as one frame every 100 ms. No admission, limits, log,
 * replay or slow policy.
 */
import { App, type HttpResponse } from 'uWebSockets.js';
import { SystemClock } from '../../src/adapters/system-clock.js';

const BATCH_MS = 100;
const port = Number(process.argv[2]);
const clock = new SystemClock();
const waiting: string[] = [];
let next = 1;
let tick = 0;
let viewers = 0;

interface Draft {
  readonly kind: string;
  readonly lane: string;
  readonly user?: object;
  readonly text?: string;
  readonly style?: object;
  readonly data?: object;
}

function take(body: string): string {
  const { publications } = JSON.parse(body) as { publications: readonly Draft[] };
  const at = Math.round(clock.now());
  const results = publications.map(({ kind, lane, user, text, style, data }) => {
    const id = `p${next++}`;
    waiting.push(JSON.stringify({ id, kind, lane, at, user, text, style, data }));
    return { id, verdict: 'published' };
  });
  return JSON.stringify({ results });
}

/** What a viewer says over its socket, answered with a verdict like the service does. */
function hear(text: string, user: string): string {
  const { id, room, ...said } = JSON.parse(text) as Draft & { id: number; room: string };
  const at = Math.round(clock.now());
  const publication = { id: `p${next++}`, kind: 'danmaku', lane: 'normal', at };
  const { text: words, data } = said;
  waiting.push(JSON.stringify({ ...publication, user: { id: user }, text: words, data }));
  const verdict = { type: 'verdict', room, id, verdict: 'published', publication: publication.id };
  return JSON.stringify(verdict);
}

function readBody(res: HttpResponse): void {
  let body = Buffer.alloc(0);
  res.onAborted(() => undefined);
  res.onData((chunk, last) => {
    body = Buffer.concat([body, Buffer.from(chunk)]);
    if (last) res.end(take(body.toString()));
  });
}

const app = App()
  .ws<{ user: string }>('/v1/ws', {
    idleTimeout: 120,
    maxBackpressure: 1 << 20,
    upgrade: (res, req, context) => {
      const key = req.getHeader('sec-websocket-key');
      const offered = req.getHeader('sec-websocket-protocol');
      res.upgrade(
        { user: `u${10_000 + viewers++}` },
        key,
        offered,
        req.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    message: (socket, message) => {
      socket.send(hear(Buffer.from(message).toString(), socket.getUserData().user));
    },
    open: (socket) => {
      socket.subscribe('room');
      socket.send('{"type":"joined","room":"room","epoch":1,"offset":0,"publications":[]}');
    },
  })
  .get('/readyz', (res) => void res.end('{"ready":true}'))
  .post('/v1/publications:batch', (res) => readBody(res));

clock.every(BATCH_MS, () => {
  if (waiting.length === 0) return;
  const list = waiting.splice(0).join(',');
  const head = `{"type":"frame","room":"room","class":"drop","epoch":1,"tick":${++tick},"online":0`;
  app.publish('room', `${head},"publications":[${list}]}`);
});
app.listen('127.0.0.1', port, (socket) => {
  if (socket === false) process.exit(1);
});
