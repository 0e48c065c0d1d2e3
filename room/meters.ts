/**
 * Owns the names of everything the room service counts. Ids of rooms and users are never labels.
 */
import type { Counter, CounterSet, Histogram, Meter } from '../src/telemetry/meter.js';
import { VERDICTS, type Verdict } from '../src/verdict.js';
import { LANES, type FrameClass, type Lane } from '../src/words.js';
import { presenceMeters, type PresenceMeters } from './powers/presence-meters.js';

export type BusLoss = 'full' | 'down';
export type UplinkFlaw =
  'unreadable' | 'bad_item' | 'load_full' | 'repeated' | 'hand_over_full' | 'no_next_owner';

export interface RoomMeters {
  readonly verdicts: CounterSet<Verdict>;
  readonly publications: CounterSet<Lane>;
  readonly frames: CounterSet<FrameClass>;
  readonly frameBytes: CounterSet<FrameClass>;
  readonly busLosses: CounterSet<BusLoss>;
  readonly tickSeconds: Histogram;
  readonly tickLateSeconds: Histogram;
  readonly commitSeconds: Histogram;
  readonly commitPublications: Histogram;
  readonly commitFailures: Counter;
  readonly unencodable: Counter;
  readonly uplinkBatches: Counter;
  readonly uplinkItems: Counter;
  readonly uplinkPassedOn: Counter;
  readonly uplinkHoles: Counter;
  readonly uplinkFlaws: CounterSet<UplinkFlaw>;
  readonly verdictBatches: Counter;
  readonly roomsLoaded: Counter;
  readonly roomsParked: Counter;
  readonly edgeCalls: CounterSet<'snapshot' | 'replay' | 'unreadable'>;
  readonly repeats: Counter;
  readonly recalls: Counter;
  readonly archiveLost: Counter;
  readonly presence: PresenceMeters;
}

export interface RoomGauges {
  readonly rooms: () => number;
  readonly online: () => number;
  readonly users: () => number;
  readonly commitsWaiting: () => number;
}

const COUNT_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

export function roomMeters(meter: Meter, gauges: RoomGauges): RoomMeters {
  meter.gauge('barrage_room_rooms', 'rooms in memory', gauges.rooms);
  meter.gauge('barrage_room_online', 'viewers of all rooms as the edges report', gauges.online);
  meter.gauge('barrage_room_users', 'users of all rooms in memory', gauges.users);
  meter.gauge('barrage_room_commits_waiting', 'work waiting for the store', gauges.commitsWaiting);
  return {
    ...trafficMeters(meter),
    ...storeMeters(meter),
    ...uplinkMeters(meter),
    roomsLoaded: meter.counter('barrage_room_rooms_loaded_total', 'rooms taken into memory'),
    roomsParked: meter.counter('barrage_room_rooms_parked_total', 'rooms put out of memory'),
    edgeCalls: meter.counters('barrage_room_edge_calls_total', 'requests of edges', 'call', [
      'snapshot',
      'replay',
      'unreadable',
    ]),
    repeats: meter.counter('barrage_room_repeats_total', 'calls answered from memory or store'),
    recalls: meter.counter('barrage_room_recalls_total', 'publications recalled'),
    archiveLost: meter.counter(
      'barrage_room_archive_lost_total',
      'droppable publications that did not get into the archive',
    ),
    presence: presenceMeters(meter),
  };
}

function trafficMeters(meter: Meter) {
  const classes: readonly FrameClass[] = ['keep', 'drop'];
  const losses: readonly BusLoss[] = ['full', 'down'];
  return {
    verdicts: meter.counters('barrage_room_verdicts_total', 'ends of danmaku', 'verdict', VERDICTS),
    publications: meter.counters(
      'barrage_room_publications_total',
      'publications sent to edges',
      'lane',
      LANES,
    ),
    frames: meter.counters('barrage_room_frames_total', 'frames sent to edges', 'class', classes),
    frameBytes: meter.counters('barrage_room_frame_bytes_total', 'their bytes', 'class', classes),
    busLosses: meter.counters(
      'barrage_room_bus_losses_total',
      'publishes the bus did not take',
      'answer',
      losses,
    ),
    tickSeconds: meter.histogram('barrage_room_tick_seconds', 'time one tick of a room took'),
    tickLateSeconds: meter.histogram('barrage_room_tick_late_seconds', 'how late ticks began'),
    unencodable: meter.counter('barrage_room_unencodable_total', 'publications with no JSON text'),
  };
}

function storeMeters(meter: Meter) {
  return {
    commitSeconds: meter.histogram('barrage_room_commit_seconds', 'time one commit took'),
    commitPublications: meter.histogram(
      'barrage_room_commit_publications',
      'publications appended by one commit',
      COUNT_BUCKETS,
    ),
    commitFailures: meter.counter('barrage_room_commit_failures_total', 'commits refused'),
  };
}

function uplinkMeters(meter: Meter) {
  const flaws: readonly UplinkFlaw[] = [
    ...(['unreadable', 'bad_item', 'load_full'] as const),
    ...(['repeated', 'hand_over_full', 'no_next_owner'] as const),
  ];
  return {
    uplinkBatches: meter.counter('barrage_room_uplink_batches_total', 'batches from edges'),
    uplinkItems: meter.counter('barrage_room_uplink_items_total', 'danmaku from edges'),
    uplinkPassedOn: meter.counter(
      'barrage_room_uplink_passed_on_total',
      'batches that came during a hand-over and went on to the next owner',
    ),
    uplinkHoles: meter.counter('barrage_room_uplink_holes_total', 'batches lost on the bus'),
    uplinkFlaws: meter.counters(
      'barrage_room_uplink_flaws_total',
      'uplink input put aside',
      'flaw',
      flaws,
    ),
    verdictBatches: meter.counter('barrage_room_verdict_batches_total', 'batches to edges'),
  };
}
