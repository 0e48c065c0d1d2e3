/**
 * Owns the small tools every measurement needs: time on the clock the load programs share, waiting,
 * free ports, medians. Knows nothing of what is measured.
 */
import { createServer, type AddressInfo } from 'node:net';
import { SystemClock } from '../src/adapters/system-clock.js';

export const clock = new SystemClock();

/** Microseconds of CLOCK_MONOTONIC: the same clock in every process of this machine. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** Resolves once `test` holds; rejects with `what` after `timeoutMs`. */
export async function until(
  test: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs: number,
): Promise<void> {
  const end = clock.now() + timeoutMs;
  while (!(await test())) {
    if (clock.now() > end) throw new Error(`gave up after ${timeoutMs} ms waiting for ${what}`);
    await sleep(25);
  }
}

/** A promise that rejects with `what` unless `work` settles within `timeoutMs`. */
export function within<T>(work: Promise<T>, what: string, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = clock.after(timeoutMs, () =>
      reject(new Error(`gave up after ${timeoutMs} ms waiting for ${what}`)),
    );
    work.then(resolve, reject).finally(() => late.cancel());
  });
}

/** A port nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Median with the smallest and largest value beside it. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
