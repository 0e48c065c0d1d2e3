/**
 * The proof: real danmaku of a file through the built service to thousands of viewers on four ways,
 * while a studio posts what must not be lost; at the end every book must balance. Exit code 1 if not.
 */
import { parseArgs } from 'node:util';
import { availableParallelism } from 'node:os';
import { clock, say, sleep, until } from './kit.js';
import { checksOf, tableOf, valueOf, verdictsOf, type Evidence } from './proof/checks.js';
import { ViewerGroup } from './proof/group.js';
import { Keeper } from './proof/keeper.js';
import { runReplay } from './proof/replay.js';
import { openRoom } from './rooms.js';
import { startService, type Server } from './service.js';

const HELP = `usage: npm run proof -- --file <Bilibili XML> [--speed 1|10|max] [--seconds 60]
  [--json 1000] [--deflate 1000] [--sse 100] [--poll 100] [--processes 3] [--keep 5]`;
const ROOM = 'proof';
const SETTLE_MS_MAX = 30_000;

interface Plan {
  readonly file: string;
  readonly speed: string;
  readonly seconds: number;
  readonly viewers: { json: number; deflate: number; sse: number; poll: number };
  readonly processes: number;
  readonly keepPerSecond: number;
}

function readPlan(args: readonly string[]): Plan | undefined {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      file: { type: 'string' },
      help: { type: 'boolean' },
      speed: text('10'),
      seconds: text('120'),
      json: text('1000'),
      deflate: text('1000'),
      sse: text('100'),
      poll: text('100'),
      processes: text(String(Math.max(2, availableParallelism()))),
      keep: text('5'),
    },
  });
  if (values.help === true || values.file === undefined) return undefined;
  const whole = (name: 'seconds' | 'json' | 'deflate' | 'sse' | 'poll' | 'processes' | 'keep') => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} is not a whole number`);
    return value;
  };
  return {
    file: values.file,
    speed: values.speed,
    seconds: whole('seconds'),
    viewers: {
      json: whole('json'),
      deflate: whole('deflate'),
      sse: whole('sse'),
      poll: whole('poll'),
    },
    processes: Math.max(1, whole('processes')),
    keepPerSecond: Math.max(1, whole('keep')),
  };
}

async function prove(server: Server, plan: Plan): Promise<boolean> {
  await openRoom(server.studio, ROOM);
  const wanted = Object.values(plan.viewers).reduce((sum, count) => sum + count, 0);
  const group = new ViewerGroup(
    { port: server.edgePort, room: ROOM, viewers: plan.viewers },
    plan.processes,
  );
  try {
    const joined = await group.joined();
    say(`${joined} of ${wanted} viewers joined`);
    if (joined !== wanted) throw new Error('not all viewers joined');
    const evidence = await gather(server, plan, group);
    const checks = checksOf(evidence);
    process.stdout.write(`${tableOf(checks)}\n`);
    return checks.every(({ left, right }) => left === right);
  } finally {
    group.stop();
  }
}

async function gather(server: Server, plan: Plan, group: ViewerGroup): Promise<Evidence> {
  const started = clock.now();
  const keeper = new Keeper(server.studio, ROOM, plan.keepPerSecond);
  const { file, speed, seconds } = plan;
  const replay = await runReplay(server, { file, room: ROOM, speed, secondsMax: seconds });
  say(replay.output.trimEnd());
  await keeper.stop();
  await settle(server);
  const expected = keeper.expected();
  await until(async () => (await group.behind(expected.length)) === 0, 'viewers', SETTLE_MS_MAX)
    // Whoever is still behind is told by the checks.
    .catch(() => undefined);
  await sleep(2000);
  const { text } = await server.studio.call('GET', '/metrics');
  const { ways, droppable, flaws } = await group.result(expected);
  for (const flaw of [...keeper.flaws, ...flaws]) say(`flaw: ${flaw}`);
  const took = ((clock.now() - started) / 1000).toFixed(1);
  say(`${took} s; studio posted ${keeper.posted}, repeated ${keeper.repeated} of them`);
  for (const [way, result] of Object.entries(ways)) {
    const { viewers, dropWhole } = result;
    say(`${way}: ${result.droppable} droppable deliveries, ${dropWhole}/${viewers} missed none`);
  }
  return {
    replay,
    edgeVerdicts: verdictsOf(text, 'barrage_edge_'),
    roomVerdicts: verdictsOf(text, 'barrage_room_'),
    uplinkItems: valueOf(text, 'barrage_room_uplink_items_total'),
    acknowledged: keeper.acknowledged.size,
    posted: keeper.posted,
    ways,
    droppable,
    flaws: keeper.flaws.length + flaws.length,
  };
}

/** Waits until nothing waits in the room. */
async function settle(server: Server): Promise<void> {
  await until(
    async () => {
      const stats = await server.studio.must('GET', `/v1/rooms/${ROOM}/stats`);
      return Object.values(stats['queued'] as Record<string, number>).every((n) => n === 0);
    },
    'the room to settle',
    SETTLE_MS_MAX,
  );
}

async function main(): Promise<void> {
  const plan = readPlan(process.argv.slice(2));
  if (plan === undefined) {
    say(HELP);
    process.exitCode = 2;
    return;
  }
  const server = await startService();
  try {
    process.exitCode = (await prove(server, plan)) ? 0 : 1;
  } finally {
    await server.stop();
  }
}

main().catch((error: unknown) => {
  say(`proof: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
