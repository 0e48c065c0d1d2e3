/** Owns the names of everything an edge counts, one sentence each. */
import { CLOSE, type CloseCode, type CloseReason } from '../src/close-codes.js';
import type { Counter, CounterSet, Histogram, Meter } from '../src/telemetry/meter.js';
import { VERDICTS, type Verdict } from '../src/verdict.js';
import { DOOR_REFUSALS, type DoorRefusal } from './upgrade.js';

export const JOIN_ENDS = [
  'window',
  'recovered',
  'resync',
  'unauthorized',
  'unknown_room',
  'banned',
  'closed',
  'full',
  'busy',
  'unavailable',
  'invalid',
] as const;
export type JoinEnd = (typeof JOIN_ENDS)[number];

const TRANSPORTS = ['websocket', 'events', 'poll', 'post'] as const;
const COMMANDS = [
  ...(['join', 'leave', 'send', 'ack', 'receive', 'report', 'ping'] as const),
  ...(['broken', 'over_quota'] as const),
] as const;
const LOST = ['stale', 'known', 'held', 'shed', 'undecodable'] as const;
const RELIABLE = [
  'sent',
  'acked',
  'resent',
  'given_up',
  'left',
  'over_bound',
  'unackable',
] as const;
const CDN_REPORTS = ['taken', 'too_soon', 'not_joined', 'over_bound', 'invalid'] as const;
const CLOSES = Object.keys(CLOSE) as CloseReason[];
const closeNames = new Map<number, CloseReason>(CLOSES.map((name) => [CLOSE[name].code, name]));

/** The label of a close. */
export function closeName(close: CloseCode): CloseReason {
  return closeNames.get(close.code) ?? 'unavailable';
}

export interface EdgeMeters {
  readonly opened: CounterSet<(typeof TRANSPORTS)[number]>;
  readonly refused: CounterSet<DoorRefusal['why']>;
  readonly closed: CounterSet<CloseReason>;
  readonly joins: CounterSet<JoinEnd>;
  readonly commands: CounterSet<(typeof COMMANDS)[number]>;
  readonly verdicts: CounterSet<Verdict>;
  readonly frames: CounterSet<'keep' | 'drop'>;
  readonly framesLost: CounterSet<(typeof LOST)[number]>;
  readonly holes: CounterSet<'filled' | 'failed'>;
  readonly snapshots: CounterSet<'taken' | 'failed'>;
  readonly sends: Counter;
  readonly sentBytes: Counter;
  readonly deliveries: Counter;
  readonly skipped: Counter;
  readonly thinned: Counter;
  readonly compressions: Counter;
  readonly flushSeconds: Histogram;
  readonly waitSeconds: Histogram;
  readonly uplinkBatches: CounterSet<'sent' | 'full' | 'down'>;
  readonly presenceReports: CounterSet<'sent' | 'full' | 'down' | 'unreadable'>;
  readonly reliable: CounterSet<(typeof RELIABLE)[number]>;
  readonly cdnReports: CounterSet<(typeof CDN_REPORTS)[number]>;
  readonly faults: Counter;
}

/** Registers an edge's metrics; once per meter. */
export function edgeMeters(meter: Meter): EdgeMeters {
  return { ...viewerMeters(meter), ...flowMeters(meter) };
}

function viewerMeters(meter: Meter) {
  return {
    opened: meter.counters(
      'barrage_edge_opened_total',
      'Connections and requests let in',
      'transport',
      TRANSPORTS,
    ),
    refused: meter.counters(
      'barrage_edge_refused_total',
      'Connections and requests turned away at the door',
      'why',
      DOOR_REFUSALS,
    ),
    closed: meter.counters(
      'barrage_edge_closed_total',
      'Connections the edge ended',
      'reason',
      CLOSES,
    ),
    joins: meter.counters('barrage_edge_joins_total', 'Joins by how they ended', 'end', JOIN_ENDS),
    commands: meter.counters(
      'barrage_edge_commands_total',
      'Commands of viewers by type',
      'type',
      COMMANDS,
    ),
    verdicts: meter.counters(
      'barrage_edge_verdicts_total',
      'Verdicts told to senders at this edge',
      'verdict',
      VERDICTS,
    ),
    uplinkBatches: meter.counters(
      'barrage_edge_uplink_batches_total',
      'Batches of danmaku handed to the bus by its answer',
      'answer',
      ['sent', 'full', 'down'] as const,
    ),
    presenceReports: meter.counters(
      'barrage_edge_presence_reports_total',
      'Reports of users handed to the bus by its answer, and questions not readable',
      'answer',
      ['sent', 'full', 'down', 'unreadable'] as const,
    ),
    cdnReports: meter.counters(
      'barrage_edge_cdn_reports_total',
      'Reports of viewers on CDNs by what became of them',
      'end',
      CDN_REPORTS,
    ),
    faults: meter.counter('barrage_edge_faults_total', 'Errors caught in callbacks'),
  };
}

function flowMeters(meter: Meter) {
  return {
    frames: meter.counters('barrage_edge_frames_total', 'Frames taken from the bus', 'class', [
      'keep',
      'drop',
    ] as const),
    framesLost: meter.counters(
      'barrage_edge_frames_lost_total',
      'Frames not forwarded: of an older epoch, sent already, over a bound, shed, not decodable',
      'why',
      LOST,
    ),
    holes: meter.counters(
      'barrage_edge_holes_total',
      'Holes in the keepable offsets by how they ended',
      'end',
      ['filled', 'failed'] as const,
    ),
    snapshots: meter.counters('barrage_edge_snapshots_total', 'Room snapshots asked for', 'end', [
      'taken',
      'failed',
    ] as const),
    sends: meter.counter('barrage_edge_sends_total', 'Flushes handed to viewers'),
    sentBytes: meter.counter('barrage_edge_sent_bytes_total', 'Bytes handed to viewers'),
    deliveries: meter.counter(
      'barrage_edge_deliveries_total',
      'Publications handed to viewers, once for each viewer',
    ),
    skipped: meter.counter(
      'barrage_edge_skipped_total',
      'Droppable publications slow viewers missed, once for each viewer',
    ),
    thinned: meter.counter(
      'barrage_edge_thinned_total',
      'Droppable publications not sent because the edge would send too much, once for each viewer',
    ),
    reliable: meter.counters(
      'barrage_edge_reliable_total',
      'Publications to be acknowledged, once for each viewer and what became of them',
      'event',
      RELIABLE,
    ),
    compressions: meter.counter('barrage_edge_compressions_total', 'Flushes compressed'),
    flushSeconds: meter.histogram('barrage_edge_flush_seconds', 'Time of a flush of one slice'),
    waitSeconds: meter.histogram(
      'barrage_edge_wait_seconds',
      'From the first frame due for a slice to its flush',
    ),
  };
}

/** What the gauges read when asked. */
export interface GaugeSources {
  readonly hub: { readonly size: number };
  readonly uplink: { readonly pending: number };
  readonly addresses: { readonly total: number };
  readonly acks: { readonly waiting: number };
  readonly thinning: { readonly share: number };
}

export function edgeGauges(meter: Meter, sources: GaugeSources): void {
  const { hub, uplink, addresses, acks, thinning } = sources;
  meter.gauge(
    'barrage_edge_let_through',
    'Share of the droppable flushes sent, 1 when nothing is thinned out',
    () => thinning.share,
    'mean',
  );
  meter.gauge(
    'barrage_edge_unacked',
    'Publications sent and not acknowledged yet, once for each viewer',
    () => acks.waiting,
  );
  meter.gauge('barrage_edge_connections', 'Open connections and requests', () => addresses.total);
  meter.gauge('barrage_edge_rooms', 'Rooms this edge listens to', () => hub.size);
  meter.gauge(
    'barrage_edge_pending',
    'Danmaku sent up without a verdict yet',
    () => uplink.pending,
  );
}
