/** The load program and the proof's ledgers count what was sent, neither more nor less. */
import type { AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { nowUs, until } from '../../bench/kit.js';
import { NodeViewers } from '../../bench/load/node-viewers.js';
import { lineOf } from '../../bench/load/node-counts.js';
import { Roll, ViewerLedger } from '../../bench/proof/ledger.js';
import { readBooks } from '../../bench/proof/replay.js';
import { verdictsOf } from '../../bench/proof/checks.js';
import { buildViewers, ViewerLoad, type ViewerCounts } from '../../bench/viewer-load.js';
import type { Publication } from '../../src/words.js';

const VIEWERS = 5;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Room {
  readonly port: number;
  readonly sockets: Set<WebSocket>;
  /** Sends lines as one payload to every viewer. */
  send(lines: readonly string[]): void;
}

/** A server that says `joined` at offset 10 and answers every send with `published`. */
async function openRoom(format: 'json' | 'deflate'): Promise<Room> {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  const sockets = new Set<WebSocket>();
  const pack = (text: string) => (format === 'deflate' ? deflateRawSync(text) : text);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.send(pack('{"type":"joined","room":"room","epoch":2,"offset":10,"publications":[]}'));
    socket.on('message', (data) => {
      const { id } = JSON.parse(String(data)) as { id: number };
      socket.send(pack(`{"type":"verdict","room":"room","id":${id},"verdict":"published"}`));
    });
  });
  ends.push(() => {
    for (const socket of sockets) socket.terminate();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    send: (lines) => sockets.forEach((socket) => socket.send(pack(lines.join('\n')))),
  };
}

/** `{"id":"` inside a user or a text must not be taken for a publication. */
function frame(of: object, publications: number, text = 'say [{\\"id\\":\\"x'): string {
  const one = (i: number) =>
    `{"id":"p${i}","kind":"danmaku","lane":"normal","at":1,"user":{"id":"u${i}"},` +
    `"text":"${text}","data":{"bt":${nowUs() - 50_000}}}`;
  const head = JSON.stringify({ type: 'frame', room: 'room', ...of }).slice(0, -1);
  return `${head},"publications":[${Array.from({ length: publications }, (_, i) => one(i)).join(',')}]}`;
}

/** Two payloads in order, one with a hole, one repeated; then one too long for a 16-bit length. */
function sendEverything(room: Room): void {
  const drop = (tick: number) => ({ class: 'drop', epoch: 2, tick, online: 5 });
  const keep = (tick: number, offset: number) => ({ class: 'keep', epoch: 2, tick, offset });
  room.send([frame(drop(1), 3), frame(keep(1, 11), 2)]);
  room.send([frame(keep(2, 14), 1)]);
  const again = [frame(drop(3), 1)];
  room.send(again);
  room.send(again);
  room.send([frame(drop(4), 40, '字'.repeat(2000))]);
  room.sockets.forEach((socket) => socket.ping());
}

function expectEverything(counts: ViewerCounts): void {
  expect(counts).toMatchObject({
    flushes: 5 * VIEWERS,
    frames: 6 * VIEWERS,
    deliveries: 48 * VIEWERS,
    gaps: VIEWERS,
    repeats: VIEWERS,
    ...{ unread: 0, errors: 0, closed: 0 },
  });
  expect(counts.latencyMs.p50).toBeGreaterThan(49);
  expect(counts.latencyMs.max).toBeLessThan(5000);
}

it.each(['json', 'deflate'] as const)('compiled viewers count %s exactly', async (format) => {
  const room = await openRoom(format);
  const pongs = { count: 0 };
  const builder = buildViewers();
  const { port } = room;
  const of = { port, path: '/v1/ws?room=room', room: 'room', viewers: VIEWERS, format };
  const load = new ViewerLoad(builder, { ...of, texts: ['说"话"'] });
  ends.unshift(() => load.stop());
  expect((await load.ready(10_000)).joined).toBe(VIEWERS);
  room.sockets.forEach((socket) => socket.on('pong', () => pongs.count++));
  await load.mark();
  sendEverything(room);
  await until(async () => (await load.report()).flushes >= 5 * VIEWERS, 'the payloads', 5000);
  expectEverything(await load.report());
  await until(() => pongs.count === VIEWERS, 'the pongs', 5000);
  load.speak(200);
  await until(async () => (await load.total()).offered > 20, 'danmaku', 5000);
  load.speak(0);
  const isAnswered = ({ offered, verdicts }: ViewerCounts) => verdicts['published'] === offered;
  await until(async () => isAnswered(await load.total()), 'all verdicts', 5000);
});

it.each(['json', 'deflate'] as const)('Node viewers count %s exactly', async (format) => {
  const room = await openRoom(format);
  const viewers = new NodeViewers({
    ...{ port: room.port, path: '/v1/ws?room=room', room: 'room', viewers: VIEWERS, format },
    ...{ rate: 1000, addresses: 2, tokens: [], texts: [], stall: 0, churn: false },
    ...{ process: 0, processes: 1 },
  });
  viewers.start();
  const counts = () => JSON.parse(lineOf('total', viewers.counts(), 1)) as ViewerCounts;
  await until(() => counts().joined === VIEWERS, 'the joins', 5000);
  sendEverything(room);
  await until(() => counts().flushes >= 5 * VIEWERS, 'the payloads', 5000);
  expectEverything(counts());
});

it('a ledger notices a hole, a repeat, a change of place and of count', () => {
  const give = (lane: 'high' | 'normal', of: Partial<Publication>): Publication =>
    ({ id: 'p', kind: 'danmaku', lane, at: 1, ...of }) as Publication;
  const flawsOf = (...publications: Publication[][]) => {
    const ledger = new ViewerLedger('json', new Roll());
    ledger.take({ type: 'joined', offset: 4 });
    for (const list of publications) ledger.take({ type: 'frame', publications: list });
    return ledger.flaws.length;
  };
  const five = give('high', { id: 'k5', offset: 5 });
  const six = give('high', { id: 'k6', offset: 6 });
  const danmaku = give('normal', { id: 'd1', count: 2 });
  expect(flawsOf([five, six], [danmaku])).toBe(0);
  expect(flawsOf([six])).toBe(1);
  expect(flawsOf([five], [five])).toBe(1);
  expect(flawsOf([danmaku], [danmaku])).toBe(1);
  expect(flawsOf([danmaku, give('normal', { id: 'd1', count: 3 })])).toBe(2);
});

it('books are read off a replay and verdicts off an exposition', () => {
  const rows = ['comments           14', 'unsendable           1', 'unsent, told to stop  2'];
  const told = ['sent                 11', '  published           8', '  sampled_out         3'];
  const output = [...rows, ...told, '1.0 s, 4 connections; the books balance'].join('\n');
  expect(readBooks(output)).toEqual({
    ...{ comments: 14, unsendable: 1, sent: 11, unsent: 2, stopped: 2 },
    verdicts: { published: 8, sampled_out: 3 },
  });
  expect(readBooks('it broke')).toBeUndefined();
  const text = 'a_total{verdict="merged"} 7\nb_total{verdict="merged"} 9\na_items{why="x"} 1\n';
  expect(verdictsOf(text, 'a_')).toEqual({ merged: 7 });
  expect(() => verdictsOf(text, 'c_')).toThrow('0 metrics c_');
});
