/**
 * Owns the one frozen object the services are given: names and units of the code (`heartbeatMs`),
 * made from the settings of the file (`heartbeat: 25s`).
 */
import type { RoomId } from '../ids.js';
import type { DispatchConfig } from '../dispatch-settings.js';
import type { NatsBusOptions } from '../nats-settings.js';
import type { RedisStoreOptions } from '../redis-settings.js';
import type { RoomSettings } from '../room-settings.js';
import type { TokenKey } from '../tokens.js';
import type { CallbackConfig } from '../callbacks/settings.js';
import type { WordsConfig } from '../words-filter/settings.js';
import { toCallbackConfig, toWordsConfig } from './callback-section.js';
import { toDispatchConfig } from './dispatch-section.js';
import { toEdgeLoad, type EdgeLoadConfig } from './edge-load-section.js';
import { toCdnConfig, type CdnConfig } from './cdn-section.js';
import { toNatsConfig } from './nats-section.js';
import { toRedisConfig } from './redis-section.js';
import { toRoomSettings } from './room-section.js';
import type { Settings, StudioKey } from './schema.js';

export type LogLevel = Settings['log']['level'];

export interface Config {
  readonly edge: {
    readonly host: string;
    readonly port: number;
    readonly origins: readonly string[];
    readonly connectionsPerAddress: number;
    readonly connectionsPerUser: number;
    readonly connectionsMax: number;
    readonly heartbeatMs: number;
    readonly idleMs: number;
    readonly softMarkBytes: number;
    readonly hardMarkBytes: number;
    /** 0-1 of a core. */
    readonly busyShare: number;
    readonly paceMaxMs: number;
    readonly lingerMs: number;
    readonly reconnectJitterMs: number;
    readonly trustProxy: boolean;
    /** Empty: made of host and port. */
    readonly advertise: string;
    readonly region: string;
    /** 0: `connectionsMax`. */
    readonly capacity: number;
    readonly reportMs: number;
  } & EdgeLoadConfig;
  readonly studio: {
    readonly host: string;
    readonly port: number;
    /** Empty: the ones kept in the data folder hold (secrets.ts). */
    readonly keys: readonly StudioKey[];
    readonly requestsPerSecond: number;
  };
  readonly tokens: {
    readonly audience: string;
    /** Empty: the ones kept in the data folder hold (secrets.ts). */
    readonly keys: readonly TokenKey[];
    readonly ttlMs: number;
  };
  readonly room: RoomSettings;
  readonly rooms: {
    readonly create: readonly { readonly room: RoomId; readonly title?: string }[];
    readonly leaseMs: number;
    readonly parkAfterMs: number;
  };
  readonly callbacks: CallbackConfig;
  readonly words: WordsConfig;
  readonly dispatch: DispatchConfig;
  readonly data: { readonly folder: string };
  readonly store: Settings['store'];
  readonly redis: RedisStoreOptions;
  readonly bus: Settings['bus'];
  readonly nats: NatsBusOptions;
  readonly cdn: CdnConfig;
  readonly log: { readonly level: LogLevel };
  readonly drain: { readonly windowMs: number };
}

export function toConfig(settings: Settings): Config {
  const { edge, studio, tokens, room, rooms, data, store, bus, log, drain } = settings;
  const { heartbeat, idle, softMark, hardMark, paceMax, linger, reconnectJitter } = edge;
  const { host, port, origins, connectionsPerAddress, connectionsPerUser } = edge;
  const { connectionsMax, busyShare, trustProxy, advertise, region, capacity } = edge;
  return freeze({
    edge: {
      ...{ host, port, origins, connectionsPerAddress, connectionsPerUser },
      ...{ connectionsMax, busyShare, trustProxy, advertise, region, capacity },
      ...toEdgeLoad(edge),
      heartbeatMs: heartbeat,
      idleMs: idle,
      softMarkBytes: softMark,
      hardMarkBytes: hardMark,
      paceMaxMs: paceMax,
      lingerMs: linger,
      reconnectJitterMs: reconnectJitter,
      reportMs: edge.report,
    },
    studio: { ...studio },
    tokens: { audience: tokens.audience, keys: tokens.keys, ttlMs: tokens.ttl },
    room: toRoomSettings(room),
    rooms: {
      create: rooms.create.map(({ room: id, ...rest }) => ({ room: id as RoomId, ...rest })),
      leaseMs: rooms.lease,
      parkAfterMs: rooms.parkAfter,
    },
    callbacks: toCallbackConfig(settings.callbacks),
    words: toWordsConfig(settings.words),
    dispatch: toDispatchConfig(settings.dispatch),
    data: { folder: data.folder },
    store,
    redis: toRedisConfig(settings.redis),
    bus,
    nats: toNatsConfig(settings.nats),
    cdn: toCdnConfig(settings.cdn),
    log: { level: log.level },
    drain: { windowMs: drain.window },
  });
}

/** A deep copy that cannot be changed. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy: unknown = Array.isArray(value)
    ? value.map((item: unknown) => freeze(item))
    : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, freeze(inner)]));
  return Object.freeze(copy) as T;
}
