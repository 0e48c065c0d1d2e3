/** The `redis:` section of the file: its defaults, its flaws, its secrets. */
import { expect, it } from 'vitest';
import { toConfig } from '../../src/config/config.js';
import { shownSettings } from '../../src/config/default-file.js';
import { problemLine } from '../../src/config/given.js';
import { loadSettings } from '../../src/config/load.js';
import { REDIS_DEFAULTS } from '../../src/redis-settings.js';

function load(text: string, env: Readonly<Record<string, string>> = {}) {
  return loadSettings({ file: { name: 'b.yaml', text }, env, flags: [] });
}

it('C-1 the store in Redis has defaults, and its settings their units', () => {
  const { settings } = load('store: redis');
  expect(toConfig(settings!)).toMatchObject({ store: 'redis', redis: REDIS_DEFAULTS });
  const text =
    'redis: {mode: sentinel, addresses: ["10.0.0.1:26379", "[::1]:26379"], commandTimeout: 2s,' +
    ' pending: {bytes: 2MiB}, waitReplicas: 1, waitTime: 1s}';
  expect(toConfig(load(text).settings!).redis).toMatchObject({
    ...{ mode: 'sentinel', commandTimeoutMs: 2000, pendingBytes: 2 << 20, waitMs: 1000 },
    addresses: ['10.0.0.1:26379', '[::1]:26379'],
  });
});

it.each([
  ['{addresses: []}', 'redis.addresses: must be one address'],
  ['{addresses: ["a:1", "b:2"]}', 'redis.addresses: must be one address'],
  ['{mode: cluster, addresses: []}', 'redis.addresses: must name at least one address'],
  ['{addresses: ["localhost"]}', 'redis.addresses.0: must be an address with its port'],
  [
    '{waitReplicas: 1, waitTime: 1s}',
    'redis.waitTime: must be shorter than redis.commandTimeout (1s)',
  ],
  ['{tlsAuthority: ca.pem}', 'redis.tlsAuthority: is of no use without redis.tls'],
  ['{prefix: "a{b}"}', 'redis.prefix: must be 1-64 of A-Z a-z 0-9 _ . -'],
  ['{pasword: x}', 'redis.pasword: unknown key; did you mean redis.password?'],
])('C-2 redis: %s is refused by name', (section, expected) => {
  const problems = load(`redis: ${section}`).problems ?? [];
  expect(problems.map(problemLine).join('\n')).toContain(expected);
});

it('C-2 passwords of Redis come from the environment too and are never shown', () => {
  const env = { BARRAGE_REDIS_PASSWORD: 'hunter2-hunter2' };
  const { settings } = load('redis: {sentinelPassword: open-sesame-1}', env);
  expect(toConfig(settings!).redis.password).toBe('hunter2-hunter2');
  const shown = shownSettings(settings!);
  expect(shown).not.toMatch(/hunter2|sesame/);
  expect(shown).toContain('password: (hidden)');
});
