/**
 * Owns the question of bytes: what a publication takes on the wire when so many are sent at once, as
 * lines, deflated, deflated with a preset dictionary, and as columns. In this process, no sockets.
 */
import { deflateRawSync } from 'node:zlib';
import type { RoomId, UserId } from '../src/ids.js';
import { decodeEnvelope, encodeFrame, type FrameEnvelope } from '../src/wire/envelope.js';
import { encodePublication } from '../src/wire/publication.js';
import type { Publication } from '../src/words.js';
import { Corpus } from './corpus.js';
import { clock, say, spreadOf } from './kit.js';
import { Rows, type Bench, type Table } from './plan.js';

const AT_ONCE: readonly number[] = [1, 10, 50, 200];
const SAMPLES = 60;
const PUBLICATIONS = 4000;
const DICTIONARY_BYTES = 32 << 10;
const FIRST_AT = 1_795_000_000_000;

export function measureBytes({ plan }: Bench): Promise<Table> {
  const rows = new Rows();
  for (let run = 1; run <= plan.runs; run++) {
    say(`bytes run ${run}`);
    const said = publications(plan.seed + run);
    const dictionary = dictionaryOf(publications(plan.seed + run + 1000));
    for (const atOnce of AT_ONCE) {
      for (const [form, pack] of forms(dictionary)) {
        rows.add({ form, publicationsAtOnce: atOnce }, measureForm(said, atOnce, pack));
      }
    }
  }
  return Promise.resolve({
    question: 'bytes',
    title: 'Bytes on the wire for one publication',
    notes: [
      'Danmaku of bench/corpus.ts as viewers with a name say them, one frame for all of a flush; ' +
        'the WebSocket head (2-4 bytes a flush) is not counted. `us` is the time to pack a flush.',
      'dictionary: 32 KiB of earlier lines known to both sides; columns: ids, times and users each ' +
        'as one list of differences. Neither is what the service sends: see docs/adr.',
    ],
    rows: rows.rows(),
  });
}

type Pack = (list: readonly Publication[]) => Uint8Array;

function forms(dictionary: Buffer): [string, Pack][] {
  const lines = (list: readonly Publication[]) => lineOf(list);
  return [
    ['json', lines],
    ['deflate 1', (list) => deflateRawSync(lineOf(list), { level: 1 })],
    ['deflate 6', (list) => deflateRawSync(lineOf(list), { level: 6 })],
    ['deflate 6, dictionary', (list) => deflateRawSync(lineOf(list), { level: 6, dictionary })],
    ['columns, deflate 6', (list) => deflateRawSync(columnsOf(list), { level: 6 })],
  ];
}

function measureForm(said: readonly Publication[], atOnce: number, pack: Pack) {
  const bytes: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const from = (i * 61) % (said.length - atOnce);
    const list = said.slice(from, from + atOnce);
    const began = clock.now();
    const packed = pack(list);
    times.push((clock.now() - began) * 1000);
    bytes.push(packed.length / atOnce);
  }
  return {
    bytesEach: bytes.reduce((sum, one) => sum + one, 0) / bytes.length,
    usMedian: spreadOf(times).median,
  };
}

function publications(seed: number): Publication[] {
  const corpus = new Corpus(seed);
  return Array.from({ length: PUBLICATIONS }, (_, i) => {
    const { user, text, style } = corpus.next();
    return {
      id: `7.${(i + 100_000).toString(36)}`,
      kind: 'danmaku',
      lane: 'normal',
      at: FIRST_AT + i * 10,
      user: { id: user.id as UserId, name: user.name },
      text,
      ...(style && { style }),
    };
  });
}

/** As a room would send it and an edge forwards it. */
function lineOf(list: readonly Publication[]): Buffer {
  const room = 'lobby' as RoomId;
  const numbers = { epoch: 12, tick: 51_234, offset: 0, online: 10_233, admission: 0, shed: 0 };
  const envelope = encodeFrame({ room, class: 'drop', ...numbers }, list.map(encodePublication));
  return (decodeEnvelope(envelope) as FrameEnvelope).json;
}

function dictionaryOf(list: readonly Publication[]): Buffer {
  const all = Buffer.from(list.map(encodePublication).join(','));
  return all.subarray(Math.max(0, all.length - DICTIONARY_BYTES));
}

/** The same content by columns: what repeats stands once, numbers as differences. */
function columnsOf(list: readonly Publication[]): Buffer {
  const first = list[0]!.at;
  const columns = {
    ...{ type: 'frame', room: 'lobby', class: 'drop', epoch: 12, tick: 51_234, online: 10_233 },
    id: list.map(({ id }) => id),
    kind: 'danmaku',
    lane: 'normal',
    at: [first, ...list.slice(1).map(({ at }, i) => at - list[i]!.at)],
    user: list.map(({ user }) => user?.id),
    name: list.map(({ user }) => user?.name),
    text: list.map(({ text }) => text),
    style: list.map(({ style }) => style?.color ?? 0),
  };
  return Buffer.from(JSON.stringify(columns));
}
