/**
 * Owns what settings must hold between each other. Each relation names the key at which it is told.
 */
import { CIDR_RULE, isRange } from '../address-ranges.js';
import { isEdgeUrl } from '../wire/edge-report.js';
import { CALLBACK_URL_RULE, isCallbackUrl } from '../callbacks/settings.js';
import { natsFlaws } from './nats-section.js';
import { redisFlaws } from './redis-section.js';
import type { Settings } from './schema.js';
import { formatDuration, formatSize } from './units.js';

export interface Breach {
  readonly path: string;
  readonly message: string;
  /** The other key of the relation. */
  readonly against?: string;
}

/** Every relation that does not hold. */
export function findBreaches(settings: Settings): readonly Breach[] {
  return [
    ...edgeBreaches(settings),
    ...portBreaches(settings),
    ...roomBreaches(settings.room),
    ...callbackBreaches(settings),
    ...cdnBreaches(settings),
    ...redisFlaws(settings.redis),
    ...natsFlaws(settings.nats),
    ...dispatchBreaches(settings),
    ...repeats(
      'cdn.sources',
      'id',
      settings.cdn.sources.map((source) => source.id),
    ),
    ...repeats(
      'tokens.keys',
      'kid',
      settings.tokens.keys.map((key) => key.kid),
    ),
    ...repeats(
      'studio.keys',
      'id',
      settings.studio.keys.map((key) => key.id),
    ),
    ...repeats(
      'dispatch.near',
      'region',
      settings.dispatch.near.map((entry) => entry.region),
    ),
    ...repeats(
      'rooms.create',
      'room',
      settings.rooms.create.map((entry) => entry.room),
    ),
  ];
}

function edgeBreaches({ edge, bus }: Settings): Breach[] {
  const breaches: Breach[] = [];
  if (edge.processes !== 1 && bus === 'memory') {
    const message = 'needs bus nats: a memory bus is within one process';
    breaches.push({ path: 'edge.processes', message, against: 'bus' });
  }
  if (edge.idle <= edge.heartbeat) {
    const message = `must be longer than edge.heartbeat (${formatDuration(edge.heartbeat)})`;
    breaches.push({ path: 'edge.idle', message, against: 'edge.heartbeat' });
  }
  if (edge.hardMark <= edge.softMark) {
    const message = `must be more than edge.softMark (${formatSize(edge.softMark)})`;
    breaches.push({ path: 'edge.hardMark', message, against: 'edge.softMark' });
  }
  if (edge.egressSoft > 0 ? edge.egressHard <= edge.egressSoft : edge.egressHard > 0) {
    const message = `must be more than edge.egressSoft (${formatSize(edge.egressSoft)}), or both 0B`;
    breaches.push({ path: 'edge.egressHard', message, against: 'edge.egressSoft' });
  }
  if (edge.lagSoft > 0 ? edge.lagHard <= edge.lagSoft : edge.lagHard > 0) {
    const message = `must be more than edge.lagSoft (${formatDuration(edge.lagSoft)}), or both 0ms`;
    breaches.push({ path: 'edge.lagHard', message, against: 'edge.lagSoft' });
  }
  return breaches;
}

function portBreaches({ edge, studio }: Settings): Breach[] {
  if (edge.port === 0 || edge.port !== studio.port) return [];
  const message = `must differ from edge.port (${edge.port})`;
  return [{ path: 'studio.port', message, against: 'edge.port' }];
}

function roomBreaches(room: Settings['room']): Breach[] {
  const breaches: Breach[] = [];
  const shares = Object.values(room.lanes).map((lane) => lane.share);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 100) > 1e-9) {
    const message = `the shares of the four lanes must add up to 100, not ${sum}`;
    breaches.push({ path: 'room.lanes', message });
  }
  if (room.cdnOffBelow >= room.cdnOnAbove) {
    const message = `must be below room.cdnOnAbove (${room.cdnOnAbove})`;
    breaches.push({ path: 'room.cdnOffBelow', message, against: 'room.cdnOnAbove' });
  }
  const { cdnEgressOnAbove, cdnEgressOffBelow } = room;
  if (cdnEgressOnAbove > 0 && cdnEgressOffBelow >= cdnEgressOnAbove) {
    const message = `must be below room.cdnEgressOnAbove (${formatSize(cdnEgressOnAbove)})`;
    breaches.push({ path: 'room.cdnEgressOffBelow', message, against: 'room.cdnEgressOnAbove' });
  }
  room.audience.forEach((row, index) => {
    const before = room.audience[index - 1];
    if (before === undefined || before.viewers < row.viewers) return;
    const message = `must be more than the row before (${before.viewers})`;
    breaches.push({ path: `room.audience.${index}.viewers`, message });
  });
  return breaches;
}

function callbackBreaches({ callbacks }: Settings): Breach[] {
  const { url, secret } = callbacks;
  const breaches: Breach[] = [];
  if (url !== '' && !isCallbackUrl(url)) {
    breaches.push({ path: 'callbacks.url', message: `must be ${CALLBACK_URL_RULE}` });
  }
  if (url !== '' && secret === '') {
    const message = 'is needed with callbacks.url';
    breaches.push({ path: 'callbacks.secret', message, against: 'callbacks.url' });
  }
  return breaches;
}

function dispatchBreaches({ edge, dispatch }: Settings): Breach[] {
  const breaches: Breach[] = [];
  if (edge.advertise !== '' && !isEdgeUrl(edge.advertise)) {
    const message = 'must be an address without a path (https://edge-1.example)';
    breaches.push({ path: 'edge.advertise', message });
  }
  dispatch.regions.forEach(({ range }, index) => {
    if (isRange(range)) return;
    breaches.push({ path: `dispatch.regions.${index}.range`, message: `must be ${CIDR_RULE}` });
  });
  return breaches;
}

function cdnBreaches({ cdn }: Settings): Breach[] {
  const breaches: Breach[] = [];
  const needed = { http: ['cdn.http.url', cdn.http.url], s3: ['cdn.s3.bucket', cdn.s3.bucket] };
  const [path, value] = cdn.origin === 'directory' ? ['', ' '] : needed[cdn.origin];
  if (value === '') {
    const message = `is needed with cdn.origin ${cdn.origin}`;
    breaches.push({ path: path ?? '', message, against: 'cdn.origin' });
  }
  if ((cdn.s3.accessKey === '') !== (cdn.s3.secretKey === '')) {
    const message = 'is given together with cdn.s3.accessKey or not at all';
    breaches.push({ path: 'cdn.s3.secretKey', message, against: 'cdn.s3.accessKey' });
  }
  if (cdn.window < 2 * cdn.segment.age) {
    const message = `must be at least two of cdn.segment.age (${formatDuration(cdn.segment.age)})`;
    breaches.push({ path: 'cdn.window', message, against: 'cdn.segment.age' });
  }
  return breaches;
}

function repeats(list: string, field: string, names: readonly string[]): Breach[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: `${list}.${index}.${field}`, message: `${name} is used already` }],
  );
}
