/**
 * Owns recordings as JSON Lines: a publication a line with `t`, seconds from the stream's start, in
 * place of `at`. Nothing a publication says is lost. Knows no file and no room.
 */
import { Type } from '@sinclair/typebox';
import { BarrageError } from '../errors.js';
import { contentFlaw } from '../wire/commands.js';
import { DataSchema, KindSchema, SpeakerSchema, StyleSchema, TextSchema } from '../wire/schema.js';
import { compileSchema, schemaFlaw } from '../wire/validator.js';
import { Chunk, type Recorded, type RecordedSource, type WrittenCounts } from './recorded.js';

/** Well over what a publication can take: text, data and names at their bounds. */
export const JSON_LINE_CHARACTERS_MAX = 64 * 1024;
/** Seconds either way of the start: all that is written, and times exact to the millisecond. */
const SECONDS_MAX = 1e10;

const validate = compileSchema(
  Type.Object(
    {
      t: Type.Number({ minimum: -SECONDS_MAX, maximum: SECONDS_MAX }),
      id: Type.String({ minLength: 1, maxLength: 128 }),
      kind: KindSchema,
      user: Type.Optional(SpeakerSchema),
      text: Type.Optional(TextSchema),
      style: Type.Optional(StyleSchema),
      count: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
      data: Type.Optional(DataSchema),
    },
    { additionalProperties: false },
  ),
);

/** The recording in chunks of text; `startMs` is the stream's start, unix ms. */
export async function* writeJsonLines(
  source: RecordedSource,
  startMs: number,
): AsyncGenerator<string, WrittenCounts, void> {
  const chunk = new Chunk();
  let written = 0;
  for await (const { at, id, kind, user, text, style, count, data } of source) {
    const t = (at - startMs) / 1000;
    written++;
    const full = chunk.add(`${JSON.stringify({ t, id, kind, user, text, style, count, data })}\n`);
    if (full !== undefined) yield full;
  }
  yield chunk.take();
  return { written, textless: 0, crowded: 0 };
}

/**
 * The publications of a recording read in chunks of any size. Throws BarrageError `invalid` or
 * `too_large` naming line, field and rule; those before the bad line have been given.
 */
export async function* readJsonLines(
  chunks: Iterable<string> | AsyncIterable<string>,
  startMs: number,
): AsyncGenerator<Recorded, void, void> {
  let rest = '';
  let number = 0;
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      number++;
      if (line.trim() !== '') yield parseLine(line, number, startMs);
    }
    if (rest.length > JSON_LINE_CHARACTERS_MAX) throw tooLong(number + 1);
  }
  if (rest.trim() !== '') yield parseLine(rest, number + 1, startMs);
}

/** The publication of one line; throws as `readJsonLines`. */
export function parseLine(line: string, number: number, startMs: number): Recorded {
  if (line.length > JSON_LINE_CHARACTERS_MAX) throw tooLong(number);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw flaw(number, '', 'JSON');
  }
  if (!validate(value)) {
    const { field, rule } = schemaFlaw(validate.errors);
    throw flaw(number, field, rule);
  }
  const { t, ...said } = value as Omit<Recorded, 'at'> & { readonly t: number };
  const broken = contentFlaw(said);
  if (broken !== undefined) throw flaw(number, broken.field, broken.rule);
  return { at: startMs + Math.round(t * 1000), ...said };
}

function tooLong(line: number): BarrageError {
  const rule = `maxLength ${JSON_LINE_CHARACTERS_MAX}`;
  const field = `line ${line}`;
  return new BarrageError('too_large', `${field} must be: ${rule}`, { field, rule });
}

function flaw(line: number, field: string, rule: string): BarrageError {
  const place = field === '' ? `line ${line}` : `line ${line}: ${field}`;
  return new BarrageError('invalid', `${place} must be: ${rule}`, { field: place, rule });
}
