/**
 * Owns the micro-benchmarks of the wire: encode, decode and compress what rooms and edges handle.
 */
import { deflateRawSync } from 'node:zlib';
import type { RoomId } from '../../src/ids.js';
import { seededRandom } from '../../src/random.js';
import { decodeCommand } from '../../src/wire/commands.js';
import { decodeEnvelope, encodeFrame, type FrameHead } from '../../src/wire/envelope.js';
import { encodePublication } from '../../src/wire/publication.js';
import type { Publication } from '../../src/words.js';
import { Corpus } from '../corpus.js';
import { timeOf, type MicroFigure } from './time.js';

const COUNT = 1024;
const AT = 1_750_000_000_000;

/** Takes about five seconds. */
export function run(): MicroFigure[] {
  const publications = makePublications();
  const texts = publications.map(encodePublication);
  const commands = publications.map((one, i) =>
    JSON.stringify({ type: 'send', room: 'room', id: i, text: one.text }),
  );
  const bytes = Math.round(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / COUNT);
  return [
    timeOf(`encodePublication (${bytes} B)`, (i) => encodePublication(publications[i % COUNT]!)),
    timeOf('decodeCommand send', (i) => decodeCommand(commands[i % COUNT]!)),
    ...[10, 100].flatMap((size) => frameFigures(texts, size)),
  ];
}

function frameFigures(texts: readonly string[], size: number): MicroFigure[] {
  const lists = Array.from({ length: Math.floor(COUNT / size) }, (_, i) =>
    texts.slice(i * size, (i + 1) * size),
  );
  const envelopes = lists.map((list) => encodeFrame(head, list));
  const lines = envelopes.map((envelope) => decodeEnvelope(envelope).json);
  const pick = <T>(of: readonly T[], i: number): T => of[i % of.length]!;
  const of = `of ${size} publications`;
  return [
    timeOf(`encodeFrame ${of}`, (i) => encodeFrame(head, pick(lists, i))),
    timeOf(`decodeEnvelope ${of}`, (i) => decodeEnvelope(pick(envelopes, i))),
    ...[1, 6].map((level) =>
      timeOf(`deflate level ${level} of a flush ${of}`, (i) =>
        deflateRawSync(pick(lines, i), { level }),
      ),
    ),
  ];
}

function makePublications(): Publication[] {
  const corpus = new Corpus(1);
  const random = seededRandom(1);
  return Array.from({ length: COUNT }, (_, i) => ({
    id: `1a-${(10_000 + i).toString(36)}`,
    kind: 'danmaku',
    lane: 'normal' as const,
    at: AT + random.below(1000),
    ...corpus.next(),
  })) as unknown as Publication[];
}

const head: FrameHead = {
  room: 'room' as RoomId,
  class: 'drop',
  epoch: 1,
  tick: 12_345,
  offset: 0,
  online: 10_000,
  shed: 0,
  admission: 1000,
};
