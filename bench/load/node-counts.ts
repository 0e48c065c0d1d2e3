/**
 * Owns what Node viewers count, in the shape of counts.h: counters and latency buckets that only
 * rise, so that a window is the difference of two snapshots.
 */

const NAMES = [
  'opened',
  'joined',
  'failed',
  'closed',
  'stalled',
  'flushes',
  'frames',
  'bytes',
  'deliveries',
  'distinct',
  'gaps',
  'repeats',
  'unread',
  'errors',
  'pings',
  'offered',
  'blocked',
  'cpuUs',
] as const;
export type CountName = (typeof NAMES)[number];

export interface Counts {
  readonly numbers: Record<string, number>;
  readonly verdicts: Record<string, number>;
  /** Bucket number to count; 64 steps in every power of two of microseconds. */
  readonly latency: Record<string, number>;
  readonly answer: Record<string, number>;
}

export function emptyCounts(): Counts {
  const numbers = Object.fromEntries(NAMES.map((name) => [name, 0]));
  return { numbers, verdicts: {}, latency: {}, answer: {} };
}

export function count(of: Record<string, number>, name: string | number, by = 1): void {
  of[name] = (of[name] ?? 0) + by;
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = emptyCounts();
  for (const one of all) {
    for (const part of ['numbers', 'verdicts', 'latency', 'answer'] as const) {
      for (const [name, value] of Object.entries(one[part])) count(sum[part], name, value);
    }
  }
  return sum;
}

export function minus(counts: Counts, before: Counts): Counts {
  const negative = (of: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [name, -value]));
  return addCounts([
    counts,
    {
      numbers: negative(before.numbers),
      verdicts: negative(before.verdicts),
      latency: negative(before.latency),
      answer: negative(before.answer),
    },
  ]);
}

export function bucketOf(us: number): number {
  if (us < 64) return Math.max(0, Math.floor(us));
  const shift = Math.floor(Math.log2(us)) - 6;
  return (shift + 1) * 64 + Math.floor(us / 2 ** shift) - 64;
}

function bucketMs(bucket: number): number {
  const shift = Math.floor(bucket / 64) - 1;
  return bucket < 64 ? bucket / 1000 : (((bucket % 64) + 64) * 2 ** shift) / 1000;
}

function timesOf(buckets: Record<string, number>): Record<string, number> {
  const sorted = Object.entries(buckets)
    .map(([bucket, times]): [number, number] => [Number(bucket), times])
    .filter(([, times]) => times > 0)
    .sort((a, b) => a[0] - b[0]);
  const total = sorted.reduce((sum, [, times]) => sum + times, 0);
  const at = (share: number): number => {
    let running = 0;
    const found = sorted.find(([, times]) => (running += times) >= share * total);
    return found === undefined ? 0 : bucketMs(found[0]);
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** One line as counts.h prints it. */
export function lineOf(type: string, counts: Counts, seconds: number): string {
  const verdicts = Object.fromEntries(Object.entries(counts.verdicts).filter(([, n]) => n > 0));
  return JSON.stringify({
    type,
    seconds,
    ...counts.numbers,
    verdicts,
    latencyMs: timesOf(counts.latency),
    answerMs: timesOf(counts.answer),
  });
}
