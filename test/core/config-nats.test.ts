/** The `nats:` section becomes what the bus is opened with; what cannot work is told by its key. */
import { expect, it } from 'vitest';
import { toConfig } from '../../src/config/config.js';
import { shownSettings } from '../../src/config/default-file.js';
import { problemLine } from '../../src/config/given.js';
import { loadSettings } from '../../src/config/load.js';
import { DEFAULT_NATS, parseNatsServer } from '../../src/nats-settings.js';

const load = (text: string, env: Readonly<Record<string, string>> = {}) =>
  loadSettings({ file: { name: 'b.yaml', text }, env, flags: [] });

function loaded(text: string, env?: Readonly<Record<string, string>>) {
  const result = load(text, env);
  if (result.problems !== undefined) throw new Error(result.problems.map(problemLine).join('\n'));
  return result.settings;
}

it('N-BUS-11 without the section the defaults of the bus hold', () => {
  expect(toConfig(loaded('bus: nats'))).toMatchObject({ bus: 'nats', nats: DEFAULT_NATS });
});

it('N-BUS-11 the section and its variables reach the bus, secrets are not shown', () => {
  const settings = loaded(
    'nats: {servers: ["tls://a:4222", "[::1]:4223", b], user: bus, pending: {count: 500, bytes: 1MiB}, stale: 1s}',
    { BARRAGE_NATS_PASSWORD: 'hunter2hunter2', BARRAGE_NATS_TLS_ENABLED: 'true' },
  );
  expect(toConfig(settings).nats).toMatchObject({
    servers: ['tls://a:4222', '[::1]:4223', 'b'],
    ...{ user: 'bus', password: 'hunter2hunter2', pendingItemsMax: 500, pendingBytesMax: 1 << 20 },
    ...{ staleMs: 1000, tls: { enabled: true, ca: '', cert: '', key: '' } },
  });
  expect(shownSettings(settings)).not.toContain('hunter2');
});

it.each([
  ['servers: []', 'nats.servers: must name at least one server'],
  ['servers: ["http://a:1"]', 'nats.servers.0: must be a server (nats://host:port'],
  ['servers: [a, "b:99999"]', 'nats.servers.1: must be a server'],
  ['password: x', 'nats.password: needs nats.user'],
  ['{user: a, token: b}', 'nats.token: cannot be used with nats.user'],
  ['{user: a, credentials: f}', 'nats.credentials: cannot be used with nats.user'],
  ['{token: a, credentials: f}', 'nats.credentials: cannot be used with nats.token'],
  ['tls: {ca: f}', 'nats.tls.ca: is of no use without nats.tls'],
  ['tls: {enabled: true, cert: f}', 'nats.tls.cert: needs nats.tls.key'],
  ['tls: {enabled: true, key: f}', 'nats.tls.cert: needs nats.tls.key'],
  ['pending: {bytes: 1KiB}', 'nats.pending.bytes: must be 1MiB to 4GiB'],
])('N-BUS-11 {%s} is refused', (section, message) => {
  const text = section.startsWith('{') ? `nats: ${section}` : `nats:\n  ${section}`;
  expect((load(text).problems ?? []).map(problemLine).join('\n')).toContain(message);
});

it.each([
  ['nats://bus.example:4333', { host: 'bus.example', port: 4333, tlsName: 'bus.example' }],
  ['10.0.0.1', { host: '10.0.0.1', port: 4222, tlsName: '10.0.0.1' }],
  ['[::1]:1', { host: '::1', port: 1, tlsName: '::1' }],
  ['nats://user:secret@host:4222', undefined],
  ['host:0', undefined],
  ['', undefined],
])('N-BUS-11 reads the server %j', (text, target) => {
  expect(parseNatsServer(text)).toEqual(target);
});
