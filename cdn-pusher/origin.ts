/**
 * Port Origin: where segments and manifests are written for CDNs to fetch. Names are paths with `/`,
 * made by src/wire/cdn.ts and core/segment.ts. Failures are BarrageError: `timeout`, `forbidden` (the
 * origin refuses these credentials), `unavailable` (anything else).
 */

export type Encoding = 'gzip' | 'br';

export interface OriginFile {
  readonly bytes: Buffer;
  /** The same compressed, as many as the origin wants (`Origin.encodings`). */
  readonly compressed: readonly { readonly encoding: Encoding; readonly bytes: Buffer }[];
  readonly contentType: string;
  readonly cacheControl: string;
}

/** Where an encoding's file stands beside the plain one, as web servers expect it. */
export const ENCODING_ENDS: Readonly<Record<Encoding, string>> = { gzip: '.gz', br: '.br' };

export interface Origin {
  /** Encodings it wants beside the plain bytes. */
  readonly encodings: readonly Encoding[];
  /** Whether `Range` requests will give bytes of the plain file. */
  readonly ranges: boolean;
  /** Visible whole or not at all; the same name with the same bytes may be put again. */
  put(name: string, file: OriginFile, signal: AbortSignal): Promise<void>;
  /** Refused as `fenced`, unchanged, when the manifest there is of a newer epoch. */
  putManifest(
    name: string,
    file: OriginFile,
    epoch: number,
    signal: AbortSignal,
  ): Promise<'written' | 'fenced'>;
  /** The plain bytes; undefined when there is no such file. */
  get(name: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** With its compressed forms; a file that is not there is no failure. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** Names of the plain files in a folder, without the folder; empty when the origin cannot tell. */
  list(folder: string, signal: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}
