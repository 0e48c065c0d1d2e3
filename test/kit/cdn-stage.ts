/**
 * A cluster with one room and nginx as its CDN, somebody who speaks all the time, and viewers by the SDK
 * on every way to watch: who has what, and whether anything is missing or came twice.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TransportName } from '../../client/types.js';
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';
import { startCluster, type Cluster, type Member } from './cluster.js';
import { freePort } from './free-port.js';
import { prepareNginx, type Nginx } from './nginx.js';
import { SdkViewer } from './sdk-viewer.js';
import { read } from './source-tree.js';
import { untilTrue } from './until-true.js';

const ROOM = 'lobby';
const DROP_EVERY_MS = 50;
const KEEP_EVERY_MS = 500;
const WAYS: readonly TransportName[] = ['websocket', 'websocket', 'websocket', 'sse', 'poll'];
/**
 * After all CDNs have failed viewers rest for 16 s: longer than they are given to catch up by the socket
 * (12 s). At 10 s a slow machine let them try, and fail, once more before the CDN was started again.
 */
const random = () => 0.3;

/** Says something droppable 20 times a second and something keepable twice. */
class Speaker {
  readonly #cluster: Cluster;
  readonly said = { drop: 0, keep: 0 };
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #posts = new Set<Promise<unknown>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  start(): void {
    const cluster = this.#cluster;
    const say = (word: 'drop' | 'keep', lane: string) => () => {
      const text = `${word} ${this.said[word]++}`;
      const body = { kind: word === 'drop' ? 'danmaku' : 'notice', lane, text };
      const post = cluster.studio(cluster.rooms[0]!, 'POST', '/v1/rooms/lobby/publications', body);
      this.#posts.add(post);
      void post.finally(() => this.#posts.delete(post));
    };
    this.#timers.push(setInterval(say('drop', 'normal'), DROP_EVERY_MS));
    this.#timers.push(setInterval(say('keep', 'control'), KEEP_EVERY_MS));
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#posts);
  }
}

async function startNginx(folder: string): Promise<Nginx> {
  const origin = await freePort();
  const made = await prepareNginx({
    modules: ['ngx_http_dav_ext_module.so'],
    http: (port) =>
      read('deploy/nginx-cdn.conf')
        .replaceAll('127.0.0.1:8090', `127.0.0.1:${origin}`)
        .replace('root cdn;', `root ${folder};`)
        .replace('listen 8091', `listen 127.0.0.1:${port}`),
  });
  await made.start();
  return made;
}

export class CdnStage {
  readonly folder: string;
  readonly cluster: Cluster;
  readonly nginx: Nginx;
  readonly speaker: Speaker;
  readonly viewers: SdkViewer[] = [];

  private constructor(folder: string, nginx: Nginx, cluster: Cluster) {
    this.folder = folder;
    this.nginx = nginx;
    this.cluster = cluster;
    this.speaker = new Speaker(cluster);
  }

  /** Somebody speaks and all viewers watch by the edge; the room is not on the CDN. */
  static async start(pushers: number): Promise<CdnStage> {
    const folder = await mkdtemp(join(tmpdir(), 'barrage-origin-'));
    const nginx = await startNginx(folder);
    const starting = startCluster({
      ...{ rooms: 1, edges: 1, pushers, create: [ROOM] },
      config: {
        edge: { region: 'eu' },
        cdn: {
          ...{ origin: 'directory', directory: { folder } },
          sources: [{ id: 'a', url: nginx.url, weight: 1 }],
        },
      },
    });
    const cluster = await starting.catch(async (error: unknown) => {
      await nginx.stop();
      throw error;
    });
    const stage = new CdnStage(folder, nginx, cluster);
    for (const [i, way] of WAYS.entries()) {
      const options = { url: cluster.edgeUrls, room: ROOM, transports: [way], random };
      stage.viewers.push(new SdkViewer({ ...options, token: cluster.token(`u${i}`, [ROOM]) }));
    }
    await Promise.all(stage.viewers.map((viewer) => viewer.live()));
    stage.speaker.start();
    return stage;
  }

  async stop(): Promise<void> {
    await this.speaker.stop();
    for (const viewer of this.viewers) viewer.close();
    await this.cluster.stop();
    await this.nginx.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The manifest at the origin. */
  manifest(): Promise<Manifest | undefined> {
    return readFile(join(this.folder, ROOM, 'manifest.json'))
      .then(decodeManifest)
      .catch(() => undefined);
  }

  /** The pusher that wrote it. */
  writerOf({ run }: Manifest): Member {
    const isWriter = ({ process }: Member) =>
      process.log.some((line) => line.includes('"pusher ready"') && line.includes(run));
    return this.cluster.pushers.find(isWriter)!;
  }

  choose(cdn: 'on' | 'off') {
    const { cluster } = this;
    return cluster.studio(cluster.rooms[0]!, 'PATCH', `/v1/rooms/${ROOM}/limits`, { cdn });
  }

  /** Until all viewers take their droppables from the CDN, or by their links. */
  follow(isFollowing: boolean, withinMs?: number): Promise<unknown> {
    const what = isFollowing ? 'on the CDN' : 'on the socket';
    const until = (viewer: SdkViewer) =>
      viewer.until(what, () => viewer.stream.state.cdn === isFollowing, withinMs);
    return Promise.all(this.viewers.map(until));
  }

  /** All that was said up to now has arrived, each once; keepables in their order. */
  async whole(fromDrop: number): Promise<void> {
    const said = { ...this.speaker.said };
    const deadline = 12_000;
    for (const viewer of this.viewers) {
      const has = () => {
        const [drops, keeps] = [new Set(numbers(viewer, 'drop')), numbers(viewer, 'keep')];
        for (let i = fromDrop; i < said.drop; i++) if (!drops.has(i)) return false;
        return (keeps.at(-1) ?? -1) >= said.keep - 1;
      };
      await viewer.until('all that was said', has, deadline).catch((error: unknown) => {
        const drops = new Set(numbers(viewer, 'drop'));
        const all = Array.from({ length: said.drop - fromDrop }, (_, i) => fromDrop + i);
        const missing = all.filter((each) => !drops.has(each));
        throw new Error(`from ${fromDrop} to ${said.drop} without ${missing.join()}`, {
          cause: error,
        });
      });
    }
    this.noneTwice();
  }

  noneTwice(): void {
    for (const viewer of this.viewers) {
      const [drops, keeps] = [numbers(viewer, 'drop'), numbers(viewer, 'keep')];
      expect(new Set(drops).size).toBe(drops.length);
      const first = keeps[0]!;
      expect(keeps).toEqual(Array.from(keeps, (_, i) => first + i));
      expect(viewer.recovered).toEqual([]);
    }
  }

  /** Publications the edge sends each viewer per second. */
  async deliveredPerSecond(ms: number): Promise<number> {
    const before = await this.#edgeMetric('barrage_edge_deliveries_total');
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, ms));
    const sent = (await this.#edgeMetric('barrage_edge_deliveries_total')) - before;
    return sent / this.viewers.length / ((performance.now() - began) / 1000);
  }

  /** Until the manifest at the origin is as wanted. */
  async untilManifest(what: string, holds: (manifest: Manifest) => boolean): Promise<void> {
    await untilTrue(what, async () => {
      const manifest = await this.manifest();
      return manifest !== undefined && holds(manifest);
    });
  }

  async #edgeMetric(name: string): Promise<number> {
    const ready = this.cluster.edges[0]!.process.ready;
    const answer = await fetch(`http://127.0.0.1:${String(ready['operationsPort'])}/metrics`);
    const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}

function numbers({ texts }: SdkViewer, word: 'drop' | 'keep'): number[] {
  return texts
    .filter((text) => text.startsWith(word))
    .map((text) => Number(text.slice(word.length)));
}
