/** Owns the settings of the store in Redis: where it is, how long to wait, what to promise. */

export const REDIS_MODES = ['single', 'sentinel', 'cluster'] as const;
export type RedisMode = (typeof REDIS_MODES)[number];

export interface RedisStoreOptions {
  readonly mode: RedisMode;
  /** `host:port` of the server, of the sentinels, or of some nodes of the cluster. */
  readonly addresses: readonly string[];
  /** The name sentinels know the servers by. */
  readonly masterName: string;
  /** Empty: none is sent. */
  readonly user: string;
  readonly password: string;
  /** What the sentinels themselves ask for. */
  readonly sentinelUser: string;
  readonly sentinelPassword: string;
  readonly tls: boolean;
  /** File with the authorities that signed the servers' certificates; empty: those of the system. */
  readonly tlsAuthority: string;
  /** Before every key; without `{`, `}` and white space. */
  readonly prefix: string;
  /** A command without an answer for this long has failed, its outcome unknown. */
  readonly commandTimeoutMs: number;
  /** One attempt to connect; also how long opening the store tries at all. */
  readonly connectTimeoutMs: number;
  /** Commands waiting for their answers, and their bytes; more are refused. */
  readonly pendingCount: number;
  readonly pendingBytes: number;
  /** Replicas that must have what was appended before it counts as kept; 0 asks none. */
  readonly waitReplicas: number;
  readonly waitMs: number;
}

export const REDIS_DEFAULTS: RedisStoreOptions = {
  mode: 'single',
  addresses: ['127.0.0.1:6379'],
  masterName: 'barrage',
  user: '',
  password: '',
  sentinelUser: '',
  sentinelPassword: '',
  tls: false,
  tlsAuthority: '',
  prefix: 'barrage',
  commandTimeoutMs: 1000,
  connectTimeoutMs: 5000,
  pendingCount: 10_000,
  pendingBytes: 64 << 20,
  waitReplicas: 0,
  waitMs: 500,
};
