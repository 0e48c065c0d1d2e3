/**
 * The faults: which there are, which come in a run (from a seed alone), and how each is done to a
 * running cluster and ended again.
 */
import type { Random } from '../../src/random.js';
import type { Cluster, Member } from '../kit/cluster.js';

export type FaultKind =
  | 'room killed'
  | 'room frozen'
  | 'room restarted'
  | 'room without NATS'
  | 'room without Redis'
  | 'edge killed'
  | 'edge frozen'
  | 'edge restarted'
  | 'edge without NATS'
  | 'nats killed'
  | 'nats frozen'
  | 'redis killed'
  | 'redis frozen';

export interface Fault {
  readonly kind: FaultKind;
  /** Which of its kind; taken modulo their number. */
  readonly target: number;
  /** Until it is ended, milliseconds. */
  readonly lastsMs: number;
  /** Half-open (nothing passes, nothing is told) instead of a reset. */
  readonly isSilent: boolean;
}

/** Each with how long it lasts, milliseconds: at least and at most. */
const KINDS: readonly (readonly [kind: FaultKind, min: number, max: number])[] = [
  ['room killed', 200, 3000],
  ['room frozen', 300, 6000],
  ['room restarted', 0, 500],
  ['room without NATS', 300, 4000],
  ['room without Redis', 300, 4000],
  ['edge killed', 200, 3000],
  ['edge frozen', 300, 5000],
  ['edge restarted', 0, 500],
  ['edge without NATS', 300, 4000],
  ['nats killed', 100, 1500],
  ['nats frozen', 300, 3500],
  ['redis killed', 100, 1500],
  ['redis frozen', 300, 3500],
];

/** The same seed gives the same faults; every kind comes once before any comes again. */
export function faultsOf(random: Random, count: number, kinds: readonly FaultKind[]): Fault[] {
  const faults: Fault[] = [];
  let left: (typeof KINDS)[number][] = [];
  while (faults.length < count) {
    if (left.length === 0) left = KINDS.filter(([kind]) => kinds.includes(kind));
    const [kind, min, max] = left.splice(random.below(left.length), 1)[0]!;
    const lastsMs = min + random.below(max - min + 1);
    faults.push({ kind, target: random.below(1000), lastsMs, isSilent: random.below(2) === 0 });
  }
  return faults;
}

/** What can be done to the cluster: a process that chooses among servers has no proxy to cut. */
export function kindsFor(cluster: Cluster): FaultKind[] {
  const [room] = cluster.rooms;
  const lacking: FaultKind[] = [];
  if (room?.natsProxy === undefined) lacking.push('room without NATS', 'edge without NATS');
  if (room?.redisProxy === undefined) lacking.push('room without Redis');
  return KINDS.map(([kind]) => kind).filter((kind) => !lacking.includes(kind));
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function pick<T>(all: readonly T[], target: number): T {
  return all[target % all.length]!;
}

/** Does it, lets it last, ends it. */
export async function inflict(cluster: Cluster, fault: Fault): Promise<void> {
  const { kind, target, lastsMs } = fault;
  const [what, how] = kind.split(' ') as ['room' | 'edge' | 'nats' | 'redis', string];
  if (what === 'nats') return inflictServer(pick(cluster.nats, target), how, lastsMs);
  if (what === 'redis') return inflictServer(cluster.redis, how, lastsMs);
  const member = pick(what === 'room' ? cluster.rooms : cluster.edges, target);
  if (how !== 'without') return inflictProcess(member, how, lastsMs);
  const proxy = kind.endsWith('NATS') ? member.natsProxy! : member.redisProxy!;
  if (fault.isSilent) proxy.stall();
  else {
    await proxy.refuse();
    proxy.cut();
  }
  await wait(lastsMs);
  await proxy.heal();
}

interface Server {
  kill(): Promise<void>;
  restart(): Promise<void>;
  freeze(): void;
  resume(): void;
}

async function inflictServer(server: Server, how: string, lastsMs: number): Promise<void> {
  if (how === 'killed') await server.kill();
  else server.freeze();
  await wait(lastsMs);
  if (how === 'killed') await server.restart();
  else server.resume();
}

async function inflictProcess(member: Member, how: string, lastsMs: number): Promise<void> {
  switch (how) {
    case 'frozen':
      member.process.freeze();
      await wait(lastsMs);
      return member.process.resume();
    case 'killed':
      await member.process.kill();
      break;
    default:
      await member.process.stop();
  }
  await wait(lastsMs);
  await member.start();
}
