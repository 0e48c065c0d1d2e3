/**
 * Origin in an S3 bucket, or anything that speaks S3. One object a file, in one form: plain, which a CDN
 * in front compresses, gzip or brotli. The only importer of the S3 library; knows no timer.
 */
import { brotliDecompress, gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Encoding, Origin, OriginFile } from '../origin.js';
import { originFailure, statusFailure } from './failure.js';
import { GuardedManifests, type Condition } from './guarded-manifests.js';

export interface S3OriginOptions {
  readonly bucket: string;
  readonly region: string;
  /** Empty: that of the region at AWS. */
  readonly endpoint: string;
  /** Before every name; empty or ending in `/`. */
  readonly prefix: string;
  /** Empty: the library's own ways (environment, instance role). */
  readonly accessKey: string;
  readonly secretKey: string;
  readonly pathStyle: boolean;
  /** A bucket chooses nothing by `Accept-Encoding`: all readers get this form. */
  readonly encoding: 'plain' | Encoding;
}

/** Keys of one room's folder that are looked at. */
const LIST_PAGES_MAX = 20;
const UNPACK: Readonly<Record<Encoding, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
};

export class S3Origin implements Origin {
  readonly encodings: readonly Encoding[];
  readonly ranges: boolean;
  readonly #store: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #manifests: GuardedManifests;

  constructor(options: S3OriginOptions) {
    const { endpoint, accessKey, secretKey, encoding } = options;
    this.encodings = encoding === 'plain' ? [] : [encoding];
    this.ranges = encoding === 'plain';
    this.#bucket = options.bucket;
    this.#prefix = options.prefix;
    this.#store = new S3Client({
      region: options.region,
      forcePathStyle: options.pathStyle,
      // Repeats and deadlines are the pusher's; checksums only where the service insists.
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint !== '' && { endpoint }),
      ...(accessKey !== '' && {
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      }),
    });
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
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#key(name) });
    await this.#ask('delete', name, () => this.#store.send(command, { abortSignal: signal }));
  }

  async list(folder: string, signal: AbortSignal): Promise<readonly string[]> {
    const prefix = `${this.#key(folder)}/`;
    const names: string[] = [];
    let token: string | undefined;
    for (let page = 0; page < LIST_PAGES_MAX; page++) {
      const command = new ListObjectsV2Command({
        ...{ Bucket: this.#bucket, Prefix: prefix },
        ...(token !== undefined && { ContinuationToken: token }),
      });
      const answer = await this.#ask('list', folder, () =>
        this.#store.send(command, { abortSignal: signal }),
      );
      for (const { Key } of answer?.Contents ?? []) names.push((Key ?? '').slice(prefix.length));
      token = answer?.NextContinuationToken;
      if (token === undefined) break;
    }
    return names.filter((name) => name !== '');
  }

  close(): Promise<void> {
    this.#store.destroy();
    return Promise.resolve();
  }

  #key(name: string): string {
    return `${this.#prefix}${name}`;
  }

  async #read(
    name: string,
    signal: AbortSignal,
  ): Promise<{ bytes: Buffer; tag: string | undefined } | undefined> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: this.#key(name) });
    return this.#ask('read', name, async () => {
      const answer = await this.#store.send(command, { abortSignal: signal });
      const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
      return { bytes: await unpacked(bytes, answer.ContentEncoding), tag: answer.ETag };
    });
  }

  async #write(
    name: string,
    file: OriginFile,
    condition: Condition,
    signal: AbortSignal,
  ): Promise<{ tag: string | undefined } | 'changed'> {
    const [packed] = file.compressed;
    const command = new PutObjectCommand({
      ...{ Bucket: this.#bucket, Key: this.#key(name) },
      ...{ Body: packed?.bytes ?? file.bytes, ContentType: file.contentType },
      CacheControl: file.cacheControl,
      ...(packed !== undefined && { ContentEncoding: packed.encoding }),
      ...(condition.ifMatch !== undefined && { IfMatch: condition.ifMatch }),
      ...(condition.ifAbsent === true && { IfNoneMatch: '*' }),
    });
    try {
      const answer = await this.#store.send(command, { abortSignal: signal });
      return { tag: answer.ETag };
    } catch (error) {
      const status = statusOf(error);
      // 409: another write of the same key is under way.
      if (status === 412 || status === 409) return 'changed';
      if (status !== undefined && status >= 400) throw statusFailure('write', name, status);
      throw originFailure('write', name, error);
    }
  }

  /** Undefined when there is no such file. */
  async #ask<T>(act: string, name: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return undefined;
      if (status !== undefined && status >= 400) throw statusFailure(act, name, status);
      throw originFailure(act, name, error);
    }
  }
}

/** By what the object says: the setting may be another than that of who wrote it. */
async function unpacked(bytes: Buffer, encoding: string | undefined): Promise<Buffer> {
  return encoding === 'gzip' || encoding === 'br' ? UNPACK[encoding](bytes) : bytes;
}

function statusOf(error: unknown): number | undefined {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata;
  return metadata?.httpStatusCode;
}
