/**
 * Owns the bounded decoding of what viewers send: bytes to commands, or a refusal that names the
 * field and the rule. Never throws. The caller has already bounded the size.
 */
import { DATA_BYTES_MAX, DATA_DEPTH_MAX } from '../limits.js';
import {
  AckSchema,
  DanmakuBodySchema,
  JoinSchema,
  LeaveSchema,
  PingSchema,
  ReceiveSchema,
  ReportBodySchema,
  ReportSchema,
  SendSchema,
  type Command,
  type DanmakuBody,
  type ReportBody,
} from './schema.js';
import { compileSchema, schemaFlaw, type ValidateFunction } from './validator.js';

/** A refusal of input: which field, which rule. `id` is set when a broken `send` still had one. */
export interface Broken {
  readonly broken: true;
  readonly field: string;
  readonly rule: string;
  readonly message: string;
  readonly id?: string | number;
}

const validators: Readonly<Record<string, ValidateFunction>> = {
  join: compileSchema(JoinSchema),
  leave: compileSchema(LeaveSchema),
  send: compileSchema(SendSchema),
  ack: compileSchema(AckSchema),
  receive: compileSchema(ReceiveSchema),
  report: compileSchema(ReportSchema),
  ping: compileSchema(PingSchema),
};
const validateBody = compileSchema(DanmakuBodySchema);
const validateReport = compileSchema(ReportBodySchema);
const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Control characters other than tab and line feed. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** The command of one line, or why it is none. */
export function decodeCommand(line: string): Command | Broken {
  const value = parseObject(line);
  if ('broken' in value) return value as unknown as Broken;
  const type = value['type'];
  if (typeof type !== 'string') return refuse('type', 'required', idOf(value));
  const validate = Object.hasOwn(validators, type) ? validators[type] : undefined;
  if (validate === undefined)
    return refuse('type', 'one of join, leave, send, ack, receive, report, ping', idOf(value));
  if (!validate(value)) return refuseBySchema(validate, idOf(value));
  const flaw =
    type === 'send' ? contentFlaw(value as unknown as DanmakuBody, line.length) : undefined;
  if (flaw !== undefined) return { ...flaw, ...withId(idOf(value)) };
  return value as unknown as Command;
}

/** The body of a danmaku sent by POST, or why it is none. */
export function decodeDanmakuBody(text: string): DanmakuBody | Broken {
  const value = parseObject(text);
  if ('broken' in value) return value as unknown as Broken;
  if (!validateBody(value)) return refuseBySchema(validateBody, idOf(value));
  return contentFlaw(value as DanmakuBody, text.length) ?? (value as DanmakuBody);
}

/** The body of a report sent by POST, or why it is none. */
export function decodeReportBody(text: string): ReportBody | Broken {
  const value = parseObject(text);
  if ('broken' in value) return value as unknown as Broken;
  return validateReport(value)
    ? (value as unknown as ReportBody)
    : refuseBySchema(validateReport, undefined);
}

/** The text of bytes that must be UTF-8. */
export function decodeText(bytes: Uint8Array): string | Broken {
  try {
    return utf8.decode(bytes);
  } catch {
    return refuse('', 'valid UTF-8');
  }
}

export function isBroken(value: object | string): value is Broken {
  return typeof value === 'object' && 'broken' in value;
}

/** Bytes of data written anew for a character it was read from, at most: `1e20` grows the most. */
const DATA_GROWTH_MAX = 6;

/**
 * What a schema cannot say of text and data: well-formed, printable, bounded depth and bytes.
 * `readFrom` is the length of the JSON text they come from, which spares short data the counting.
 */
export function contentFlaw(
  body: { readonly text?: string; readonly data?: unknown },
  readFrom = Infinity,
): Broken | undefined {
  if (body.text !== undefined) {
    if (!body.text.isWellFormed()) return refuse('text', 'well-formed Unicode');
    if (controls.test(body.text)) return refuse('text', 'no control characters');
    if (body.text.trim() === '') return refuse('text', 'not blank');
  }
  if (body.data === undefined) return undefined;
  if (depthOf(body.data, DATA_DEPTH_MAX) > DATA_DEPTH_MAX) {
    return refuse('data', `maxDepth ${DATA_DEPTH_MAX}`);
  }
  if (!isWellFormedDeep(body.data)) return refuse('data', 'well-formed Unicode');
  if (readFrom * DATA_GROWTH_MAX <= DATA_BYTES_MAX) return undefined;
  return Buffer.byteLength(JSON.stringify(body.data)) > DATA_BYTES_MAX
    ? refuse('data', `maxBytes ${DATA_BYTES_MAX}`)
    : undefined;
}

function depthOf(value: unknown, budget: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (budget < 0) return 1;
  let deepest = 0;
  // Parsed JSON: its own properties are all there are.
  for (const name in value) {
    const inner = (value as Record<string, unknown>)[name];
    deepest = Math.max(deepest, depthOf(inner, budget - 1));
    if (deepest > budget) break;
  }
  return deepest + 1;
}

/** `JSON.stringify` escapes lone surrogates, so strings are looked at before. Depth is bounded. */
function isWellFormedDeep(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  for (const name in value) {
    if (!name.isWellFormed()) return false;
    if (!isWellFormedDeep((value as Record<string, unknown>)[name])) return false;
  }
  return true;
}

function parseObject(text: string): Record<string, unknown> | Broken {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('', 'JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('', 'a JSON object');
  }
  if ('broken' in value) return refuse('broken', 'no unknown field');
  return value as Record<string, unknown>;
}

function refuseBySchema(validate: ValidateFunction, id: string | number | undefined): Broken {
  const { field, rule } = schemaFlaw(validate.errors);
  return refuse(field, rule, id);
}

function idOf(value: Record<string, unknown>): string | number | undefined {
  const id = value['id'];
  if (typeof id === 'string' && id.length <= 64 && id.isWellFormed()) return id;
  return typeof id === 'number' && Number.isSafeInteger(id) ? id : undefined;
}

function withId(id: string | number | undefined): { id?: string | number } {
  return id === undefined ? {} : { id };
}

function refuse(field: string, rule: string, id?: string | number): Broken {
  const what = field === '' ? 'the input' : `"${field.slice(0, 80)}"`;
  return {
    broken: true,
    field: field.slice(0, 80),
    rule,
    message: `${what} must be: ${rule}`,
    ...withId(id),
  };
}
