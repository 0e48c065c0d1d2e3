/**
 * Owns the question of the micro-benchmarks: nanoseconds of the wire's and the room core's operations.
 */
import { say } from '../kit.js';
import { Rows, type Bench, type Table } from '../plan.js';
import type { MicroFigure } from './time.js';
import * as core from './core.js';
import * as wire from './wire.js';

export async function measureMicro(bench: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    say(`micro run ${run}`);
    const figures: readonly MicroFigure[] = wire.run();
    for (const { name, nsPerOp } of figures) {
      rows.add({ operation: name }, { nsPerOp, opsPerSecond: 1e9 / nsPerOp });
    }
    for (const [name, figure] of Object.entries(await core.run())) {
      rows.add({ operation: `room core: ${name}` }, { figure });
    }
  }
  return {
    question: 'micro',
    title: 'Small operations on one core',
    notes: [
      'In the bench process, warmed up; operations of the wire are the median of nine ' +
        'batches of 50 ms, figures of the room core the median of five measurements, their ' +
        'unit in the name.',
    ],
    rows: rows.rows(),
  };
}
