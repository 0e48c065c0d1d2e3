/**
 * Owns the measurement of the room core on one core of this machine: admissions a second, the cost of
 * a tick, the memory of an idle room. Medians of several runs. Knows no shell and no network.
 */
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { admit } from '../../room/core/admit.js';
import { openRoom, takeSettled, type RoomState } from '../../room/core/state.js';
import { settleKept, tick } from '../../room/core/tick.js';
import type { Arrival } from '../../room/core/types.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { seededRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS, type RoomSettings } from '../../src/room-settings.js';

const RUNS = 5;
const ARRIVALS = 200_000;
const ROOMS = 100_000;
const QUEUED = 5000;
const NOW = 1_700_000_000_000;

/** Figures by name; units are in the names. */
export function run(): Promise<Record<string, number>> {
  return Promise.resolve({
    admitsPerSecondHotRefused: median(() => admitsPerSecond(DEFAULT_SETTINGS)),
    admitsPerSecondAccepted: median(() => admitsPerSecond(wideOpen())),
    nanosecondsPerTickOver5000Queued: median(nanosecondsPerTick),
    bytesPerIdleRoom: bytesPerIdleRoom(),
  });
}

function newRoom(settings: RoomSettings): RoomState {
  return openRoom({
    room: 'bench' as RoomId,
    epoch: 1,
    status: 'open',
    settings,
    mutes: new Map(),
    bans: new Map(),
    allowed: new Map(),
    likes: 0,
    now: NOW,
  });
}

/** Everything is let in and finds a place. */
function wideOpen(): RoomSettings {
  const lane = { share: 25, depth: 1_000_000, bytes: 1 << 30 };
  return {
    ...DEFAULT_SETTINGS,
    budgetPerSecond: 10_000,
    uplinkPerSecond: 1_000_000,
    uplinkBurst: 1_000_000,
    userPerSecond: 1000,
    userBurst: 1000,
    lanes: { control: lane, high: lane, normal: lane, low: lane },
  };
}

/** 50,000 users with texts of which one in ten repeats, 1000 arrivals to the millisecond. */
function arrivals(count: number): Arrival[] {
  const out: Arrival[] = [];
  for (let i = 0; i < count; i++) {
    const text = i % 10 === 0 ? '哈哈哈哈' : `弹幕 number ${i}`;
    const user = { id: `user${i % 50_000}` as UserId, name: 'viewer', level: i % 40 };
    out.push({ ref: i, user, role: 'member', kind: 'danmaku', text });
  }
  return out;
}

function admitsPerSecond(settings: RoomSettings): number {
  const state = newRoom(settings);
  const random = seededRandom(1);
  const said = arrivals(ARRIVALS);
  const started = performance.now();
  for (let i = 0; i < said.length; i++) {
    const now = NOW + i / 1000;
    admit(state, said[i]!, now, random);
    if (i % 500 === 499) takeSettled(state);
  }
  return Math.round((ARRIVALS * 1000) / (performance.now() - started));
}

function nanosecondsPerTick(): number {
  const random = seededRandom(1);
  const settings = { ...wideOpen(), budgetPerSecond: 60, laneWaitMs: 10_000 };
  const state = newRoom(settings);
  for (const arrival of arrivals(QUEUED + 600)) {
    admit(state, { ...arrival, text: `${arrival.ref}` }, NOW, random);
  }
  const ticks = 100;
  const started = performance.now();
  for (let i = 0; i < ticks; i++) {
    const plan = tick(state, NOW + i * 100, random);
    settleKept(state, plan.keep, 'published');
    takeSettled(state);
  }
  return Math.round(((performance.now() - started) * 1e6) / ticks);
}

function bytesPerIdleRoom(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const rooms: RoomState[] = new Array<RoomState>(ROOMS);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < ROOMS; i++) rooms[i] = newRoom(DEFAULT_SETTINGS);
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / ROOMS;
  return rooms.length === ROOMS ? Math.round(bytes) : NaN;
}

function median(measure: () => number): number {
  const figures = Array.from({ length: RUNS }, measure).sort((a, b) => a - b);
  return figures[RUNS >> 1]!;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const figures = await run();
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
}
