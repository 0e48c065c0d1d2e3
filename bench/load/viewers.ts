/**
 * Owns the viewers where no C compiler is: the options, commands and JSON lines of viewers.c over
 * Node sockets in several processes. Slower: the report warns that it may be the bottleneck.
 */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { clock } from '../kit.js';
import { NodeViewers, type ViewerOrder } from './node-viewers.js';
import { addCounts, emptyCounts, lineOf, minus, type Counts } from './node-counts.js';

const VIEWERS_PER_PROCESS = 2500;
const TELL_MS = 1000;
const GATHER_MS = 100;

interface Told {
  readonly counts: Counts;
}

function readOrder(): { order: ViewerOrder; seconds: number } {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ host: text, port: text, path: text, room: text, viewers: text, processes: text },
      ...{ rate: text, addresses: text, format: text, tokens: text, texts: text, stall: text },
      // `pending` is for the compiled ones: these are slower than any bound on it.
      ...{ seconds: text, rooms: text, pending: text, churn: { type: 'boolean' } },
    },
  });
  const lines = (path: string | undefined): string[] =>
    path === undefined ? [] : readFileSync(path, 'utf8').split('\n').filter(Boolean);
  const order: ViewerOrder = {
    port: Number(values.port),
    path: values.path ?? '/v1/ws',
    room: values.room ?? 'room',
    rooms: Number(values.rooms ?? 1),
    viewers: Number(values.viewers ?? 1),
    rate: Number(values.rate ?? 2000),
    addresses: Number(values.addresses ?? 4),
    format: values.format === 'deflate' ? 'deflate' : 'json',
    tokens: lines(values.tokens),
    texts: lines(values.texts),
    stall: Number(values.stall ?? 0),
    churn: values.churn === true,
    process: 0,
    processes: 1,
  };
  return { order, seconds: Number(values.seconds ?? 600) };
}

/** A child holds its share of the viewers and tells its counts whenever it is asked. */
function runChild(order: ViewerOrder): void {
  const viewers = new NodeViewers(order);
  process.on('message', (speak: number) => {
    viewers.speak(speak);
    process.send?.({ counts: viewers.counts() } satisfies Told);
  });
  process.on('disconnect', () => process.exit(0));
  viewers.start();
}

function runParent(order: ViewerOrder, seconds: number): void {
  const processes = Math.max(1, Math.ceil(order.viewers / VIEWERS_PER_PROCESS));
  const latest = new Map<number, Counts>();
  const started = clock.now();
  const state = { speak: 0, mark: emptyCounts(), markedAt: started, ready: false };
  const children = Array.from({ length: processes }, (_, i) => {
    const share = Math.floor(order.viewers / processes) + Number(i < order.viewers % processes);
    const own = { ...order, viewers: share, process: i, processes, rate: order.rate / processes };
    const child = fork(import.meta.filename, {
      env: { ...process.env, LOAD: JSON.stringify(own) },
    });
    child.on('message', (told: Told) => latest.set(i, told.counts));
    return child;
  });
  const sum = (): Counts => addCounts([...latest.values()]);
  const print = (type: string, from: Counts, since: number): void => {
    const line = lineOf(type, minus(sum(), from), (clock.now() - since) / 1000);
    process.stdout.write(`${line}\n`);
  };
  const end = (): void => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(0);
  };
  clock.every(GATHER_MS, () => {
    for (const child of children) child.send(state.speak);
    const { joined, failed } = sum().numbers;
    const wanted = order.churn ? 0 : order.viewers;
    if (state.ready || latest.size < processes || joined! + failed! < wanted) return;
    state.ready = true;
    print('ready', emptyCounts(), started);
  });
  clock.every(TELL_MS, () => print('second', emptyCounts(), started));
  clock.after(seconds * 1000, end);
  const input = createInterface({ input: process.stdin });
  input.on('close', end);
  input.on('line', (line) => {
    if (line === 'quit') end();
    if (line.startsWith('speak ')) state.speak = Number(line.slice(6));
    // Counts arrive every 100 ms: both ends of a window are late by the same.
    if (line === 'mark') {
      Object.assign(state, { mark: sum(), markedAt: clock.now() });
      print('marked', state.mark, state.markedAt);
    }
    if (line === 'report') print('report', state.mark, state.markedAt);
    if (line === 'total') print('total', emptyCounts(), started);
  });
}

const load = process.env['LOAD'];
if (load !== undefined) {
  runChild(JSON.parse(load) as ViewerOrder);
} else {
  const { order, seconds } = readOrder();
  runParent(order, seconds);
}
