/**
 * Owns the bounds a studio's draft must keep whatever its room allows viewers: the hard limits of
 * text and data, and that it has a JSON text at all.
 */
import { BarrageError } from '../../src/errors.js';
import { TEXT_BYTES_HARD_MAX, TEXT_CHARACTERS_HARD_MAX } from '../../src/limits.js';
import { contentFlaw } from '../../src/wire/commands.js';
import type { Draft } from '../calls/calls.js';
import { encodeSafely } from '../keep-job.js';
import { checkTarget } from '../powers/targets.js';

/** Throws BarrageError `invalid` naming field and rule. */
export function checkDraft(draft: Draft): void {
  const { text } = draft;
  if (text !== undefined) {
    if (Array.from(text).length > TEXT_CHARACTERS_HARD_MAX) {
      throw refuse('text', `maxLength ${TEXT_CHARACTERS_HARD_MAX}`);
    }
    if (Buffer.byteLength(text) > TEXT_BYTES_HARD_MAX) {
      throw refuse('text', `maxBytes ${TEXT_BYTES_HARD_MAX}`);
    }
  }
  checkTarget(draft);
  const flaw = contentFlaw(draft);
  if (flaw !== undefined) throw refuse(flaw.field, flaw.rule);
  const lane = draft.lane ?? 'normal';
  if (encodeSafely({ ...draft, id: '', at: 0, lane }) === undefined) {
    throw refuse('publication', 'the schema of a publication');
  }
}

function refuse(field: string, rule: string): BarrageError {
  return new BarrageError('invalid', `"${field}" must be: ${rule}`, { field, rule });
}
