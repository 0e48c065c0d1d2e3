/**
 * Owns what must be equal at the end of a proof: each check is a sentence with both sides. Pure.
 */
import { FATES } from '../../src/verdict.js';
import { WAYS, type Way } from './ledger.js';
import type { ReplayRun } from './replay.js';
import type { WayResult } from './viewers.js';

export interface Check {
  readonly what: string;
  readonly left: number;
  readonly right: number;
}

export interface Evidence {
  readonly replay: ReplayRun;
  /** What edge and room counted, out of the metrics. */
  readonly edgeVerdicts: Readonly<Record<string, number>>;
  readonly roomVerdicts: Readonly<Record<string, number>>;
  /** Danmaku that reached the room, out of the metrics. */
  readonly uplinkItems: number;
  readonly acknowledged: number;
  readonly posted: number;
  readonly ways: Readonly<Record<Way, WayResult>>;
  /** Id to the danmaku it stands for, of every droppable publication any viewer saw. */
  readonly droppable: ReadonlyMap<string, number>;
  readonly flaws: number;
}

export function checksOf(evidence: Evidence): Check[] {
  const { replay, edgeVerdicts, roomVerdicts, acknowledged, ways } = evidence;
  const told = replay.verdicts;
  const shown = (told['published'] ?? 0) + (told['merged'] ?? 0);
  const counted = [...evidence.droppable.values()].reduce((sum, danmaku) => sum + danmaku, 0);
  return [
    {
      what: 'comments = unsendable + unsent + sent',
      left: replay.comments,
      right: replay.unsendable + replay.unsent + replay.sent,
    },
    // Stopped before the end, replay itself says that its books are not done.
    { what: 'exit code of replay', left: replay.code ?? -1, right: replay.stopped > 0 ? 1 : 0 },
    { what: 'unsent for want of a connection', left: replay.unsent - replay.stopped, right: 0 },
    { what: 'sent = sum of the verdicts told to the senders', left: replay.sent, right: sum(told) },
    ...[...new Set([...Object.keys(told), ...wordsOf(edgeVerdicts)])].map((verdict) => ({
      what: `${verdict}: replay = edge metrics`,
      left: told[verdict] ?? 0,
      right: edgeVerdicts[verdict] ?? 0,
    })),
    ...[...FATES, 'shed'].map((verdict) => ({
      what: `${verdict}: replay${verdict === 'published' ? ' + studio' : ''} = room metrics`,
      left: (told[verdict] ?? 0) + (verdict === 'published' ? acknowledged : 0),
      right: roomVerdicts[verdict] ?? 0,
    })),
    {
      what: 'danmaku the room got + studio = verdicts of the room',
      left: evidence.uplinkItems + acknowledged,
      right: sum(roomVerdicts),
    },
    // The others never reached the room: what an edge knows will be refused is refused there.
    {
      what: 'verdicts given by the edge alone: sent - got = replay - room',
      left: replay.sent - evidence.uplinkItems,
      right: sum(atEdge(told, roomVerdicts, acknowledged)),
    },
    { what: 'published + merged = danmaku viewers counted', left: shown, right: counted },
    { what: 'studio: posted = acknowledged', left: evidence.posted, right: acknowledged },
    ...WAYS.flatMap((way) => wayChecks(way, ways[way])),
    { what: 'flaws seen by viewers and studio', left: evidence.flaws, right: 0 },
  ];
}

function wayChecks(way: Way, result: WayResult): Check[] {
  return [
    {
      what: `${way}: viewers with every keepable publication once, in order`,
      left: result.keepWhole,
      right: result.viewers,
    },
    { what: `${way}: viewers that lost their connection`, left: result.ended, right: 0 },
  ];
}

/** By verdict what the room did not count; the room may count none that no sender was told. */
function atEdge(
  told: Readonly<Record<string, number>>,
  room: Readonly<Record<string, number>>,
  studio: number,
): Record<string, number> {
  const out: Record<string, number> = {};
  for (const verdict of Object.keys({ ...told, ...room })) {
    const ours = (room[verdict] ?? 0) - (verdict === 'published' ? studio : 0);
    out[verdict] = Math.max(0, (told[verdict] ?? 0) - ours);
  }
  return out;
}

function wordsOf(verdicts: Readonly<Record<string, number>>): string[] {
  return Object.keys(verdicts).filter((verdict) => verdicts[verdict] !== 0);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/**
 * The samples of the one metric of a service (`barrage_edge_`, `barrage_room_`) that has a `verdict`
 * label, out of a Prometheus exposition. Throws unless there is exactly one: a metric that is gone
 * must not look like one that counted nothing.
 */
export function verdictsOf(exposition: string, prefix: string): Record<string, number> {
  const out: Record<string, number> = {};
  const names = new Set<string>();
  for (const line of exposition.split('\n')) {
    const match = /^(\w+)\{[^}]*verdict="([a-z_]+)"[^}]*\} (\S+)/.exec(line);
    if (match === null || !line.startsWith(prefix)) continue;
    names.add(match[1]!);
    out[match[2]!] = Number(match[3]);
  }
  if (names.size !== 1) throw new Error(`${names.size} metrics ${prefix}… have verdicts, not one`);
  return out;
}

/** The value of a metric without labels. Throws when it is not there. */
export function valueOf(exposition: string, metric: string): number {
  const match = new RegExp(`^${metric} (\\S+)$`, 'm').exec(exposition);
  if (match === null) throw new Error(`/metrics has no ${metric}`);
  return Number(match[1]);
}

export function tableOf(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ what }) => what.length));
  return checks
    .map(({ what, left, right }) => {
      const verdict = left === right ? 'ok' : 'MISMATCH';
      return `${what.padEnd(width)}  ${String(left).padStart(8)}  ${String(right).padStart(8)}  ${verdict}`;
    })
    .join('\n');
}
