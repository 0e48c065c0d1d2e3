/**
 * Owns the question of the uplink: danmaku offered by many viewers as fast as asked, what became of
 * each, what that costs, and whether the viewers' frames still come in time.
 */
import type { SettingsPatch } from '../src/room-settings.js';
import { COMMANDS_PER_SECOND } from '../src/limits.js';
import { FATES, LOSSES } from '../src/verdict.js';
import { Corpus } from './corpus.js';
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { OPEN_UPLINK, openRoom } from './rooms.js';
import { startService, type Server } from './service.js';
import { ViewerLoad, type ViewerCounts } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

interface Case {
  readonly offeredPerSecond: number;
  readonly viewers: number;
  readonly room: 'open' | 'default';
}

const ROOM = 'room';
const FLOOD_VIEWERS = 200;
const JOIN_MS_MAX = 60_000;
const ANSWERS_MS_MAX = 15_000;
const TEXTS = 5000;
const SHOWN: readonly string[] = FATES;
const LET_GO: readonly string[] = LOSSES;

export async function measureUplink(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    for (const one of cases(bench)) {
      say(`uplink run ${run}: ${one.offeredPerSecond}/s of ${one.viewers} viewers, ${one.room}`);
      rows.add({ ...one }, await runCase(bench, one, run));
    }
  }
  return {
    question: 'uplink',
    title: 'Uplink: danmaku offered by viewers',
    notes: [
      `Room "open" lets every danmaku in and samples down to 60/s for each viewer; ` +
        `"default" has the default limits (200/s for the room). A connection may give ` +
        `${COMMANDS_PER_SECOND} commands a second: ${FLOOD_VIEWERS} viewers are refused at ` +
        `the edge beyond that, more viewers leave the decision to the room.`,
      'Shown is published, merged and counted; let go is sampled_out and shed, whether ' +
        'by the room or, at its wish, already at the edge; admitted is both together; ' +
        'refused is every other verdict. `unanswered` is offered minus all verdicts after ' +
        'the load ended and must be 0.',
      'Latency is that of published danmaku, from the send to every viewer: under load a ' +
        'danmaku may wait up to a second for its place, since the choice is fair to all ' +
        'ages; answer is from the send to the verdict at its sender. `notTaken` are ' +
        'danmaku the socket would not take at once, which were therefore not offered.',
    ],
    rows: rows.rows(),
  };
}

function cases({ plan }: Bench): Case[] {
  const open = plan.offered.map((offeredPerSecond) => ({
    offeredPerSecond,
    // Three quarters of what a connection may say, so that none is refused for its own haste.
    viewers: Math.ceil(offeredPerSecond / (COMMANDS_PER_SECOND * 0.75)),
    room: 'open' as const,
  }));
  const most = Math.max(...plan.offered);
  const full = open.find((one) => one.offeredPerSecond === most)!;
  return [
    ...open,
    { ...full, room: 'default' },
    { ...full, viewers: FLOOD_VIEWERS, room: 'default' },
  ];
}

async function runCase(bench: Bench, one: Case, run: number): Promise<Record<string, number>> {
  const server = await startService();
  try {
    const limits: SettingsPatch = one.room === 'open' ? OPEN_UPLINK : { audience: [] };
    await openRoom(server.studio, ROOM, limits);
    return await runLoad(bench, one, server, bench.plan.seed + run);
  } finally {
    await server.stop();
  }
}

async function runLoad(
  { plan, builder }: Bench,
  one: Case,
  server: Server,
  seed: number,
): Promise<Record<string, number>> {
  const corpus = new Corpus(seed);
  const load = new ViewerLoad(builder, {
    port: server.edgePort,
    path: server.path(ROOM),
    room: ROOM,
    viewers: one.viewers,
    tokens: Array.from({ length: one.viewers }, (_, i) => server.token(`u${i}`, ROOM)),
    texts: Array.from({ length: TEXTS }, () => corpus.text()),
  });
  try {
    await load.ready(JOIN_MS_MAX);
    load.speak(one.offeredPerSecond);
    await sleep(plan.warmupSeconds * 1000);
    const window = await measure(server, load, plan.seconds);
    load.speak(0);
    const { counts, seconds } = window;
    const shown = sumOf(counts, (verdict) => SHOWN.includes(verdict));
    const letGo = sumOf(counts, (verdict) => LET_GO.includes(verdict));
    const answered = sumOf(counts, () => true);
    const unanswered = await untilAnswered(load);
    return {
      offeredPerSecond: counts.offered / seconds,
      notTakenPerSecond: counts.blocked / seconds,
      shownPerSecond: shown / seconds,
      letGoPerSecond: letGo / seconds,
      refusedPerSecond: (answered - shown - letGo) / seconds,
      answeredPerCpuSecond: perCpuSecond(answered, window),
      admittedPerCpuSecond: perCpuSecond(shown + letGo, window),
      refusedPerCpuSecond: perCpuSecond(answered - shown - letGo, window),
      unanswered,
      answerP50Ms: counts.answerMs.p50,
      answerP99Ms: counts.answerMs.p99,
      deliveriesPerSecond: counts.deliveries / seconds,
      flushesPerSecond: counts.flushes / seconds,
      framesPerSecond: counts.frames / seconds,
      bytesPerSecond: counts.bytes / seconds,
      latencyP50Ms: counts.latencyMs.p50,
      latencyP99Ms: counts.latencyMs.p99,
      serverBusy: window.serverBusy,
      loadBusy: window.loadBusy,
      gaps: counts.gaps,
      closed: counts.closed,
    };
  } finally {
    await load.stop();
  }
}

function sumOf(counts: ViewerCounts, which: (verdict: string) => boolean): number {
  return Object.entries(counts.verdicts)
    .filter(([verdict]) => which(verdict))
    .reduce((sum, [, count]) => sum + count, 0);
}

/** Waits for the verdicts still open and returns how many never came, over the whole run. */
async function untilAnswered(load: ViewerLoad): Promise<number> {
  let open = Number.NaN;
  for (let waited = 0; waited < ANSWERS_MS_MAX; waited += 500) {
    await sleep(500);
    const total = await load.total();
    open = total.offered - sumOf(total, () => true);
    if (open === 0) break;
  }
  return open;
}
