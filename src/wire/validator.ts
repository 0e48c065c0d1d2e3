/**
 * Owns the check of input against the schemas of src/wire/schema.ts and of the studio API, and the
 * words for what is wrong: a field and a rule. The only importer of ajv; knows no transport.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from '@sinclair/typebox';

export type { ValidateFunction } from 'ajv';

/** What one validator found wrong with one input. */
export interface SchemaFlaw {
  /** Path with dots (`style.color`); empty for the input as a whole. */
  readonly field: string;
  readonly rule: string;
}

/** The parts of a validator's report this file reads; ajv's ErrorObject is one. */
export interface ReportedFlaw {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: unknown;
  readonly message?: string | undefined;
}

const strict = new Ajv({ allErrors: false, allowUnionTypes: true });
const coercing = new Ajv({ allErrors: false, allowUnionTypes: true, coerceTypes: true });

/** A validator that changes nothing and converts nothing. */
export function compileSchema(schema: TSchema): ValidateFunction {
  return strict.compile(schema);
}

/** A validator for query strings: `"5"` counts as 5 and `"true"` as true. */
export function compileQuerySchema(schema: TSchema): ValidateFunction {
  return coercing.compile(schema);
}

/** Field and rule of a validator's first complaint. */
export function schemaFlaw(
  errors: readonly ReportedFlaw[] | readonly ErrorObject[] | null | undefined,
): SchemaFlaw {
  const error = errors?.[0];
  if (error === undefined) return { field: '', rule: 'the schema' };
  const field = pathOf(error.instancePath);
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'required':
      return { field: join(field, String(params['missingProperty'])), rule: 'required' };
    case 'additionalProperties':
      return {
        field: join(field, String(params['additionalProperty'])),
        rule: 'no unknown field',
      };
    case 'type':
      return { field, rule: `type ${[params['type']].flat().join(' or ')}` };
    case 'enum':
      return {
        field,
        rule: `one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`,
      };
    case 'pattern':
      return { field, rule: `pattern ${String(params['pattern'])}` };
    case 'maxLength':
    case 'minLength':
    case 'maximum':
    case 'minimum':
    case 'maxItems':
    case 'minItems':
    case 'maxProperties':
    case 'minProperties':
      return { field, rule: `${error.keyword} ${String(params['limit'])}` };
    default:
      return { field, rule: error.message ?? error.keyword };
  }
}

/** A JSON pointer as a path with dots. */
function pathOf(pointer: string): string {
  return pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
