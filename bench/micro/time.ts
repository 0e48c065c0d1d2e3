/**
 * Owns how a small operation is timed: warmed up, in batches long enough for the clock, the median
 * of several batches. Knows none of the operations.
 */
import { spreadOf } from '../kit.js';

export interface MicroFigure {
  readonly name: string;
  readonly nsPerOp: number;
}

const WARMUP_NS = 200_000_000;
const BATCH_NS = 50_000_000;
const BATCHES = 9;

/** Nanoseconds of one call of `run`; what it returns is kept so that it cannot be optimised away. */
export function timeOf(name: string, run: (index: number) => unknown): MicroFigure {
  const kept: { last: unknown } = { last: undefined };
  let calls = 0;
  const start = process.hrtime.bigint();
  while (process.hrtime.bigint() - start < WARMUP_NS) kept.last = run(calls++);
  const perBatch = Math.max(1, Math.round((calls * BATCH_NS) / WARMUP_NS));
  const batches: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const from = process.hrtime.bigint();
    for (let i = 0; i < perBatch; i++) kept.last = run(i);
    batches.push(Number(process.hrtime.bigint() - from) / perBatch);
  }
  if (kept.last === undefined) throw new Error(`${name} returned nothing`);
  return { name, nsPerOp: spreadOf(batches).median };
}
