/** Owns drawing how many of many independent events happen. Knows nothing of what they are. */
import type { Random } from '../../src/random.js';

const KNUTH_MAX = 30;

/** A Poisson number: by Knuth's products while the mean is small, then by the normal law near it. */
export function poisson(random: Random, mean: number): number {
  if (mean <= 0) return 0;
  if (mean < KNUTH_MAX) {
    const limit = Math.exp(-mean);
    let product = random.next();
    let count = 0;
    for (; product > limit; count++) product *= random.next();
    return count;
  }
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  const normal = radius * Math.cos(2 * Math.PI * random.next());
  return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
}
