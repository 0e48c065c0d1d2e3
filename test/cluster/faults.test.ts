/**
 * A real cluster under steady load while its processes and servers are killed, frozen, restarted and
 * cut off, at random from a seed that is printed. More and other runs: FAULTS=100 FAULT_SEED=7.
 */
import { expect, it } from 'vitest';
import { recoveryTable, runFaults, textOf, type RunOptions, type RunReport } from './run.js';

const FAULTS = Number(process.env['FAULTS'] ?? 15);
const SEED = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 1e6));
/** A killed owner or edge is replaced within this. */
const LOST_MS = 3000;
/** Noticed after 0.7 s, elected and told of within two more; double that for a busy machine. */
const FAILOVER_MS = 5000;

const CROWD: RunOptions['crowd'] = {
  rooms: ['alpha', 'beta', 'gamma', 'delta'],
  viewersPerRoom: 50,
  postsPerSecond: 5,
  danmakuPerSecond: 20,
};

function check(report: RunReport): void {
  process.stdout.write(`seed ${report.seed}: ${report.acknowledged} acknowledged, `);
  process.stdout.write(`${report.received} received\n${recoveryTable(report)}\n`);
  const faults = report.recoveries.map(({ fault }) => textOf(fault)).join('\n');
  expect(report.flaws, `seed ${report.seed}\n${faults}\n${report.logs}`).toEqual([]);
  const late = report.recoveries.filter(
    ({ fault, silenceMs }) => /^(room|edge) killed/.test(fault.kind) && silenceMs > LOST_MS,
  );
  expect(late.map(({ fault, silenceMs }) => `${textOf(fault)}: ${silenceMs} ms`)).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(0);
}

it(
  'X-FAULT-1 no fault loses, repeats or reorders what was acknowledged, and nobody is stuck',
  { timeout: 60_000 + FAULTS * 40_000 },
  async () => {
    const cluster = { rooms: 3, edges: 2 };
    check(await runFaults({ seed: SEED, faults: FAULTS, cluster, crowd: CROWD }));
  },
);

it(
  'X-FAULT-2 the same with three servers of NATS, and Redis with a replica that takes over',
  { timeout: 60_000 + FAULTS * 40_000 },
  async () => {
    const cluster = { rooms: 3, edges: 2, natsServers: 3, replicas: 1 } as const;
    const faults = Math.ceil(FAULTS / 3);
    check(await runFaults({ seed: SEED, faults, cluster, crowd: CROWD }));
  },
);

it(
  'X-FAULT-3 with two replicas posts go on once one of them took over, though Redis stays away',
  { timeout: 60_000 },
  async () => {
    const cluster = { rooms: 2, edges: 1, replicas: 2 };
    const only = [{ kind: 'redis killed', target: 0, lastsMs: 6000, isSilent: false }] as const;
    const report = await runFaults({ seed: SEED, faults: 1, cluster, crowd: CROWD, only });
    check(report);
    expect(report.recoveries[0]!.silenceMs).toBeGreaterThan(500);
    expect(report.recoveries[0]!.silenceMs).toBeLessThan(FAILOVER_MS);
  },
);
