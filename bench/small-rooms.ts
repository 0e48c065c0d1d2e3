/**
 * Owns the question of many small rooms: what a publication costs and how late it is when there is
 * no crowd to wait for, and the process turns between a thousand rooms.
 */
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const ROOM = 'room';
const ROOMS = 1000;
const ROOM_VIEWERS = 10;
const PER_ROOM_SECOND = 1;
const TEXTS = 5000;
const CREATED_AT_ONCE = 20;
const JOIN_MS_MAX = 60_000;

export async function measureSmallRooms(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    say(`small-rooms run ${run}`);
    const of = { rooms: ROOMS, viewersEach: ROOM_VIEWERS, perRoomSecond: PER_ROOM_SECOND };
    rows.add(of, await runOnce(bench, bench.plan.seed + run));
  }
  return {
    question: 'small-rooms',
    title: 'Small rooms: a thousand of ten viewers, a danmaku a second in each',
    notes: [
      'Rooms with default limits; viewers say the danmaku in turn over their sockets. Latency ' +
        'runs from the send to each viewer of the room that read it.',
    ],
    rows: rows.rows(),
  };
}

async function runOnce(bench: Bench, seed: number): Promise<Record<string, number>> {
  const server = await startService();
  try {
    await openRooms(server);
    return await runLoad(bench, server, new Corpus(seed));
  } finally {
    await server.stop();
  }
}

async function openRooms({ studio }: Server): Promise<void> {
  for (let from = 0; from < ROOMS; from += CREATED_AT_ONCE) {
    const numbers = Array.from({ length: CREATED_AT_ONCE }, (_, i) => from + i);
    await Promise.all(numbers.map((number) => openRoom(studio, `${ROOM}-${number}`)));
  }
}

async function runLoad(
  { plan, builder }: Bench,
  server: Server,
  corpus: Corpus,
): Promise<Record<string, number>> {
  const viewers = ROOMS * ROOM_VIEWERS;
  const token = (_: unknown, i: number) => server.token(`u${10_000 + i}`, `${ROOM}-${i % ROOMS}`);
  const load = new ViewerLoad(builder, {
    port: server.edgePort,
    path: server.path(ROOM),
    room: ROOM,
    rooms: ROOMS,
    viewers,
    tokens: Array.from({ length: viewers }, token),
    texts: Array.from({ length: TEXTS }, () => corpus.text()),
  });
  try {
    await load.ready(JOIN_MS_MAX);
    load.speak(ROOMS * PER_ROOM_SECOND);
    await sleep(plan.warmupSeconds * 1000);
    const window = await measure(server, load, plan.seconds);
    load.speak(0);
    const { counts, seconds } = window;
    return {
      deliveriesPerSecond: counts.deliveries / seconds,
      flushesPerSecond: counts.flushes / seconds,
      framesPerSecond: counts.frames / seconds,
      bytesPerSecond: counts.bytes / seconds,
      deliveriesPerCpuSecond: perCpuSecond(counts.deliveries, window),
      p50Ms: counts.latencyMs.p50,
      p99Ms: counts.latencyMs.p99,
      maxMs: counts.latencyMs.max,
      answerP99Ms: counts.answerMs.p99,
      serverBusy: window.serverBusy,
      loadBusy: window.loadBusy,
      gaps: counts.gaps,
      repeats: counts.repeats,
      closed: counts.closed,
      unread: counts.unread,
    };
  } finally {
    await load.stop();
  }
}
