/** What must hold of ticks in a row: that no user takes more than its places, that no lane starves. */
import { classOf } from '../../src/words.js';
import { paceOf } from '../../room/core/audience.js';
import { PACED_LANES, type PacedLane } from '../../room/core/budget.js';
import type { RoomState } from '../../room/core/state.js';
import type { TickPlan } from '../../room/core/types.js';

const DROPPABLE = ['normal', 'low'] as const;

/** R-TICK-5: who has more than `perUserPerTick` of a lane has it because nobody else was waiting. */
export class Fairness {
  readonly #perUser: number;

  constructor(state: RoomState) {
    this.#perUser = state.settings.perUserPerTick;
  }

  check(state: RoomState, plan: TickPlan): void {
    for (const lane of DROPPABLE) {
      const taken = new Map<string, number>();
      for (const { publication, refs } of plan.drop) {
        const by = publication.user?.id;
        if (publication.lane !== lane || by === undefined || refs.length === 0) continue;
        taken.set(by, (taken.get(by) ?? 0) + 1);
      }
      if (Math.max(0, ...taken.values()) <= this.#perUser) continue;
      for (const { said } of state.lanes[lane].entries) {
        const by = said.user?.id;
        if (by !== undefined && (taken.get(by) ?? 0) >= this.#perUser) continue;
        throw new Error(`${lane}: a user took more than its places while ${by ?? 'one'} waited`);
      }
    }
  }
}

/** R-TICK-4: while ticks run on time a lane that always has something waiting gets its share in 2 s. */
export class Shares {
  #since: Partial<Record<PacedLane, { at: number; sent: number }>> = {};
  #waiting: Partial<Record<PacedLane, boolean>> = {};
  #row = -1;
  #tickAt = -Infinity;

  reset(): void {
    this.#since = {};
  }

  before(state: RoomState): void {
    for (const lane of PACED_LANES) this.#waiting[lane] = state.lanes[lane].entries.length > 0;
  }

  after(state: RoomState, plan: TickPlan, now: number): void {
    const pace = paceOf(state.settings, state.row);
    const isLate = now - this.#tickAt > 2 * pace.tickMs;
    // Longer ticks leave too few in two seconds for whole publications to come out even.
    if (isLate || state.row !== this.#row || pace.tickMs > 250) this.reset();
    this.#tickAt = now;
    this.#row = state.row;
    for (const lane of PACED_LANES) {
      if (!this.#waiting[lane] || state.lanes[lane].entries.length === 0) {
        delete this.#since[lane];
        continue;
      }
      const planned = classOf(lane) === 'keep' ? plan.keep : plan.drop;
      const sent = planned.filter(({ publication }) => publication.lane === lane).length;
      const since = (this.#since[lane] ??= { at: now, sent: 0 });
      since.sent += sent;
      if (now - since.at < 2000 + pace.tickMs) continue;
      const share = (state.settings.lanes[lane].share * pace.budgetPerSecond) / 100;
      if (since.sent < Math.floor(share)) {
        throw new Error(`${lane} starves: ${since.sent} in 2 s of ${share} a second`);
      }
      delete this.#since[lane];
    }
  }
}
