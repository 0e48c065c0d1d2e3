/**
 * Owns the kinds of settings (text, number, duration, list, …): how each is checked, shown and read
 * from an environment variable or flag. Knows no setting by name. The only importer of zod.
 */
import { z } from 'zod';
import { formatDuration, formatSize, parseDuration, parseSize, type Flaw } from './units.js';
import { nearest } from './suggest.js';

export interface Mark {
  /** A change holds only after a restart. */
  readonly restart?: true;
}

/** What is wrong with a value: where inside it (`0.secret`; empty for the whole) and the rule. */
export interface LeafFlaw {
  readonly inside: string;
  readonly rule: string;
}

export interface Leaf<T> extends Mark {
  readonly leaf: true;
  /** The default. */
  readonly value: T;
  readonly about: string;
  /** What is accepted, in words: `a whole number, 1-65535`. */
  readonly rule: string;
  /** `text`: taken as it is from environment and flags; `data`: read as YAML first. */
  readonly form: 'text' | 'texts' | 'data';
  /** Holds secrets: what was written is never told. */
  readonly hides?: true;
  /** The value, or every flaw of it. */
  check(raw: unknown): { readonly value: T } | { readonly flaws: readonly LeafFlaw[] };
  /** The value as a file would have it, secrets left out. */
  show(value: T): unknown;
}

/** Entries of a list that names no bound of its own. */
const ENTRIES_MAX = 1000;

type Form = Leaf<unknown>['form'];

interface Spec<T> {
  readonly schema: z.ZodType<T>;
  readonly value: T;
  readonly about: string;
  readonly rule: string;
  readonly form?: Form;
  readonly mark?: Mark | undefined;
  readonly hides?: boolean;
  readonly show?: (value: T) => unknown;
}

function leafOf<T>(spec: Spec<T>): Leaf<T> {
  const { schema, value, about, rule, form = 'data', show = (own: T) => own } = spec;
  return {
    leaf: true,
    value,
    about,
    rule,
    form,
    ...spec.mark,
    ...(spec.hides === true && { hides: true as const }),
    show,
    check: (raw) => {
      const result = schema.safeParse(raw);
      if (result.success) return { value: result.data };
      return { flaws: result.error.issues.flatMap((issue) => flawsOf(issue, rule)) };
    },
  };
}

/** One word or sentence; `pattern` and `rule` say which. */
export function text(
  value: string,
  about: string,
  allowed: { readonly pattern: RegExp; readonly rule: string },
  mark?: Mark,
): Leaf<string> {
  const schema = z.string().regex(allowed.pattern);
  return leafOf({ schema, value, about, rule: allowed.rule, form: 'text', mark });
}

/** A text that is never shown; empty by default. */
export function secret(
  about: string,
  allowed: { readonly pattern: RegExp; readonly rule: string },
  mark?: Mark,
): Leaf<string> {
  const schema = z.string().regex(allowed.pattern);
  const show = (own: string) => (own === '' ? '' : HIDDEN);
  const { rule } = allowed;
  return leafOf({ schema, value: '', about, rule, form: 'text', mark, hides: true, show });
}

/** A whole number from `min` to `max`. */
export function whole(
  value: number,
  [min, max]: readonly [number, number],
  about: string,
  mark?: Mark,
): Leaf<number> {
  const rule = `a whole number, ${min} to ${max}`;
  return leafOf({ schema: z.int().min(min).max(max), value, about, rule, mark });
}

/** A number from `min` to `max`, fractions allowed. */
export function number(
  value: number,
  [min, max]: readonly [number, number],
  about: string,
  mark?: Mark,
): Leaf<number> {
  const rule = `a number, ${min} to ${max}`;
  return leafOf({ schema: z.number().min(min).max(max), value, about, rule, mark });
}

export function flag(value: boolean, about: string, mark?: Mark): Leaf<boolean> {
  return leafOf({ schema: z.boolean(), value, about, rule: 'true or false', mark });
}

/** One of a closed list of words. */
export function choice<const T extends string>(
  value: T,
  words: readonly T[],
  about: string,
  mark?: Mark,
): Leaf<T> {
  const schema = z.custom<T>((raw) => (words as readonly unknown[]).includes(raw));
  return leafOf({
    schema,
    value,
    about,
    rule: words.length === 1 ? `${words[0]}, the only one possible` : `one of ${words.join(', ')}`,
    form: 'text',
    mark,
  });
}

/** Milliseconds, written with a unit. */
export function duration(
  value: string,
  [min, max]: readonly [string, string],
  about: string,
  mark?: Mark,
): Leaf<number> {
  return measure({ value, min, max, about, mark, parse: parseDuration, format: formatDuration });
}

/** Bytes, written with a unit. */
export function size(
  value: string,
  [min, max]: readonly [string, string],
  about: string,
  mark?: Mark,
): Leaf<number> {
  return measure({ value, min, max, about, mark, parse: parseSize, format: formatSize });
}

interface Measure {
  readonly value: string;
  readonly min: string;
  readonly max: string;
  readonly about: string;
  readonly mark: Mark | undefined;
  readonly parse: (raw: unknown) => number | Flaw;
  readonly format: (value: number) => string;
}

function measure({ value, min, max, about, mark, parse, format }: Measure): Leaf<number> {
  const sure = (raw: string): number => {
    const parsed = parse(raw);
    if (typeof parsed !== 'number') throw new Error(`${raw} ${parsed.flaw}`);
    return parsed;
  };
  const rule = `${min} to ${max}`;
  const schema = z.unknown().transform((raw, context) => {
    const parsed = parse(raw);
    if (typeof parsed !== 'number') {
      context.addIssue({ code: 'custom', message: parsed.flaw, params: { whole: true } });
      return z.NEVER;
    }
    if (parsed < sure(min) || parsed > sure(max)) {
      context.addIssue({ code: 'custom', message: `must be ${rule}`, params: { whole: true } });
      return z.NEVER;
    }
    return parsed;
  });
  return leafOf({ schema, value: sure(value), about, rule, form: 'text', mark, show: format });
}

/** A list of words; in an environment variable or flag separated by commas. */
export function texts(
  value: readonly string[],
  about: string,
  allowed: { readonly pattern: RegExp; readonly rule: string },
  mark?: Mark,
): Leaf<readonly string[]> {
  const schema = z
    .array(z.string().regex(allowed.pattern, `must be ${allowed.rule}`))
    .max(ENTRIES_MAX);
  const rule = `a list, each ${allowed.rule}`;
  return leafOf<readonly string[]>({ schema, value, about, rule, form: 'texts', mark });
}

/** A map of names to one of a closed list of words; given, it replaces the default whole. */
export function wordMap<const T extends string>(
  value: Readonly<Record<string, T>>,
  words: readonly T[],
  names: RegExp,
  about: string,
): Leaf<Readonly<Record<string, T>>> {
  const key = z.string().regex(names, `must match ${names.source}`);
  const message = `must be one of ${words.join(', ')}`;
  const word = z.custom<T>((raw) => (words as readonly unknown[]).includes(raw), message);
  const schema = z.record(key, word) as unknown as z.ZodType<Readonly<Record<string, T>>>;
  return leafOf({ schema, value, about, rule: `names to one of ${words.join(', ')}` });
}

/** One field of the entries of a list. */
export interface Field<T> {
  readonly schema: z.ZodType<T>;
  readonly rule: string;
  readonly secret?: true;
  readonly show?: (value: T) => unknown;
}

export function textField(pattern: RegExp, rule: string, secret?: true): Field<string> {
  const schema = z.string(`must be ${rule}`).regex(pattern, `must be ${rule}`);
  return { schema, rule, ...(secret && { secret }) };
}

/** An entry's field taken from a leaf of the same meaning. */
export function leafField<T>(leaf: Leaf<T>): Field<T> {
  const schema = z.unknown().transform((raw, context) => {
    const checked = leaf.check(raw);
    if ('value' in checked) return checked.value;
    const message = checked.flaws.map((flaw) => flaw.rule).join('; ');
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
  return { schema, rule: leaf.rule, show: leaf.show };
}

type Fields<E> = { readonly [K in keyof E]-?: Field<NonNullable<E[K]>> };

/** A list of entries with named fields; fields in `optional` may be left out. */
export function entries<E extends object>(
  value: readonly E[],
  fields: Fields<E>,
  about: string,
  extra: {
    readonly optional?: readonly (keyof E)[];
    readonly most?: number;
    readonly mark?: Mark;
  } = {},
): Leaf<readonly E[]> {
  const named = Object.entries(fields) as [string, Field<unknown>][];
  const shape = named.map(([name, field]) => {
    const optional = extra.optional?.includes(name as keyof E) === true;
    return [name, optional ? field.schema.optional() : field.schema] as const;
  });
  const entry = z.strictObject(Object.fromEntries(shape), {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownFields(issue.keys, Object.keys(fields))
        : undefined,
  });
  const most = extra.most === undefined ? '' : `, at most ${extra.most}`;
  const list = z.array(entry).max(extra.most ?? ENTRIES_MAX) as unknown as z.ZodType<readonly E[]>;
  return leafOf<readonly E[]>({
    schema: list,
    value,
    about,
    rule: `a list of {${named.map(([name]) => name).join(', ')}}${most}`,
    mark: extra.mark,
    hides: named.some(([, field]) => field.secret === true),
    show: (shown) => shown.map((own) => showEntry(own, fields)),
  });
}

function showEntry<E extends object>(entry: E, fields: Fields<E>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(entry) as [keyof E & string, never][]) {
    if (value === undefined) continue;
    const field = fields[name];
    out[name] = field.secret === true ? HIDDEN : (field.show?.(value) ?? value);
  }
  return out;
}

/** Stands where a secret was. */
export const HIDDEN = '(hidden)';

function unknownFields(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => `unknown key ${key}; did you mean ${nearest(key, known) ?? '?'}?`)
    .join(', ');
}

function flawsOf(issue: z.core.$ZodIssue, rule: string): LeafFlaw[] {
  const inside = issue.path.map(String).join('.');
  if (inside !== '') return [{ inside, rule: innerRule(issue) }];
  const own = issue.code === 'custom' && issue.params?.['whole'] === true;
  return [{ inside, rule: own ? issue.message : `must be ${rule}` }];
}

function innerRule(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}
