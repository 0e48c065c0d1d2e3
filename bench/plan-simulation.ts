/**
 * Simulates the audience of a plan event by event and shows it beside the plan's arithmetic:
 * `node dist/bench/plan-simulation.js --viewers 10M --regions 3 --survive region`, with the options
 * of `barrage plan`.
 */
import { parseArgs } from 'node:util';
import { PLAN_OPTIONS } from '../src/cli/plan.js';
import { COSTS } from '../src/plan/coefficients.js';
import { readPlanInput, type PlanText } from '../src/plan/input.js';
import { clock } from './kit.js';
import { simulate } from './simulation/run.js';

function main(args: readonly string[]): void {
  const names = PLAN_OPTIONS.map(({ name, flag }) => ({
    name,
    option: flag.slice(2).split(' ')[0]!,
  }));
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(names.map(({ option }) => [option, { type: 'string' as const }])),
      seed: { type: 'string', default: '1' },
    },
  });
  const given = values as Readonly<Record<string, string | undefined>>;
  const text = Object.fromEntries(
    names.flatMap(({ name, option }) =>
      given[option] === undefined ? [] : [[name, given[option]]],
    ),
  ) as PlanText;
  const input = readPlanInput({ viewers: '10M', regions: '3', survive: 'region', ...text });
  const began = clock.now();
  const result = simulate({ input, costs: COSTS, seed: Number(values.seed) });
  const seconds = ((clock.now() - began) / 1000).toFixed(1);
  const lines = [
    `${result.viewers} viewers on ${result.edges} edges, simulated in ${seconds} s`,
    ...result.compared.map(({ what, when, planned, counted }) => {
      const error = `${((counted / planned - 1) * 100).toFixed(1)} %`.padStart(8);
      const figures = [planned, counted].map((one) => Math.round(one).toString().padStart(14));
      return `${`${what}, ${when}`.padEnd(38)} planned ${figures[0]}/s  counted ${figures[1]}/s ${error}`;
    }),
    `fullest edge ${result.spread.toFixed(3)} of the mean; ` +
      `busiest edge while all came ${(result.busyMaxComing * 100).toFixed(1)} %`,
    ...result.losses.map(
      ({ loss, stranded, homeless, viewersMax, busyMax }) =>
        `${loss} lost: ${stranded} viewers moved, ${homeless} without an edge 13 s later, ` +
        `fullest edge ${viewersMax}, busiest ${(busyMax * 100).toFixed(1)} %`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

main(process.argv.slice(2));
