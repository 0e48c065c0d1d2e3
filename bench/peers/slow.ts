/**
 * Owns the comparison of slow viewers: one of ten stops reading for ten seconds, by every server in turn.
 */
import { clock, say, sleep } from '../kit.js';
import { tcpBufferBytes } from '../machine.js';
import { Rows, type Bench, type Table } from '../plan.js';
import { measure } from '../window.js';
import { peersNamed } from './catalog.js';
import type { Peer } from './peer.js';
import { Session } from './session.js';
import { slowTable } from './tables.js';

const VIEWERS = 1000;
const PAUSED_NTH = 10;
const PAUSE_MS = 10_000;
const SAMPLE_MS = 250;
/** At this rate the kernel cannot take what is not read; only those that batch can hold it. */
const HIGH_PER_SECOND = 1000;

export async function measurePeersSlow(bench: Bench): Promise<readonly Table[]> {
  const { plan } = bench;
  const rows = new Rows();
  const absent = new Set<string>();
  for (let run = 1; run <= plan.runs; run++) {
    for (const peer of peersNamed(plan.peers)) {
      const why = peer.missing();
      if (why !== undefined) absent.add(`${peer.name}: ${why}`);
      else await addRuns(bench, { rows, absent, run }, peer);
    }
  }
  const notes = [...absent].map((one) => `**not measured: ${one}**`);
  return [slowTable(rows.rows(), { viewers: VIEWERS, pauseMs: PAUSE_MS, notes })];
}

async function addRuns(
  bench: Bench,
  { rows, absent, run }: { rows: Rows; absent: Set<string>; run: number },
  peer: Peer,
): Promise<void> {
  const asked = bench.plan.rates[0] ?? 0;
  const rates = peer.sends === 'each' || bench.plan.quick ? [asked] : [asked, HIGH_PER_SECOND];
  for (const perSecond of rates) {
    say(`peers slow run ${run}: ${peer.name}, ${VIEWERS} viewers × ${perSecond}/s`);
    try {
      const values = await runCase(bench, peer, { perSecond, run });
      rows.add({ server: peer.name, sends: peer.sends, perSecond }, values);
    } catch (error) {
      const why = String(error).split('\n')[0]!.slice(0, 200);
      say(`  failed: ${why}`);
      absent.add(`${peer.name} × ${perSecond}/s in run ${run}: ${why}`);
    }
  }
}

async function runCase(
  { plan, builder }: Bench,
  peer: Peer,
  { perSecond, run }: { readonly perSecond: number; readonly run: number },
): Promise<Record<string, number>> {
  const seed = plan.seed + run;
  const session = await Session.open(peer, { builder, viewers: VIEWERS, perSecond, seed });
  try {
    await session.warm(perSecond, plan.warmupSeconds * 1000);
    const calm = await measure(session.server, session.load, plan.seconds);
    const growth = new Growth(session);
    session.load.pause(PAUSED_NTH);
    const paused = await measure(session.server, session.load, PAUSE_MS / 1000);
    const grown = growth.stop();
    session.load.pause(0);
    await sleep(1000);
    const total = await session.drain();
    const all = session.posts.posted * VIEWERS;
    return {
      p50CalmMs: calm.counts.latencyMs.p50,
      p99CalmMs: calm.counts.latencyMs.p99,
      p99PausedMs: paused.counts.latencyMs.p99,
      maxPausedMs: paused.counts.latencyMs.max,
      ...grown,
      closed: total.closed,
      missed: Math.max(0, all - total.deliveries) / Math.max(1, all),
    };
  } finally {
    await session.stop();
  }
}

/** The most that memory grew from its making on. */
class Growth {
  readonly #before = tcpBufferBytes();
  readonly #rssBefore: number;
  #tcp = 0;
  #rss = 0;
  readonly #timer;

  constructor(session: Session) {
    this.#rssBefore = session.server.usage().rssBytes;
    this.#timer = clock.every(SAMPLE_MS, () => {
      this.#tcp = Math.max(this.#tcp, tcpBufferBytes() - this.#before);
      this.#rss = Math.max(this.#rss, session.server.usage().rssBytes - this.#rssBefore);
    });
  }

  stop(): Record<string, number> {
    this.#timer.cancel();
    return { rssMegabytes: this.#rss / 1e6, tcpMegabytes: this.#tcp / 1e6 };
  }
}
