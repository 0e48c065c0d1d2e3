/**
 * Owns one question: a room limited to 200 danmaku a second that is offered a million a second, through
 * edges that apply its admission level. The core with simulated time, so the same on every machine:
 * what it lets in, what reaches it, the memory it takes, how soon control publications leave.
 * Run: node dist/bench/overload.js [offered a second] [seconds]
 */
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { admit, offer } from '../room/core/admit.js';
import { openRoom, takeSettled, type RoomState } from '../room/core/state.js';
import { dueAt, settleKept, tick } from '../room/core/tick.js';
import type { TickPlan } from '../room/core/types.js';
import { admissionRank, passesLevel } from '../src/admission-level.js';
import type { RoomId, UserId } from '../src/ids.js';
import { seededRandom, type Random } from '../src/random.js';
import { DEFAULT_SETTINGS } from '../src/room-settings.js';

export interface OverloadPlan {
  readonly offeredPerSecond: number;
  readonly seconds: number;
  readonly users: number;
}

/** Figures of one run; units are in the names. */
export interface OverloadFigures {
  readonly offered: number;
  /** Held back at the edges, and what reached the room all the same. */
  readonly sampledAtEdge: number;
  readonly reachedRoom: number;
  readonly letIn: number;
  /** Let in per second after the first, and the farthest any of these seconds is from the limit. */
  readonly letInPerSecond: number;
  readonly letInOffPercent: number;
  readonly levelSteps: number;
  readonly controlWaitMsMax: number;
  readonly heapGrowthMiB: number;
  readonly cpuSeconds: number;
}

const NOW = 1_700_000_000_000;
/** A frame's way to an edge. */
const DOWN_MS = 5;
const CONTROL_EVERY_MS = 500;

interface World {
  readonly state: RoomState;
  readonly random: Random;
  /** Levels on their way to the edges, and the one each goes by. */
  readonly coming: { readonly at: number; readonly level: number }[];
  level: number;
  levelSteps: number;
  sampledAtEdge: number;
  offered: number;
  controlWaitMsMax: number;
}

export function runOverload(plan: OverloadPlan): OverloadFigures {
  const world = openWorld();
  const users = Array.from({ length: plan.users }, (_, i) => `user${i}` as UserId);
  const collect = collector();
  const perSecond: number[] = [];
  const started = performance.now();
  let before = letInOf(world.state);
  collect();
  let heap = 0;
  for (let ms = 0; ms < plan.seconds * 1000; ms++) {
    step(world, users, plan.offeredPerSecond / 1000, NOW + ms);
    if (ms % 1000 !== 999) continue;
    perSecond.push(letInOf(world.state) - before);
    before = letInOf(world.state);
    collect();
    if (perSecond.length === 1) heap = process.memoryUsage().heapUsed;
  }
  const later = perSecond.slice(1);
  const limit = world.state.settings.uplinkPerSecond;
  const off = Math.max(...later.map((count) => Math.abs(count / limit - 1)));
  return {
    offered: world.offered,
    sampledAtEdge: world.sampledAtEdge,
    reachedRoom: world.state.received - world.state.offered,
    letIn: letInOf(world.state),
    letInPerSecond: later.reduce((sum, count) => sum + count, 0) / later.length,
    letInOffPercent: Math.round(off * 1e4) / 100,
    levelSteps: world.levelSteps,
    controlWaitMsMax: world.controlWaitMsMax,
    heapGrowthMiB: Math.round(((process.memoryUsage().heapUsed - heap) / (1 << 20)) * 100) / 100,
    cpuSeconds: Math.round(performance.now() - started) / 1000,
  };
}

function openWorld(): World {
  const empty = new Map<UserId, number>();
  const state = openRoom({
    ...{ room: 'bench' as RoomId, epoch: 1, status: 'open', likes: 0, now: NOW },
    ...{ settings: DEFAULT_SETTINGS, mutes: empty, bans: empty, allowed: empty },
  });
  return {
    ...{ state, random: seededRandom(1), coming: [], level: state.admission },
    ...{ levelSteps: 0, sampledAtEdge: 0, offered: 0, controlWaitMsMax: 0 },
  };
}

/** One millisecond: what edges let through reaches the room, the room ticks when it is due. */
function step(world: World, users: readonly UserId[], count: number, now: number): void {
  const { state, random, coming } = world;
  while (coming[0] !== undefined && coming[0].at <= now) world.level = coming.shift()!.level;
  for (let i = 0; i < count; i++) {
    const by = users[random.below(users.length)]!;
    world.offered += 1;
    if (passesLevel(world.level, admissionRank('normal', by, now), false)) {
      const text = `${world.offered}`;
      admit(
        state,
        { ref: 0, user: { id: by }, role: 'member', kind: 'danmaku', text },
        now,
        random,
      );
    } else world.sampledAtEdge += 1;
  }
  if (now % CONTROL_EVERY_MS === 4) {
    const notice = { ref: 0, kind: 'notice', lane: 'control', text: 'hear' } as const;
    offer(state, notice, now, random);
  }
  if (dueAt(state, now) <= now) told(world, tick(state, now, random), now);
  takeSettled(state);
}

function told(world: World, plan: TickPlan, now: number): void {
  settleKept(world.state, plan.keep, 'published');
  for (const { publication } of plan.keep) {
    world.controlWaitMsMax = Math.max(world.controlWaitMsMax, now - publication.at);
  }
  const last = world.coming.at(-1)?.level ?? world.level;
  if (plan.admission === last) return;
  world.levelSteps += 1;
  world.coming.push({ at: now + DOWN_MS, level: plan.admission });
}

/** Viewers' danmaku the room took: all it received but what it refused. */
function letInOf({ received, offered, verdicts }: RoomState): number {
  return received - offered - verdicts.rate_limited;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [offeredPerSecond = 1_000_000, seconds = 10] = process.argv.slice(2).map(Number);
  const figures = runOverload({ offeredPerSecond, seconds, users: 1_000_000 });
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
}
