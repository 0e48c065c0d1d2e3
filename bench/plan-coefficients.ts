/**
 * Shows the coefficients of the capacity plan beside what the newest reports say, and writes them to
 * src/plan/coefficients.ts with `--write`: `node dist/bench/plan-coefficients.js [--write]`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COEFFICIENTS, type CoefficientName } from '../src/plan/coefficients.js';
import { derive, reportsOf } from './coefficients.js';
import { projectFolder } from './service.js';

const FILE = join(projectFolder, 'src', 'plan', 'coefficients.ts');

function main(args: readonly string[]): void {
  const derived = derive(reportsOf(join(projectFolder, 'bench', 'report')));
  let text = readFileSync(FILE, 'utf8');
  for (const name of Object.keys(COEFFICIENTS) as CoefficientName[]) {
    const { value, from } = COEFFICIENTS[name];
    const found = derived[name];
    const now = found === undefined ? 'in no report' : `${rounded(found.value)} (${found.from})`;
    process.stdout.write(`${name.padEnd(18)} ${String(value).padStart(12)} (${from}) -> ${now}\n`);
    if (found === undefined) continue;
    const entry = new RegExp(`(\\n  ${name}: \\{)[^}]*?(\\n?\\s*meaning:)`);
    text = text.replace(entry, `$1 value: ${rounded(found.value)}, from: '${found.from}',$2`);
  }
  if (args.includes('--write')) writeFileSync(FILE, text);
}

/** Four digits: more is noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

main(process.argv.slice(2));
