/**
 * Owns which row of a room's audience table holds, with hysteresis, and the budget and tick that
 * follow from it. Knows no lane.
 */
import type { RoomSettings } from '../../src/room-settings.js';

/** A row is left only below this share of its `viewers`, so a crowd at the edge does not flap. */
const LEAVE_SHARE = 0.9;
/** Index meaning that the room's own numbers hold. */
export const NO_ROW = -1;

/** What is in force: the room's own numbers or those of a row. */
export interface Pace {
  readonly budgetPerSecond: number;
  readonly tickMs: number;
}

/** Index of the row that holds for `online` viewers when `current` held until now. */
export function rowFor(settings: RoomSettings, online: number, current: number): number {
  let row = NO_ROW;
  settings.audience.forEach((entry, index) => {
    const least = index <= current ? entry.viewers * LEAVE_SHARE : entry.viewers;
    if (online >= least) row = index;
  });
  return row;
}

export function paceOf(settings: RoomSettings, row: number): Pace {
  return settings.audience[row] ?? settings;
}
