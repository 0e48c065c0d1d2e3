/**
 * Owns the routes of a room's past: the newest window, export as a stream, import from a stream.
 * Neither is ever whole in memory; how many run at once is bounded.
 */
import { Readable } from 'node:stream';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import { BarrageError } from '../../src/errors.js';
import { writeAss } from '../../src/formats/ass.js';
import { writeBilibiliXml } from '../../src/formats/bilibili-xml-writer.js';
import { writeJsonLines } from '../../src/formats/json-lines.js';
import type { Recorded, RecordedSource } from '../../src/formats/recorded.js';
import type { RoomId } from '../../src/ids.js';
import type { Clock } from '../../src/ports/clock.js';
import { randomId } from '../../src/random.js';
import { PUT_MAX } from '../calls/records.js';
import type { RoomCalls } from '../calls/calls.js';
import { ImportReader, type ImportFormat } from '../studio/importing.js';
import { recordingOf } from '../powers/recording.js';
import { invalid } from './errors.js';
import * as O from './order-schemas.js';
import { installRoute, route, type Door, type Route } from './route.js';
import * as S from './schemas.js';

/** Body of an import. */
export const IMPORT_BYTES_MAX = 32 << 20;
const EXPORTS_MAX = 4;
const IMPORTS_MAX = 2;
/** A reader that takes longer for all of an export is cut off. */
const STREAM_MS = 10 * 60_000;

interface Format {
  readonly type: string;
  readonly write: (source: RecordedSource, startMs: number) => AsyncIterable<string>;
}

const FORMATS: Readonly<Record<O.ExportFormat, Format>> = {
  xml: { type: 'application/xml; charset=utf-8', write: writeBilibiliXml },
  ass: { type: 'text/x-ssa; charset=utf-8', write: writeAss },
  jsonl: { type: 'application/x-ndjson; charset=utf-8', write: writeJsonLines },
};

export interface RecordRouteParts {
  readonly calls: RoomCalls;
  readonly clock: Clock;
}

export function recordRoutes(parts: RecordRouteParts): Route[] {
  const { calls } = parts;
  const exports = new Places(EXPORTS_MAX, 'exports');
  return [
    route({
      method: 'GET',
      url: '/v1/rooms/:room/recent',
      group: 'publications',
      summary: 'Read the newest publications of both classes, as a viewer gets them on joining',
      params: S.RoomParams,
      status: 200,
      answer: O.RecentAnswer,
      run: async ({ params }) => {
        const recent = await calls.records.recent(params.room);
        return { ...recent, publications: [...recent.publications] };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/rooms/:room/export',
      group: 'history',
      summary: 'Export what was said, in order of time, as a stream',
      params: S.RoomParams,
      query: O.ExportQuery,
      status: 200,
      answer: Type.Unsafe<Readable>(Type.String()),
      produces: 'application/xml',
      callMs: STREAM_MS,
      run: async ({ params, query, reply }) => {
        const { from = 0, to = Number.MAX_SAFE_INTEGER, format } = query;
        if (to <= from) throw invalid('to', 'after from');
        const start = query.start ?? (await startOf(calls, params.room));
        const { type, write } = FORMATS[format];
        const leave = exports.enter();
        const recording = recordingOf(
          params.room,
          { from, to },
          { ...parts, records: calls.records },
        );
        const stream = Readable.from(bytesOf(write(recording, start)), { objectMode: false });
        stream.once('close', leave);
        void reply
          .type(type)
          .header('content-disposition', `attachment; filename="${params.room}.${format}"`);
        return stream;
      },
    }),
  ];
}

/** Its body is no JSON: it needs a way of its own to be read, and only it has that. */
export async function installImport(
  app: FastifyInstance,
  parts: RecordRouteParts,
  door: Door,
): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    installRoute(scope, importRoute(parts), door);
  });
}

function importRoute({ calls }: RecordRouteParts): Route {
  const imports = new Places(IMPORTS_MAX, 'imports');
  return route({
    method: 'POST',
    url: '/v1/rooms/:room/import',
    group: 'history',
    summary: 'Import danmaku of the past into the archive, as a stream of up to 32 MiB',
    params: S.RoomParams,
    query: O.ImportQuery,
    body: Type.String({ description: 'The file; of any content type' }),
    bodyFrame: Type.Any(),
    status: 200,
    answer: O.ImportAnswer,
    callMs: STREAM_MS,
    run: async ({ params, query, reply }) => {
      const { room } = params;
      const start = query.start ?? (await startOf(calls, room));
      const leave = imports.enter();
      try {
        return {
          room,
          start,
          ...(await importAll(calls, { room, start, ...query }, reply.request.raw)),
        };
      } finally {
        leave();
      }
    },
  });
}

async function importAll(
  calls: RoomCalls,
  into: { readonly room: RoomId; readonly start: number; readonly format: ImportFormat },
  body: AsyncIterable<Buffer>,
) {
  // Refused before anything is read when the room keeps no archive.
  await calls.records.put(into.room, []);
  const prefix = `import-${randomId()}`;
  let count = 0;
  const reader = new ImportReader(into.format, into.start, () => `${prefix}-${++count}`);
  let imported = 0;
  const put = async (all: readonly Recorded[]): Promise<void> => {
    for (let i = 0; i < all.length; i += PUT_MAX) {
      const some = all.slice(i, i + PUT_MAX);
      await calls.records.put(
        into.room,
        some.map((one) => ({ ...one, lane: 'normal' as const })),
      );
      imported += some.length;
    }
  };
  for await (const text of textsOf(body)) await put(reader.take(text));
  await put(reader.end());
  return { imported, skipped: reader.skipped, flaws: [...reader.flaws] };
}

/** Throws `too_large` past the bound and `invalid` for what is no UTF-8; what came before is kept. */
async function* textsOf(body: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > IMPORT_BYTES_MAX) {
      const rule = `maxBytes ${IMPORT_BYTES_MAX}`;
      throw new BarrageError('too_large', `an import is ${rule}`, { rule });
    }
    yield decoded(() => decoder.decode(piece, { stream: true }));
  }
  yield decoded(() => decoder.decode());
}

function decoded(run: () => string): string {
  try {
    return run();
  } catch {
    throw invalid('', 'valid UTF-8');
  }
}

async function* bytesOf(texts: AsyncIterable<string>): AsyncGenerator<Buffer, void, void> {
  for await (const text of texts) if (text !== '') yield Buffer.from(text);
}

async function startOf(calls: RoomCalls, room: RoomId): Promise<number> {
  const { streamStart, createdAt } = await calls.read(room);
  return streamStart ?? createdAt;
}

/** A bound on what runs at once. */
class Places {
  readonly #max: number;
  readonly #what: string;
  #taken = 0;

  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  /** The way out, to be taken once; throws `unavailable` when all places are taken. */
  enter(): () => void {
    if (this.#taken >= this.#max) {
      const rule = `at most ${this.#max} ${this.#what} at once`;
      throw new BarrageError('unavailable', rule, { rule, retryAfterMs: 5000 });
    }
    this.#taken++;
    return () => void this.#taken--;
  }
}
