/**
 * Owns what members of a group tell each other on `ownersSubject`: leases taken and released, members
 * come and gone. Notes only make things quicker: one that is lost is made up for by the store.
 */
import { decodeJson, encodeJson } from '../wire/internal.js';

export type OwnerNote =
  /** The member serves the lease's shard from now on; an owner of a lower epoch has lost it. */
  | {
      readonly note: 'taken';
      readonly lease: number;
      readonly epoch: number;
      readonly owner: string;
    }
  /** Free: who should have it may take it at once. */
  | {
      readonly note: 'released';
      readonly lease: number;
      readonly epoch: number;
      readonly owner: string;
    }
  /** The list of members is another now. */
  | { readonly note: 'joined' | 'left'; readonly owner: string };

export function encodeOwnerNote(note: OwnerNote): Buffer {
  return encodeJson(note);
}

/** The note, or undefined for bytes that hold none. */
export function decodeOwnerNote(bytes: Uint8Array): OwnerNote | undefined {
  let value: { note?: unknown; lease?: unknown; epoch?: unknown; owner?: unknown } | null;
  try {
    value = decodeJson(bytes);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { note, lease, epoch, owner } = value;
  if (typeof owner !== 'string') return undefined;
  if (note === 'joined' || note === 'left') return { note, owner };
  if (note !== 'taken' && note !== 'released') return undefined;
  if (!Number.isSafeInteger(lease) || !Number.isSafeInteger(epoch)) return undefined;
  return { note, lease: lease as number, epoch: epoch as number, owner };
}
