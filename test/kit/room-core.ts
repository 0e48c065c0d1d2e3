/** Rooms, danmaku and draws for the tests of the room core; every part can be overridden. */
import type { RoomId, UserId } from '../../src/ids.js';
import { seededRandom, type Random } from '../../src/random.js';
import { DEFAULT_SETTINGS, type RoomSettings } from '../../src/room-settings.js';
import type { Lane } from '../../src/words.js';
import { admit, offer } from '../../room/core/admit.js';
import { checkInvariants } from '../../room/core/invariants.js';
import { openRoom, takeSettled, type RoomState } from '../../room/core/state.js';
import { settleKept, tick } from '../../room/core/tick.js';
import type { Arrival, Offer, RoomSeed, Settlement, TickPlan } from '../../room/core/types.js';

export const T0 = 1_700_000_000_000;

/** Defaults with the limits on users and room wide open, so that lanes and ticks are the subject. */
export const OPEN_SETTINGS: RoomSettings = {
  ...DEFAULT_SETTINGS,
  uplinkPerSecond: 1_000_000,
  uplinkBurst: 1_000_000,
  userPerSecond: 1000,
  userBurst: 1000,
};

export function room(patch: Partial<RoomSettings> = {}, seed: Partial<RoomSeed> = {}): RoomState {
  return openRoom({
    room: 'r1' as RoomId,
    epoch: 7,
    status: 'open',
    settings: { ...OPEN_SETTINGS, ...patch },
    mutes: new Map(),
    bans: new Map(),
    allowed: new Map(),
    likes: 0,
    now: T0,
    ...seed,
  });
}

export function lanesWith(
  change: Partial<Record<Lane, Partial<RoomSettings['lanes'][Lane]>>>,
): RoomSettings['lanes'] {
  const lanes = { ...DEFAULT_SETTINGS.lanes };
  for (const [lane, patch] of Object.entries(change)) {
    lanes[lane as Lane] = { ...lanes[lane as Lane], ...patch };
  }
  return lanes;
}

export function user(id: string): UserId {
  return id as UserId;
}

export function said(by: string, text: string, more: Partial<Arrival> = {}): Arrival {
  return {
    ref: `${by}:${text}`,
    user: { id: user(by) },
    role: 'member',
    kind: 'danmaku',
    text,
    ...more,
  };
}

export function offered(lane: Lane, text: string, more: Partial<Offer> = {}): Offer {
  return { ref: `studio:${text}`, lane, kind: 'chat', text, ...more };
}

/** A core with its random and the settlements it gave, checked for invariants at every step. */
export class Table {
  readonly random: Random;
  readonly settled: Settlement[] = [];

  constructor(
    readonly state: RoomState,
    seed = 1,
  ) {
    this.random = seededRandom(seed);
  }

  /** The verdict at once, or undefined when the danmaku waits. */
  admit(arrival: Arrival, now = T0): Settlement | undefined {
    admit(this.state, arrival, now, this.random);
    return this.#drain().find(({ ref }) => ref === arrival.ref);
  }

  offer(given: Offer, now = T0): Settlement | undefined {
    offer(this.state, given, now, this.random);
    return this.#drain().find(({ ref }) => ref === given.ref);
  }

  /** Ticks; keepable publications count as logged. */
  tick(now: number): TickPlan {
    const plan = tick(this.state, now, this.random);
    settleKept(this.state, plan.keep, 'published');
    this.#drain();
    return plan;
  }

  /** How many ended with the verdict. */
  ended(verdict: Settlement['verdict']): number {
    return this.settled.filter((settlement) => settlement.verdict === verdict).length;
  }

  #drain(): Settlement[] {
    const broken = checkInvariants(this.state);
    if (broken.length > 0) throw new Error(`broken invariants: ${broken.join('; ')}`);
    const drained = takeSettled(this.state);
    this.settled.push(...drained);
    return drained;
  }
}

export function textsOf(plans: TickPlan['keep']): (string | undefined)[] {
  return plans.map(({ publication }) => publication.text);
}
