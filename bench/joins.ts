/**
 * Owns the question of joins: viewers with tokens that connect, join and leave as fast as they can.
 */
import { say, sleep } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';
import { openRoom } from './rooms.js';
import { startService } from './service.js';
import { ViewerLoad } from './viewer-load.js';
import { measure, perCpuSecond } from './window.js';

const ROOM = 'room';
const AT_ONCE = 128;

export async function measureJoins(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    say(`joins run ${run}`);
    rows.add({ viewersAtOnce: AT_ONCE }, await runOnce(bench));
  }
  return {
    question: 'joins',
    title: 'Joins: connect, upgrade, verify the token, join, leave',
    notes: [
      'Each join is a new TCP connection and WebSocket upgrade with a signed token of ' +
        'its own user; the viewer leaves by a reset as soon as it was told `joined`.',
    ],
    rows: rows.rows(),
  };
}

async function runOnce({ plan, builder }: Bench): Promise<Record<string, number>> {
  const server = await startService();
  try {
    await openRoom(server.studio, ROOM);
    const load = new ViewerLoad(builder, {
      port: server.edgePort,
      path: server.path(ROOM),
      room: ROOM,
      viewers: AT_ONCE,
      tokens: Array.from({ length: AT_ONCE }, (_, i) => server.token(`u${i}`, ROOM)),
      churn: true,
    });
    try {
      await sleep(1000);
      const window = await measure(server, load, plan.seconds);
      const { counts, seconds } = window;
      return {
        joinsPerSecond: counts.joined / seconds,
        joinsPerCpuSecond: perCpuSecond(counts.joined, window),
        failed: counts.failed,
        closed: counts.closed,
        errors: counts.errors,
        serverBusy: window.serverBusy,
        loadBusy: window.loadBusy,
        serverRssMegabytes: window.serverRssBytes / 1e6,
      };
    } finally {
      await load.stop();
    }
  } finally {
    await server.stop();
  }
}
