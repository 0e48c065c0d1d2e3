/**
 * Owns what settings must hold between each other. Each relation names the key at which it is told.
 */
import { CALLBACK_URL_RULE, isCallbackUrl } from '../callbacks/settings.js';
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
      'rooms.create',
      'room',
      settings.rooms.create.map((entry) => entry.room),
    ),
  ];
}

function edgeBreaches({ edge }: Settings): Breach[] {
  const breaches: Breach[] = [];
  if (edge.idle <= edge.heartbeat) {
    const message = `must be longer than edge.heartbeat (${formatDuration(edge.heartbeat)})`;
    breaches.push({ path: 'edge.idle', message, against: 'edge.heartbeat' });
  }
  if (edge.hardMark <= edge.softMark) {
    const message = `must be more than edge.softMark (${formatSize(edge.softMark)})`;
    breaches.push({ path: 'edge.hardMark', message, against: 'edge.softMark' });
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

function repeats(list: string, field: string, names: readonly string[]): Breach[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: `${list}.${index}.${field}`, message: `${name} is used already` }],
  );
}
