/**
 * Origin behind HTTP `PUT`, `GET`, `DELETE` and, where it is there, `PROPFIND` (nginx with DAV, Apache,
 * object gateways). Compressed forms are further files. Knows no timer: deadlines come as signals.
 */
import { ENCODING_ENDS, type Origin, type OriginFile } from '../origin.js';
import { originFailure, statusFailure } from './failure.js';
import { GuardedManifests, type Condition } from './guarded-manifests.js';

export interface HttpOriginOptions {
  /** Ends in `/`. */
  readonly url: string;
  /** Value of `Authorization`; empty for none. */
  readonly authorization: string;
}

/** Answers larger than this are no manifest and no list of a room's files. */
const ANSWER_BYTES_MAX = 8 << 20;
const COMPRESSED_TYPE = 'application/octet-stream';

export class HttpOrigin implements Origin {
  readonly encodings = ['gzip', 'br'] as const;
  readonly ranges = true;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #manifests: GuardedManifests;

  constructor({ url, authorization }: HttpOriginOptions) {
    this.#url = new URL(url);
    this.#headers = authorization === '' ? {} : { authorization };
    this.#manifests = new GuardedManifests({
      read: (name, signal) => this.#read(name, signal),
      write: (name, file, condition, signal) => this.#write(name, file, condition, signal),
    });
  }

  async put(name: string, file: OriginFile, signal: AbortSignal): Promise<void> {
    await this.#write(name, file, {}, signal);
  }

  putManifest(
    name: string,
    file: OriginFile,
    epoch: number,
    signal: AbortSignal,
  ): Promise<'written' | 'fenced'> {
    return this.#manifests.put(name, file, epoch, signal);
  }

  async get(name: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return (await this.#read(name, signal))?.bytes;
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    const ends = this.encodings.map((encoding) => ENCODING_ENDS[encoding]);
    for (const end of ['', ...ends]) {
      const answer = await this.#ask('DELETE', `${name}${end}`, { signal });
      await drop(answer);
      const isGone = answer.status === 404 || answer.status === 410;
      if (!answer.ok && !isGone) throw statusFailure('delete', name, answer.status);
    }
  }

  /** By `PROPFIND`; who does not know it has no list. */
  async list(folder: string, signal: AbortSignal): Promise<readonly string[]> {
    const headers = { depth: '1', 'content-type': 'application/xml' };
    const body = '<propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>';
    const answer = await this.#ask('PROPFIND', `${folder}/`, { signal, headers, body });
    if (answer.status !== 207) {
      await drop(answer);
      if (answer.status >= 500 && answer.status !== 501) {
        throw statusFailure('list', folder, answer.status);
      }
      return [];
    }
    const text = (await bytesOf(answer, 'list', folder)).toString();
    return namesIn(text, this.encodings);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #read(
    name: string,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; tag: string | undefined } | undefined> {
    const headers = { 'accept-encoding': 'identity', 'cache-control': 'no-cache' };
    const answer = await this.#ask('GET', name, { signal, headers });
    if (answer.status === 200) {
      const bytes = await bytesOf(answer, 'read', name);
      return { bytes, tag: strongTag(answer) };
    }
    await drop(answer);
    if (answer.status === 404 || answer.status === 410) return undefined;
    throw statusFailure('read', name, answer.status);
  }

  /** Siblings of a segment before, those of a manifest after the plain file, which decides. */
  async #write(
    name: string,
    file: OriginFile,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<{ tag: string | undefined } | 'changed'> {
    const headers = {
      'content-type': file.contentType,
      'cache-control': file.cacheControl,
      ...(condition.ifMatch !== undefined && { 'if-match': condition.ifMatch }),
      ...(condition.ifAbsent === true && { 'if-none-match': '*' }),
    };
    const answer = await this.#ask('PUT', name, { signal, headers, body: file.bytes });
    await drop(answer);
    if (answer.status === 412) return 'changed';
    if (!answer.ok) throw statusFailure('write', name, answer.status);
    await Promise.all(
      file.compressed.map(async ({ encoding, bytes }) => {
        const path = `${name}${ENCODING_ENDS[encoding]}`;
        const type = { 'content-type': COMPRESSED_TYPE, 'cache-control': file.cacheControl };
        const done = await this.#ask('PUT', path, { signal, headers: type, body: bytes });
        await drop(done);
        if (!done.ok) throw statusFailure('write', path, done.status);
      }),
    );
    return { tag: strongTag(answer) };
  }

  async #ask(method: string, name: string, init: RequestInit): Promise<Response> {
    try {
      const headers = { ...this.#headers, ...(init.headers as Record<string, string>) };
      return await fetch(new URL(name, this.#url), { ...init, method, headers, redirect: 'error' });
    } catch (error) {
      throw originFailure(method, name, error);
    }
  }
}

/** A weak tag cannot be a condition of a write. */
function strongTag(answer: Response): string | undefined {
  const tag = answer.headers.get('etag');
  return tag === null || tag.startsWith('W/') ? undefined : tag;
}

async function bytesOf(answer: Response, act: string, name: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of answer.body ?? []) {
      bytes += part.byteLength;
      if (bytes > ANSWER_BYTES_MAX) throw new Error(`over ${ANSWER_BYTES_MAX} bytes`);
      parts.push(part);
    }
  } catch (error) {
    throw originFailure(act, name, error);
  }
  return Buffer.concat(parts);
}

/** Reads an answer to its end, so that its connection is used again. */
async function drop(answer: Response): Promise<void> {
  await answer.arrayBuffer().catch(() => undefined);
}

/** Last parts of the paths in a multistatus answer, folders left out. */
function namesIn(xml: string, encodings: readonly (keyof typeof ENCODING_ENDS)[]): string[] {
  const names: string[] = [];
  for (const [, path = ''] of xml.matchAll(/<(?:\w+:)?href>([^<]*)<\//g)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name === '' || encodings.some((one) => name.endsWith(ENCODING_ENDS[one]))) continue;
    names.push(decodeURIComponent(name));
  }
  return names;
}
