/**
 * What ships in deploy/ is held against the program: settings, commands, ports, times, metrics. Files
 * for nats-server and redis-server are given to these.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentFile } from '../../cdn-pusher/press.js';
import { DirectoryOrigin } from '../../cdn-pusher/origins/directory.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { NODE_FLAGS } from '../../src/cli/node-flags.js';
import { parseDuration } from '../../src/config/units.js';
import { startCluster, type Cluster } from '../kit/cluster.js';
import {
  checkConfig,
  deployPath,
  deployText,
  deployYaml,
  environmentOf,
  manifests,
  metricsIn,
  type Manifest,
} from '../kit/deployment.js';
import { freePort } from '../kit/free-port.js';
import { prepareNginx } from '../kit/nginx.js';
import { findOrInstall } from '../kit/tools.js';

const run = promisify(execFile);
const ROLES = ['all', 'edge', 'room', 'cdn-pusher'];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-deploy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (typeof ms !== 'number') throw new Error(`no duration: ${text}`);
  return ms;
}

function drainMs(configuration: string): number {
  const window = /^drain:\n(?: +#.*\n)* +window: (\S+)/m.exec(configuration)?.[1];
  return durationMs(window!);
}

interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ulimits?: { readonly nofile: { readonly soft: number } };
}

describe('compose', () => {
  const { services } = deployYaml<{ services: Record<string, ComposeService> }>('compose.yaml');
  const env = environmentOf(deployText('example.env'));
  const filled = (text: string) => text.replace(/\$\{(\w+)[^}]*\}/g, (_, name) => env[name]!);
  const ours = Object.entries(services).filter(([, { image }]) => image === 'barrage');

  it('X-DEPLOY-1 the configuration is accepted with the environment of each service', async () => {
    expect(ours.map(([name]) => name)).toEqual([
      ...['room-1', 'room-2', 'edge-1', 'edge-2', 'cdn-pusher-1', 'cdn-pusher-2'],
    ]);
    const said = ours.map(([, { environment }]) => {
      const given = Object.entries(environment).map(([key, value]) => [key, filled(value)]);
      return checkConfig(deployPath('cluster.yaml'), Object.fromEntries(given));
    });
    for (const text of await Promise.all(said)) expect(text).toMatch(/\bOK\b/);
    expect(await checkConfig(deployPath('cluster.yaml'), { BARRAGE_EDGE_PROT: '1' })).toMatch(
      /BARRAGE_EDGE_PROT/,
    );
  });

  it('X-DEPLOY-2 commands, files, ports and times fit the program and each other', () => {
    const window = drainMs(deployText('cluster.yaml'));
    expect(window).toBeGreaterThanOrEqual(5000);
    for (const [name, service] of ours) {
      expect(ROLES, name).toContain(service.command[0]);
      expect(durationMs(service.stop_grace_period!), name).toBeGreaterThan(window + 10_000);
      expect(service.ulimits!.nofile.soft).toBeGreaterThan(100_000);
      const port = service.command[0] === 'edge' ? '8080' : '8081';
      expect(service.ports!.map((each) => each.split(':')[1])).toEqual([port]);
      for (const other of Object.keys(service.depends_on!)) {
        expect(services[other]?.healthcheck, other).toBeDefined();
      }
    }
    for (const { volumes = [] } of Object.values(services)) {
      for (const file of volumes.filter((volume) => volume.startsWith('./'))) {
        expect(existsSync(deployPath(file.split(':')[0]!)), file).toBe(true);
      }
    }
  });

  it('X-DEPLOY-2 the image has what the program needs, and ends by the signal that drains', () => {
    const image = deployText('Dockerfile');
    for (const part of ['package.json', 'node_modules', 'dist', 'web']) {
      expect(image).toContain(`/app/${part} ./`);
    }
    const start = ['node', ...NODE_FLAGS, 'dist/barrage.js'];
    expect(image).toContain(`ENTRYPOINT ${JSON.stringify(start).replaceAll(',', ', ')}`);
    expect(image).toContain('USER node');
    expect(image).toContain('STOPSIGNAL SIGTERM');
    expect(image).toMatch(/HEALTHCHECK[^]*:8081\/healthz/);
    expect(image).toContain('npm ci --ignore-scripts');
  });
});

describe('npm start', () => {
  it('X-DEPLOY-2 starts Node with the flags of all commands', async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts['start']).toBe(`node ${NODE_FLAGS.join(' ')} dist/barrage.js all`);
  });
});

describe('systemd', () => {
  it.each(['room', 'edge', 'cdn-pusher'])(
    'X-DEPLOY-2 barrage-%s.service starts and ends the role',
    (role) => {
      const unit = deployText(`systemd/barrage-${role}.service`);
      const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1];
      const flags = NODE_FLAGS.join(' ');
      expect(value('ExecStart')).toMatch(
        new RegExp(`node ${flags} /.*dist/barrage\\.js ${role} --config /`),
      );
      expect(value('KillSignal')).toBe('SIGTERM');
      const stopMs = Number(value('TimeoutStopSec')) * 1000;
      expect(stopMs).toBeGreaterThan(drainMs(deployText('cluster.yaml')) + 10_000);
      expect(Number(value('LimitNOFILE'))).toBeGreaterThanOrEqual(65_536);
      // It would stop the compiler of the language.
      expect(value('MemoryDenyWriteExecute')).toBeUndefined();
    },
  );
});

describe('Kubernetes', () => {
  const all = manifests();
  const find = (kind: string, name: string): Manifest =>
    all.find((each) => each.kind === kind && each.metadata.name === name)!;
  const secrets = find('Secret', 'barrage').stringData!;

  it('X-DEPLOY-1 the configuration is accepted with the secrets', async () => {
    const text = find('ConfigMap', 'barrage').data!['barrage.yaml']!;
    const file = join(folder, 'barrage.yaml');
    await writeFile(file, text);
    const own = { ...secrets, BARRAGE_EDGE_ADVERTISE: 'http://10.0.0.7:8080' };
    expect(await checkConfig(file, own)).toMatch(/\bOK\b/);
  });

  it.each(['room', 'edge', 'cdn-pusher'])(
    'X-DEPLOY-2 the pods of barrage-%s fit the program',
    (role) => {
      const { spec } = find('Deployment', `barrage-${role}`);
      const pod = (spec as { template: { metadata: { labels: object }; spec: PodSpec } }).template;
      const [container] = pod.spec.containers;
      const text = find('ConfigMap', 'barrage').data!['barrage.yaml']!;
      expect(pod.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(drainMs(text) + 10_000);
      expect(container!.args[0]).toBe(role);
      const named = new Map(
        container!.ports.map(({ name, containerPort }) => [name, containerPort]),
      );
      expect(named.get('operations')).toBe(8081);
      expect(container!.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'operations' });
      expect(container!.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'operations' });
      for (const { spec: of } of all.filter(({ kind }) => kind === 'Service')) {
        const service = of as { selector: { app: string }; ports: { targetPort?: string }[] };
        if (service.selector.app !== `barrage-${role}`) continue;
        for (const { targetPort } of service.ports) expect(named.has(targetPort!)).toBe(true);
      }
      const budget = find('PodDisruptionBudget', `barrage-${role}`).spec as {
        selector: { matchLabels: object };
      };
      expect(pod.metadata.labels).toEqual(budget.selector.matchLabels);
    },
  );

  it('X-DEPLOY-3 nats-server and redis-server accept their settings', async () => {
    const nats = join(folder, 'nats.conf');
    await writeFile(nats, find('ConfigMap', 'nats').data!['nats.conf']!);
    const env = {
      ...{ NATS_NAME: 'nats-0', NATS_USER: 'u', NATS_PASSWORD: 'p' },
      ...{ NATS_ROUTE_1: 'nats://a:1', NATS_ROUTE_2: 'nats://b:1', NATS_ROUTE_3: 'nats://c:1' },
    };
    const tested = await run(await findOrInstall('nats-server'), ['-t', '-c', nats], { env });
    expect(tested.stderr).toMatch(/is valid/);
    const redis = join(folder, 'redis.conf');
    const settings = find('ConfigMap', 'redis').data!['redis.conf']!;
    expect(settings).toContain('\ndir /data\n');
    await writeFile(redis, settings.replace('dir /data', `dir ${folder}`));
    const over = ['--bind', '127.0.0.1', '--port', `${await freePort()}`];
    const server = spawn(await findOrInstall('redis-server'), [redis, ...over]);
    try {
      let said = '';
      await new Promise<void>((resolve, reject) => {
        server.stdout.on('data', (bytes: Buffer) => {
          said += bytes.toString();
          if (said.includes('Ready to accept connections')) resolve();
        });
        server.once('exit', () => reject(new Error(said)));
      });
    } finally {
      server.kill();
    }
  });
});

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
    readonly readinessProbe: { readonly httpGet: object };
    readonly livenessProbe: { readonly httpGet: object };
  }[];
}

describe('nginx over the folder of pushers', () => {
  it('X-DEPLOY-3 nginx accepts it and serves files as viewers need them, hidden ones not', async () => {
    const brotli = 'nginx-cdn-brotli.conf';
    const nginx = await prepareNginx({
      modules: ['ngx_http_brotli_static_module.so'],
      beside: { [brotli]: deployText(brotli) },
      http: (port, root) =>
        deployText('nginx-folder.conf')
          .replace('listen 8091', `listen 127.0.0.1:${port}`)
          .replace('root /data/cdn;', `root ${root}/cdn;`),
    });
    try {
      const origin = new DirectoryOrigin(join(nginx.folder, 'cdn'), new SystemClock());
      const file = await segmentFile(Buffer.from('{"id":"1"}\n'.repeat(99)), origin.encodings);
      const signal = AbortSignal.timeout(5000);
      await origin.put('r/one.jsonl', file, signal);
      await origin.put('r/manifest.json', file, signal);
      await writeFile(join(nginx.folder, 'cdn/r/.manifest.lock'), '');
      await nginx.start();
      const get = async (name: string, accepted: string) => {
        const headers = { 'accept-encoding': accepted };
        const answer = await fetch(`${nginx.url}r/${name}`, { headers });
        const of = (header: string) => answer.headers.get(header);
        expect([name, await answer.text()]).toEqual([name, file.bytes.toString()]);
        expect([of('access-control-allow-origin'), of('etag')]).toEqual(['*', null]);
        return [of('content-encoding'), of('content-type'), of('cache-control')];
      };
      const lines = [file.contentType, file.cacheControl];
      expect(await get('one.jsonl', 'br, gzip')).toEqual(['br', ...lines]);
      expect(await get('one.jsonl', 'gzip')).toEqual(['gzip', ...lines]);
      expect(await get('one.jsonl', 'identity')).toEqual([null, ...lines]);
      const [, type, kept] = await get('manifest.json', 'gzip');
      expect([type, kept]).toEqual(['application/json', expect.stringContaining('max-age=1,')]);
      expect((await fetch(`${nginx.url}r/.manifest.lock`)).status).toBe(403);
      expect((await fetch(`${nginx.url}r/one.jsonl`, { method: 'PUT', body: '' })).status).toBe(
        403,
      );
    } finally {
      await nginx.stop();
    }
  });
});

describe('alerts and dashboard', () => {
  let cluster: Cluster;
  let exposed: readonly string[];

  beforeAll(async () => {
    cluster = await startCluster({ rooms: 1, edges: 1, pushers: 1, create: ['alpha'] });
    const [room, edge, pusher] = [cluster.rooms[0]!, cluster.edges[0]!, cluster.pushers[0]!];
    const ports = [room.port, pusher.port, edge.process.ready['operationsPort']];
    const texts = ports.map(async (port) =>
      (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    );
    exposed = (await Promise.all(texts)).join('\n').split('\n');
  }, 30_000);
  afterAll(() => cluster.stop());

  interface Rules {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  }
  interface Dashboard {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
  }

  it('X-DEPLOY-4 every metric and label value they name is one that a process exposes', () => {
    const { groups } = deployYaml<Rules>('alerts.yaml');
    const { panels } = JSON.parse(deployText('dashboard.json')) as Dashboard;
    const expressions = [
      ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    expect(expressions.length).toBeGreaterThan(30);
    const isExposed = (metric: string, labels: readonly string[]) =>
      exposed.some(
        (line) =>
          (line.startsWith(`${metric} `) || line.startsWith(`${metric}{`)) &&
          labels.every((label) => line.includes(label)),
      );
    const named = expressions.flatMap(metricsIn);
    expect(named.length).toBeGreaterThan(30);
    const missing = named.filter(({ metric, labels }) => {
      // What has no fixed labels is there once it was counted; its type is there from the start.
      const base = metric.replace(/_bucket$/, '');
      const isDeclared = exposed.some((line) => line.startsWith(`# TYPE ${base} `));
      return labels.length > 0 ? !isExposed(metric, labels) : !isDeclared;
    });
    expect(missing).toEqual([]);
  });
});
