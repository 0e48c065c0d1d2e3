/** Owns the `redis:` section of the file: the store that many processes share. */
import {
  REDIS_DEFAULTS,
  REDIS_MODES,
  type RedisMode,
  type RedisStoreOptions,
} from '../redis-settings.js';
import * as leaf from './leaves.js';
import { formatDuration, formatSize } from './units.js';

const RESTART = { restart: true } as const;
const ADDRESS = {
  pattern: /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):\d{1,5}$/,
  rule: 'an address with its port (10.0.0.5:6379)',
};
const NAME = { pattern: /^[A-Za-z0-9_.-]{1,64}$/, rule: '1-64 of A-Z a-z 0-9 _ . -' };
const USER = { pattern: /^[\x21-\x7e]{0,200}$/, rule: 'up to 200 characters without spaces' };
const PASSWORD = { pattern: /^[^\p{Cc}]{0,512}$/u, rule: 'up to 512 characters' };
const PATH = { pattern: /^[^\p{Cc}]{0,1000}$/u, rule: 'a path, or empty' };
const own = REDIS_DEFAULTS;
const ms = formatDuration;

export const REDIS_SECTION = {
  mode: leaf.choice(own.mode, REDIS_MODES, 'what answers at the addresses', RESTART),
  addresses: leaf.texts(
    own.addresses,
    'the server; or the sentinels; or some nodes of the cluster',
    ADDRESS,
    RESTART,
  ),
  masterName: leaf.text(own.masterName, 'the name sentinels know the server by', NAME, RESTART),
  user: leaf.text(own.user, 'empty: none is told', USER, RESTART),
  password: leaf.secret('empty: none is told', PASSWORD, RESTART),
  sentinelUser: leaf.text(own.sentinelUser, 'what the sentinels ask for', USER, RESTART),
  sentinelPassword: leaf.secret('what the sentinels ask for', PASSWORD, RESTART),
  tls: leaf.flag(own.tls, 'connect by TLS', RESTART),
  tlsAuthority: leaf.text(
    own.tlsAuthority,
    'file with the authorities that signed its certificate; empty: those of the system',
    PATH,
    RESTART,
  ),
  prefix: leaf.text(
    own.prefix,
    'begins every key, so that several may share a server',
    NAME,
    RESTART,
  ),
  commandTimeout: leaf.duration(
    ms(own.commandTimeoutMs),
    ['50ms', '30s'],
    'a command without an answer for this long has failed',
    RESTART,
  ),
  connectTimeout: leaf.duration(
    ms(own.connectTimeoutMs),
    ['100ms', '1m'],
    'a start without the store ends after this',
    RESTART,
  ),
  pending: {
    count: leaf.whole(own.pendingCount, [64, 1_000_000], 'commands without an answer yet', RESTART),
    bytes: leaf.size(formatSize(own.pendingBytes), ['1MiB', '1GiB'], 'their bytes', RESTART),
  },
  waitReplicas: leaf.whole(
    own.waitReplicas,
    [0, 8],
    'replicas that must have a commit before it is acknowledged (WAIT)',
    RESTART,
  ),
  waitTime: leaf.duration(ms(own.waitMs), ['10ms', '10s'], 'they are waited for', RESTART),
} as const;

interface RedisValues {
  readonly mode: RedisMode;
  readonly addresses: readonly string[];
  readonly masterName: string;
  readonly user: string;
  readonly password: string;
  readonly sentinelUser: string;
  readonly sentinelPassword: string;
  readonly tls: boolean;
  readonly tlsAuthority: string;
  readonly prefix: string;
  readonly commandTimeout: number;
  readonly connectTimeout: number;
  readonly pending: { readonly count: number; readonly bytes: number };
  readonly waitReplicas: number;
  readonly waitTime: number;
}

export function toRedisConfig(section: RedisValues): RedisStoreOptions {
  const { commandTimeout, connectTimeout, pending, waitTime, ...plain } = section;
  return {
    ...plain,
    commandTimeoutMs: commandTimeout,
    connectTimeoutMs: connectTimeout,
    pendingCount: pending.count,
    pendingBytes: pending.bytes,
    waitMs: waitTime,
  };
}

/** What must hold between its keys, told at one of them. */
export function redisFlaws(
  section: RedisValues,
): { readonly path: string; readonly message: string; readonly against?: string }[] {
  const { mode, addresses, commandTimeout, waitTime, waitReplicas, tlsAuthority, tls } = section;
  const flaws: { path: string; message: string; against?: string }[] = [];
  if (addresses.length === 0 || (mode === 'single' && addresses.length > 1)) {
    const message = mode === 'single' ? 'must be one address' : 'must name at least one address';
    flaws.push({ path: 'redis.addresses', message, against: 'redis.mode' });
  }
  if (waitReplicas > 0 && waitTime >= commandTimeout) {
    const message = `must be shorter than redis.commandTimeout (${ms(commandTimeout)})`;
    flaws.push({ path: 'redis.waitTime', message, against: 'redis.commandTimeout' });
  }
  if (tlsAuthority !== '' && !tls) {
    const message = 'is of no use without redis.tls';
    flaws.push({ path: 'redis.tlsAuthority', message, against: 'redis.tls' });
  }
  return flaws;
}
