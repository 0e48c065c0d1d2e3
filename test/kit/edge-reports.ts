/** Reports of edges that are not there, and a desk that heard them at a time the test says. */
import { DISPATCH_DEFAULTS, type DispatchConfig } from '../../src/dispatch-settings.js';
import {
  DispatchDesk,
  type CdnFacts,
  type Cdns,
  type DispatchQuestion,
} from '../../room/dispatch/desk.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { seededRandom } from '../../src/random.js';
import type { EdgeReport } from '../../src/wire/edge-report.js';

export const NOW = 1_700_000_000_000;

export function reportOf(edge: string, more: Partial<EdgeReport> = {}): EdgeReport {
  return {
    edge: edge as EdgeId,
    url: `http://${edge}.example:8080`,
    region: '',
    viewers: 0,
    capacity: 1000,
    egressBytesPerSecond: 0,
    busy: 0,
    lagMs: 0,
    draining: false,
    at: NOW,
    ...more,
  };
}

export function deskOf(
  reports: readonly EdgeReport[],
  config: Partial<DispatchConfig> = {},
  cdns: Cdns = () => [],
  cdnFact: CdnFacts = () => undefined,
): DispatchDesk {
  const desk = new DispatchDesk(
    { ...DISPATCH_DEFAULTS, ...config },
    { random: seededRandom(5), cdns, cdnFact },
  );
  for (const report of reports) desk.hear(report, NOW);
  return desk;
}

/** Ids of the edges handed out, the best first. */
export function ask(
  desk: DispatchDesk,
  question: Partial<Omit<DispatchQuestion, 'room'>> & { room?: string } = {},
  now = NOW,
): string[] {
  const room = question.room as RoomId | undefined;
  return desk.dispatch({ count: 3, address: '', ...question, room }, now).edges.map(({ id }) => id);
}

/** How often each edge came first. */
export function tally(times: number, first: (i: number) => string | undefined) {
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    const id = first(i) ?? 'none';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}
