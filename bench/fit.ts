/** Owns fitting a sum of terms to measured values: least squares, relative, none of the terms negative. */

const ROUNDS = 20_000;

/**
 * The factors x ≥ 0 that make `terms · x` closest to `values`, each error taken as a share of its
 * value. Cyclic coordinate descent (Franc, Hlaváč and Navara 2005): small, and sure to arrive.
 */
export function fitNonNegative(
  terms: readonly (readonly number[])[],
  values: readonly number[],
): number[] {
  const scaled = terms.map((row, i) => row.map((term) => term / values[i]!));
  const columns = scaled[0]?.length ?? 0;
  const factors = new Array<number>(columns).fill(0);
  const rest = scaled.map(() => 1);
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = 0; at < columns; at++) {
      let along = 0;
      let square = 0;
      scaled.forEach((row, i) => {
        along += row[at]! * rest[i]!;
        square += row[at]! ** 2;
      });
      if (square === 0) continue;
      const next = Math.max(0, factors[at]! + along / square);
      const step = next - factors[at]!;
      factors[at] = next;
      scaled.forEach((row, i) => (rest[i]! -= row[at]! * step));
    }
  }
  return factors;
}
