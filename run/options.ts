/** Owns what of the configuration each service is given at its start. */
import { fileURLToPath } from 'node:url';
import { EDGE_DEFAULTS, type EdgeOptions } from '../edge/options.js';
import type { ApiOptions } from '../room/api/main.js';
import type { RoomOptions } from '../room/main.js';
import type { Config } from '../src/config/config.js';
import type { EdgeId } from '../src/ids.js';
import { randomId } from '../src/random.js';

// Seen from dist/run: the pages as they are written, the SDK as it is built.
const WEB_FOLDER = fileURLToPath(new URL('../../web', import.meta.url));
const CLIENT_FOLDER = fileURLToPath(new URL('../client', import.meta.url));

/** An edge has a new name at each start: what was sent to the old one is not for it. */
export function edgeOptions(config: Config): EdgeOptions {
  return { ...EDGE_DEFAULTS, ...config.edge, id: `edge-${randomId(6)}` as EdgeId };
}

/** `member`: the name under which shards are owned. */
export function roomOptions(config: Config, member: string): RoomOptions {
  return {
    member,
    defaults: config.room,
    ensure: config.rooms.create,
    leaseMs: config.rooms.leaseMs,
    parkAfterMs: config.rooms.parkAfterMs,
    cdn: cdnOptions(config),
  };
}

/** CDNs as the rooms use them. */
export function cdnOptions({ cdn }: Config): NonNullable<RoomOptions['cdn']> {
  const { sources, pollMs, segmentMs, quality } = cdn;
  return { sources, pollMs, segmentMs, quality };
}

/** `viewerPort`: where the pages find an edge on the same host. */
export function apiOptions(config: Config, viewerPort: () => number): ApiOptions {
  return {
    ...{ host: config.studio.host, port: config.studio.port, webFolder: WEB_FOLDER },
    clientFolder: CLIENT_FOLDER,
    viewerPort,
    tokenTtlMs: config.tokens.ttlMs,
    requestsPerSecond: config.studio.requestsPerSecond,
  };
}
