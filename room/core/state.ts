/**
 * Owns everything a room's core remembers, how it starts, and how the shell reads it. Only the files
 * beside this one write to it. Maps are made when first needed: an idle room stays under 2 KiB.
 */
import type { RoomId } from '../../src/ids.js';
import { LEVEL_FULL } from '../../src/admission-level.js';
import { laneOfKind, type RoomSettings } from '../../src/room-settings.js';
import { VERDICTS, type Verdict } from '../../src/verdict.js';
import { LANES, type Lane, type RoomStatus } from '../../src/words.js';
import type { Meter } from './admission.js';
import { NO_ROW } from './audience.js';
import { emptyBudget, type Budget } from './budget.js';
import { restoreCombos, type Combos } from './combos.js';
import type { Echoes } from './echoes.js';
import type { Storm } from './emoji-storm.js';
import type { Enters } from './enters.js';
import { emptyLane, type Lanes } from './lanes.js';
import type { MuteAll } from './mute-all.js';
import { fullBucket, type Bucket } from './quota.js';
import { copySanctions, type SanctionMap } from './sanctions.js';
import { noStanding, type Standing } from './standing.js';
import type { RoomSeed, Settlement } from './types.js';
import { emptyUsers, type UserTable } from './users.js';

export interface RoomState {
  readonly room: RoomId;
  readonly epoch: number;
  status: RoomStatus;
  settings: RoomSettings;
  online: number;
  /** Likes ever, with those of earlier owners. */
  likes: number;
  /** Danmaku and offers taken in; equals the sum of `verdicts` and of `queuedOf`. */
  received: number;
  /** How many of `received` were offers (studio's or the room's own). */
  offered: number;
  /** Ends of danmaku and offers since this owner took the room. */
  readonly verdicts: Record<Verdict, number>;
  /** Number of the newest tick. */
  tick: number;
  /** Level told to the edges (src/admission-level.ts). */
  admission: number;

  /** The rest is the core's own. */
  /** Number of the newest publication; see RoomSeed. */
  seq: number;
  row: number;
  /** Sampled out or shed since the last tick that sent something. */
  lost: number;
  settled: Settlement[];
  readonly lanes: Lanes;
  readonly budget: Budget;
  readonly uplink: Bucket;
  meter: Meter | undefined;
  readonly users: UserTable;
  mutes: SanctionMap;
  bans: SanctionMap;
  allowed: SanctionMap;
  muteAll: MuteAll | undefined;
  readonly standing: Standing;
  readonly likeReport: LikeReport;
  /** What is being counted; absent means nothing. */
  combos: Combos | undefined;
  /** Changes whenever the runs of gifts do. */
  comboMark: number;
  enters: Enters | undefined;
  storm: Storm | undefined;
  echoes: Echoes | undefined;
  readonly times: TickTimes;
}

export interface LikeReport {
  /** Likes counted and not told yet. */
  untold: number;
  /** When the first of them came. */
  since: number;
  toldAt: number;
}

export interface TickTimes {
  /** Last tick of any sort. */
  tickAt: number;
  /** Until when the budget's credits have been booked. */
  accruedAt: number;
  /** Last regular tick that sent something or left something waiting. */
  fullAt: number;
  /** When something began to wait in lanes that were empty. */
  waitingSince: number;
  /** A keepable entry came in since the last tick: the next is early. */
  isUrgent: boolean;
}

/** Copied for each room, so that all share one shape in V8. */
const NO_VERDICTS = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0])) as Readonly<
  Record<Verdict, number>
>;

/** A room as a new owner finds it: nothing queued, every quota unused. */
export function openRoom(seed: RoomSeed): RoomState {
  return {
    room: seed.room,
    epoch: seed.epoch,
    status: seed.status,
    settings: seed.settings,
    online: 0,
    likes: seed.likes,
    received: 0,
    offered: 0,
    verdicts: { ...NO_VERDICTS },
    tick: 0,
    admission: LEVEL_FULL,
    seq: seed.seq ?? 0,
    row: NO_ROW,
    lost: 0,
    settled: [],
    lanes: { control: emptyLane(), high: emptyLane(), normal: emptyLane(), low: emptyLane() },
    budget: emptyBudget(),
    uplink: fullBucket(seed.settings.uplinkBurst, seed.now),
    meter: undefined,
    users: emptyUsers(seed.now),
    mutes: copySanctions(seed.mutes),
    bans: copySanctions(seed.bans),
    allowed: copySanctions(seed.allowed),
    muteAll: undefined,
    standing: noStanding(),
    likeReport: { untold: 0, since: 0, toldAt: -Infinity },
    comboMark: 0,
    combos: restoreCombos(seed.openCombos ?? []),
    enters: undefined,
    storm: undefined,
    echoes: undefined,
    times: {
      tickAt: -Infinity,
      accruedAt: -Infinity,
      fullAt: -Infinity,
      waitingSince: 0,
      isUrgent: false,
    },
  };
}

/** Danmaku and offers of each lane without an end yet: waiting, or planned and not settled. */
export function queuedOf(state: RoomState): Record<Lane, number> {
  const { control, high, normal, low } = state.lanes;
  return {
    control: control.refs + control.planned,
    high: high.refs + high.planned,
    normal: normal.refs,
    low: low.refs,
  };
}

/** The ends reached since the last call, in the order they were reached. */
export function takeSettled(state: RoomState): Settlement[] {
  const settled = state.settled;
  if (settled.length > 0) state.settled = [];
  return settled.length > 0 ? settled : [];
}

/** Whether any lane holds an entry. */
export function isWaiting(state: RoomState): boolean {
  const { control, high, normal, low } = state.lanes;
  const waiting =
    control.entries.length + high.entries.length + normal.entries.length + low.entries.length;
  return waiting > 0;
}

/** The lane the room names for a kind; `normal` for one it does not name. */
export function laneOf(settings: RoomSettings, kind: string): Lane {
  return laneOfKind(settings.kinds, kind);
}

export function isKeepable(lane: Lane): boolean {
  return lane === LANES[0] || lane === LANES[1];
}
