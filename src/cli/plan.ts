/** Owns the command `plan`: its options, and what it prints. The arithmetic is in src/plan/. */
import { COEFFICIENTS, COSTS } from '../plan/coefficients.js';
import { PLAN_FIELDS, readPlanInput, type PlanField, type PlanText } from '../plan/input.js';
import { makePlan } from '../plan/plan.js';
import type { ProgramIo } from './io.js';
import { planText } from './plan-text.js';

export interface PlanOption {
  readonly name: PlanField;
  readonly flag: string;
  readonly help: string;
}

/** In the order of the help. */
export const PLAN_OPTIONS: readonly PlanOption[] = [
  ...Object.entries(PLAN_FIELDS).map(([name, { flag, help }]) => ({
    ...{ name: name as PlanField, flag, help },
  })),
  { name: 'cdn', flag: '--cdn <mode>', help: 'auto, off, or the share that follows it (auto)' },
  {
    name: 'survive',
    flag: '--survive <loss>',
    help: 'nothing, machine (of each region) or region (machine)',
  },
];

/** Throws BarrageError `invalid` with field and rule. */
export function printPlan(text: PlanText, isJson: boolean, io: ProgramIo): void {
  const plan = makePlan(readPlanInput(text), COSTS);
  if (isJson) io.out(`${JSON.stringify({ ...plan, coefficients: COEFFICIENTS }, null, 2)}\n`);
  else io.out(planText(plan));
}
