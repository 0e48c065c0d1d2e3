/**
 * Owns how many publications of each lane a tick may send: the strict count over every sliding
 * second (R-TICK-1), each lane's share, and the passing on of what is not used. Knows no entry.
 *
 * Credits accrue with time, one for each lane's share and one (`total`) for all; a tick spends them.
 * First each lane spends its own; what nobody is owed then goes to lanes with something waiting, in
 * order of priority. Deficit round robin (Shreedhar and Varghese, 1995), with
 * time in place of rounds.
 */
import type { RoomSettings } from '../../src/room-settings.js';
import type { Pace } from './audience.js';
import type { Lanes } from './lanes.js';

export const WINDOW_MS = 1000;
/** Lanes that live by the budget, in order of priority; control is not limited. */
export const PACED_LANES = ['high', 'normal', 'low'] as const;
export type PacedLane = (typeof PACED_LANES)[number];
export type Slots = Record<PacedLane, number>;

interface Sent {
  readonly at: number;
  readonly control: number;
  readonly others: number;
}

/** What was sent in the last second, and the credit for all lanes together. */
export interface Budget {
  sent: Sent[] | undefined;
  control: number;
  others: number;
  total: number;
}

export function emptyBudget(): Budget {
  return { sent: undefined, control: 0, others: 0, total: 0 };
}

/** Adds what `elapsedMs` since the last tick earned; `waiting` is what each lane could send. */
export function accrue(
  budget: Budget,
  lanes: Lanes,
  shares: RoomSettings['lanes'],
  pace: Pace,
  elapsedMs: number,
): void {
  budget.total = earned(budget.total, pace.budgetPerSecond, pace, elapsedMs);
  budget.total = Math.min(budget.total, Math.max(1, pace.budgetPerSecond));
  for (const lane of PACED_LANES) {
    const queue = lanes[lane];
    const perSecond = (shares[lane].share * pace.budgetPerSecond) / 100;
    queue.credit = earned(queue.credit, perSecond, pace, elapsedMs);
    // Lanes that wait for a full window keep what is theirs; four covers the others' first claims.
    queue.credit = Math.min(queue.credit, perSecond + 4);
  }
}

/** What each lane gets of this tick, at most what it has waiting. Nothing is spent yet. */
export function grant(
  budget: Budget,
  lanes: Lanes,
  waiting: Readonly<Slots>,
  shares: RoomSettings['lanes'],
  pace: Pace,
): Slots {
  const slots: Slots = { high: 0, normal: 0, low: 0 };
  const room = Math.max(0, windowRoom(budget, shares, pace));
  const most = Math.max(0, Math.min(Math.floor(budget.total), room));
  let left = most - grantOwn(slots, lanes, { waiting, shares }, most);
  let spare = Math.floor(budget.total - owedTo(lanes, waiting));
  for (const lane of PACED_LANES) {
    const more = Math.max(0, Math.min(left, spare, waiting[lane] - slots[lane]));
    slots[lane] += more;
    spare -= more;
    left -= more;
  }
  // Fractions of several lanes can make a whole: who is owed the most goes first.
  for (; left > 0; left--) {
    const lane = mostOwed(slots, lanes, waiting, shares);
    if (lane === undefined) break;
    slots[lane] += 1;
  }
  return slots;
}

/** Credit of lanes that can use it, fractions too: what is spare is beyond this. */
function owedTo(lanes: Lanes, waiting: Readonly<Slots>): number {
  let owed = 0;
  for (const lane of PACED_LANES) owed += Math.min(lanes[lane].credit, waiting[lane]);
  return owed;
}

/**
 * Books what a tick sent. A lane pays with its own credit, to the last fraction; what it sent beyond
 * that others did not use.
 */
export function spend(
  budget: Budget,
  lanes: Lanes,
  sent: Readonly<Slots>,
  control: number,
  now: number,
): void {
  let others = 0;
  for (const lane of PACED_LANES) {
    const queue = lanes[lane];
    queue.credit -= Math.max(0, Math.min(sent[lane], Math.ceil(queue.credit)));
    others += sent[lane];
  }
  budget.total -= others;
  if (others + control === 0) return;
  budget.sent ??= [];
  budget.sent.push({ at: now, control, others });
  budget.control += control;
  budget.others += others;
}

/** A lane that has nothing left to send keeps no more than two ticks' worth, at least one. */
export function settleCredit(
  budget: Budget,
  lanes: Lanes,
  shares: RoomSettings['lanes'],
  pace: Pace,
): void {
  let isWaiting = false;
  for (const lane of PACED_LANES) {
    const queue = lanes[lane];
    if (queue.entries.length > 0) isWaiting = true;
    else {
      const perSecond = (shares[lane].share * pace.budgetPerSecond) / 100;
      queue.credit = Math.min(queue.credit, burstOf(perSecond, pace));
    }
  }
  if (!isWaiting) budget.total = Math.min(budget.total, burstOf(pace.budgetPerSecond, pace));
}

/** Forgets what was sent a second ago or longer. */
export function slideWindow(budget: Budget, now: number): void {
  const sent = budget.sent;
  if (sent === undefined) return;
  let expired = 0;
  while (expired < sent.length && sent[expired]!.at <= now - WINDOW_MS) {
    budget.control -= sent[expired]!.control;
    budget.others -= sent[expired]!.others;
    expired += 1;
  }
  if (expired === sent.length) budget.sent = undefined;
  else if (expired > 0) sent.splice(0, expired);
}

/** Control takes from the others up to its own share, so that a flood of it starves nobody. */
function windowRoom(budget: Budget, shares: RoomSettings['lanes'], pace: Pace): number {
  const controlShare = (shares.control.share * pace.budgetPerSecond) / 100;
  return pace.budgetPerSecond - budget.others - Math.floor(Math.min(budget.control, controlShare));
}

/**
 * Lanes spend their own credit. When that is too much for all, the lane that has been owed for the
 * longest (credit by share) goes first, so that a small share is not outweighed by a large one.
 */
function grantOwn(
  slots: Slots,
  lanes: Lanes,
  given: { readonly waiting: Readonly<Slots>; readonly shares: RoomSettings['lanes'] },
  most: number,
): number {
  const claims: Slots = { high: 0, normal: 0, low: 0 };
  let claimed = 0;
  for (const lane of PACED_LANES) {
    claims[lane] = Math.max(0, Math.min(given.waiting[lane], Math.floor(lanes[lane].credit)));
    claimed += claims[lane];
  }
  if (claimed <= most) {
    Object.assign(slots, claims);
    return claimed;
  }
  for (let granted = 0; granted < most; granted++) {
    slots[mostOwed(slots, lanes, claims, given.shares)!] += 1;
  }
  return most;
}

/** Of the lanes that want more places, the one behind its share for the longest time. */
function mostOwed(
  slots: Readonly<Slots>,
  lanes: Lanes,
  wanted: Readonly<Slots>,
  shares: RoomSettings['lanes'],
): PacedLane | undefined {
  let chosen: PacedLane | undefined;
  let most = -Infinity;
  for (const lane of PACED_LANES) {
    if (slots[lane] >= wanted[lane]) continue;
    const share = shares[lane].share;
    const owed = share === 0 ? -Infinity : (lanes[lane].credit - slots[lane]) / share;
    if (chosen !== undefined && owed <= most) continue;
    chosen = lane;
    most = owed;
  }
  return chosen;
}

/**
 * Credit after `elapsedMs`. A late tick counts for two at most, so that a stall is not followed by a
 * burst; credit that was idle still grows to a burst's worth.
 */
function earned(credit: number, perSecond: number, pace: Pace, elapsedMs: number): number {
  const span = Math.min(Math.max(0, elapsedMs), 2 * pace.tickMs);
  const regular = credit + (perSecond * span) / 1000;
  if (elapsedMs <= span || perSecond === 0) return regular;
  const idle = Math.min(burstOf(perSecond, pace), credit + (perSecond * elapsedMs) / 1000);
  return Math.max(regular, idle);
}

function burstOf(perSecond: number, pace: Pace): number {
  return Math.max(1, (perSecond * Math.min(2 * pace.tickMs, WINDOW_MS)) / 1000);
}
