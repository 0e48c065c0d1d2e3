/**
 * A viewer of a room's files that judges all it sees, all the time: what the web server has on disk and
 * what the cache in front serves. Collects what is wrong instead of throwing.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';

const LOOK_MS = 50;
const REQUEST_MS = 4000;

export class CdnWatcher {
  /** Wrong at any time so far. */
  readonly flaws: string[] = [];
  readonly texts = new Set<string>();
  /** Looks at the disk, and manifests served. */
  looks = 0;
  served = 0;
  gaps = 0;
  newest: Manifest | undefined;
  readonly #folder: string;
  readonly #url: string;
  readonly #hashes = new Map<string, string>();
  readonly #seen = { disk: { epoch: 0, at: 0 }, cache: { epoch: 0, at: 0 } };
  readonly #read = new Set<string>();
  #isOn = true;
  readonly #running: Promise<unknown>;

  /** `folder` and `url` of the room's files. */
  constructor(folder: string, url: string) {
    this.#folder = folder;
    this.#url = url;
    this.#running = Promise.all([
      this.#again(() => this.#lookAtDisk()),
      this.#again(() => this.#ask()),
    ]);
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  async #again(look: () => Promise<void>): Promise<void> {
    while (this.#isOn) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #lookAtDisk(): Promise<void> {
    const bytes = await readFile(join(this.#folder, 'manifest.json')).catch(() => undefined);
    if (bytes === undefined) return;
    const manifest = this.#decode(bytes);
    if (manifest === undefined) return;
    const files = new Set(await readdir(this.#folder));
    for (const { name } of manifest.segments) {
      if (!files.has(name)) this.flaws.push(`${name} is named and not on disk`);
    }
    this.#judge('disk', manifest);
    this.newest = manifest;
    this.looks++;
  }

  async #ask(): Promise<void> {
    const answer = await get(`${this.#url}manifest.json`);
    if (answer?.status !== 200) return;
    const manifest = this.#decode(answer.body);
    if (manifest === undefined) return;
    this.#judge('cache', manifest);
    this.served++;
    for (const { name, hash, gap } of manifest.segments) {
      if (this.#read.has(name)) continue;
      const segment = await get(this.#url + name);
      if (segment?.status === 404) this.flaws.push(`${name} is named and not served`);
      // Others are asked again with the next manifest.
      if (segment?.status !== 200) continue;
      this.#read.add(name);
      if (gap !== undefined) this.gaps++;
      const digest = createHash('sha256').update(segment.body).digest('base64');
      if (`sha256-${digest}` !== hash) this.flaws.push(`${name} is not what was told`);
      for (const line of segment.body.toString().trimEnd().split('\n')) {
        this.texts.add((JSON.parse(line) as { text: string }).text);
      }
    }
  }

  #decode(bytes: Buffer): Manifest | undefined {
    try {
      return decodeManifest(bytes);
    } catch (error) {
      this.flaws.push(String(error));
      return undefined;
    }
  }

  /** No manifest goes back or turns off, and a name has one content for ever. */
  #judge(where: 'disk' | 'cache', { epoch, at, mode, segments }: Manifest): void {
    const seen = this.#seen[where];
    if (epoch < seen.epoch || (epoch === seen.epoch && at < seen.at)) {
      this.flaws.push(
        `${where}: the manifest went back from ${seen.epoch} ${seen.at} to ${epoch} ${at}`,
      );
    }
    Object.assign(seen, { epoch, at });
    if (mode !== 'on') this.flaws.push(`${where}: the manifest says ${mode}`);
    for (const { name, hash } of segments) {
      const before = this.#hashes.get(name) ?? hash;
      if (before !== hash) this.flaws.push(`${name} was written twice`);
      this.#hashes.set(name, hash);
    }
  }
}

async function get(url: string): Promise<{ status: number; body: Buffer } | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS) });
    return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
  } catch {
    return undefined;
  }
}
