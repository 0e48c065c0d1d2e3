/**
 * Owns the question of the capacity plan: a giant audience counted event by event beside what the plan
 * says of it. Time is simulated and nothing is measured, so any machine gives the same figures.
 */
import { COSTS } from '../../src/plan/coefficients.js';
import { readPlanInput } from '../../src/plan/input.js';
import { clock, say } from '../kit.js';
import { Rows, type Bench, type Table } from '../plan.js';
import { simulate, type SimulationResult } from './run.js';

/** The audience asked for, in the words of `barrage plan`. */
type AudienceText = Readonly<Record<'viewers' | 'regions' | 'survive', string>>;
const AUDIENCE: AudienceText = { viewers: '10M', regions: '3', survive: 'region' };
const QUICK_AUDIENCE: AudienceText = { ...AUDIENCE, viewers: '1M' };

/** A run has chances of its own; all have the same audience. */
export function measureSimulation({ plan }: Bench): Promise<readonly Table[]> {
  const text = plan.quick ? QUICK_AUDIENCE : AUDIENCE;
  const input = readPlanInput(text);
  const [figures, losses] = [new Rows(), new Rows()];
  for (let run = 1; run <= plan.runs; run++) {
    say(`simulation of ${text.viewers} viewers run ${run}`);
    const began = clock.now();
    const result = simulate({ input, costs: COSTS, seed: plan.seed + run });
    addFigures(figures, text, result);
    addLosses(losses, text, result);
    say(`${((clock.now() - began) / 1000).toFixed(1)} s`);
  }
  return Promise.resolve([
    {
      question: 'simulation',
      title: `Capacity plan: ${text.viewers} viewers counted event by event`,
      notes: [
        'What `barrage plan` says of each figure per second, and what a simulation counts ' +
          '(docs/adr/0026-capacity-plan.md): every flush, poll, join, request and report, with ' +
          "dispatch's desk and the edge's pacer. It checks the plan's arithmetic, not its costs, " +
          'which are other questions of the bench.',
        'Time is simulated: the seconds, cores and load above say nothing here; a run is other chances.',
        '`coming`: the last seconds of the minute in which all come, when newcomers fetch from the CDN ' +
          'what it still lists; `steady`: as many come as go.',
      ],
      rows: figures.rows(),
    },
    {
      question: 'simulation-losses',
      title: `Capacity plan: what ${text.viewers} viewers lose`,
      notes: [
        'Viewers of the edges lost come back elsewhere within two seconds; the rest is counted 13 s ' +
          'later. `spread`: viewers of the fullest edge to those of the mean one, before.',
      ],
      rows: losses.rows(),
    },
  ]);
}

function addFigures(rows: Rows, text: AudienceText, of: SimulationResult) {
  for (const { when, what, viewers, arrivals, planned, counted } of of.compared) {
    rows.add(
      { ...text, when, figure: what },
      {
        ...{ online: viewers, arrivalsPerSecond: arrivals },
        ...{ plannedPerSecond: planned, countedPerSecond: counted },
        errorPercent: (counted / planned - 1) * 100,
      },
    );
  }
}

function addLosses(rows: Rows, text: AudienceText, of: SimulationResult) {
  for (const { loss, stranded, homeless, viewersMax, busyMax } of of.losses) {
    rows.add(
      { ...text, lost: loss },
      {
        ...{ edges: of.edges, spread: of.spread, moved: stranded, withoutEdge: homeless },
        ...{ fullestEdge: viewersMax, fullestBusy: busyMax, comingBusy: of.busyMaxComing },
      },
    );
  }
}
