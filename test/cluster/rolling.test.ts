/**
 * A rolling restart as a supervisor does it, under load: every room service, every edge and a NATS
 * server, one after the other. What is posted is kept and told as the ledger of test/cluster says.
 */
import { expect, it } from 'vitest';
import type { FaultKind } from './faults.js';
import { recoveryTable, runFaults, textOf } from './run.js';

const DRAIN_MS = 1000;
const JITTER_MS = 500;
/** To connect, join and be sent the next publication, on a machine that does all of this at once. */
const RECONNECT_MS = 1500;

it(
  'X-ROLL-1 a rolling restart loses and repeats nothing, and nobody is away for long',
  { timeout: 90_000 },
  async () => {
    const planned = (kind: FaultKind, target: number) => ({
      ...{ kind, target, lastsMs: 0, isSilent: false },
    });
    const report = await runFaults({
      ...{ seed: 1, faults: 0 },
      cluster: {
        ...{ rooms: 3, edges: 2, natsServers: 3 },
        config: {
          drain: { window: `${DRAIN_MS}ms` },
          edge: { reconnectJitter: `${JITTER_MS}ms` },
        },
      },
      crowd: {
        ...{ rooms: ['alpha', 'beta'], viewersPerRoom: 50 },
        ...{ postsPerSecond: 5, danmakuPerSecond: 10 },
      },
      only: [
        ...[0, 1, 2].map((target) => planned('room restarted', target)),
        ...[0, 1].map((target) => planned('edge restarted', target)),
        planned('nats killed', 0),
      ],
    });
    process.stdout.write(`${report.acknowledged} acknowledged, ${report.received} received\n`);
    process.stdout.write(`${recoveryTable(report)}\n`);
    expect(report.flaws, report.logs).toEqual([]);
    expect(report.recoveries).toHaveLength(6);
    expect(report.acknowledged).toBeGreaterThan(50);
    const late = report.recoveries.filter(
      ({ silenceMs }) => silenceMs > DRAIN_MS + JITTER_MS + RECONNECT_MS,
    );
    expect(late.map(({ fault, silenceMs }) => `${textOf(fault)}: ${silenceMs} ms`)).toEqual([]);
    // Verdicts of danmaku said meanwhile are ends like others; most are published.
    expect(report.verdicts.get('published') ?? 0).toBeGreaterThan(0);
  },
);
