/**
 * Owns the room settings the measurements ask for and how they are set through the studio API.
 */
import { DEFAULT_SETTINGS, type SettingsPatch } from '../src/room-settings.js';
import type { Studio } from './studio.js';

const LANE_DEPTH = 20_000;
const LANE_BYTES = 8 << 20;

/** Nothing is sampled, shed or refused at the loads measured here. */
export const WIDE_OPEN: SettingsPatch = {
  budgetPerSecond: 10_000,
  audience: [],
  perUserPerTick: 1000,
  uplinkPerSecond: 1_000_000,
  uplinkBurst: 1_000_000,
  userPerSecond: 1000,
  userBurst: 1000,
  recent: 0,
  lanes: {
    control: { share: 10, depth: 1000, bytes: 1 << 20 },
    high: { share: 30, depth: LANE_DEPTH, bytes: LANE_BYTES },
    normal: { share: 50, depth: LANE_DEPTH, bytes: LANE_BYTES },
    low: { share: 10, depth: LANE_DEPTH, bytes: LANE_BYTES },
  },
};

/** As WIDE_OPEN, with the tick that a room of so many viewers has by default. */
export function wideOpenFor(viewers: number): SettingsPatch {
  const row = DEFAULT_SETTINGS.audience.findLast((one) => viewers >= one.viewers);
  return { ...WIDE_OPEN, tickMs: row?.tickMs ?? DEFAULT_SETTINGS.tickMs };
}

/** Every danmaku is let in, but a viewer gets the usual 60/s: what is left over is sampled out. */
export const OPEN_UPLINK: SettingsPatch = {
  uplinkPerSecond: 1_000_000,
  uplinkBurst: 1_000_000,
  userPerSecond: 1000,
  userBurst: 1000,
  audience: [],
};

/** Creates the room and sets what differs from the defaults. */
export async function openRoom(
  studio: Studio,
  room: string,
  limits: SettingsPatch = {},
): Promise<void> {
  await studio.must('POST', '/v1/rooms', { room });
  if (Object.keys(limits).length > 0) {
    await studio.must('PATCH', `/v1/rooms/${room}/limits`, limits);
  }
}
