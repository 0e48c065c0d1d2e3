/**
 * Owns counting distinct hashes in 4 KiB at most: exact to 256 of them, HyperLogLog above (Flajolet,
 * Fusy, Gandouet, Meunier, 2007; p = 12) with a standard error of 1.04/sqrt(4096) = 1.6 %. Counts of
 * several processes merge into what one would have counted. Knows no user.
 */
import { BarrageError } from '../errors.js';

const INDEX_BITS = 12;
const REGISTERS = 1 << INDEX_BITS;
/** Bits of a hash (src/sketch/user-hash.ts); those below the index decide the rank. */
const HASH_BITS = 53;
const RANK_BITS = HASH_BITS - INDEX_BITS;
const RANK_RANGE = 2 ** RANK_BITS;
const RANK_MAX = RANK_BITS + 1;
/** The paper's constant for 128 registers and more. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);
/** Hashes kept as they are: half of what the registers take. */
const SPARSE_MAX = 256;
const SPARSE_FORM = 1;
const DENSE_FORM = 2;
const HASH_BYTES = 7;

export class UniqueCount {
  /** Rising; gone once there are registers. */
  #hashes: number[] | undefined = [];
  #registers: Uint8Array | undefined;

  /** Takes a whole number in [0, 2^53), evenly spread; throws RangeError for another. */
  add(hash: number): void {
    if (!Number.isSafeInteger(hash) || hash < 0) throw new RangeError(`${hash} is no hash`);
    if (this.#registers !== undefined) raise(this.#registers, hash);
    else this.#addSparse(this.#hashes!, hash);
  }

  /** How many different hashes were added, to the nearest whole number. */
  count(): number {
    return this.#registers === undefined ? this.#hashes!.length : estimate(this.#registers);
  }

  /** Adds all that `other` counted; `other` stays as it is. */
  merge(other: UniqueCount): void {
    if (other.#registers === undefined) {
      for (const hash of [...other.#hashes!]) this.add(hash);
      return;
    }
    const registers = this.#dense();
    other.#registers.forEach((rank, index) => {
      if (rank > registers[index]!) registers[index] = rank;
    });
  }

  /** At most 4097 bytes; `UniqueCount.decode` gives the count back. */
  encode(): Uint8Array {
    if (this.#registers !== undefined) return Uint8Array.of(DENSE_FORM, ...this.#registers);
    const hashes = this.#hashes!;
    const bytes = Buffer.alloc(1 + hashes.length * HASH_BYTES);
    bytes[0] = SPARSE_FORM;
    hashes.forEach((hash, i) => {
      const at = 1 + i * HASH_BYTES;
      bytes.writeUInt32BE(hash % 0x100000000, at);
      bytes.writeUIntBE(Math.floor(hash / 0x100000000), at + 4, 3);
    });
    return bytes;
  }

  /** Throws BarrageError `invalid` for bytes `encode` does not write. */
  static decode(bytes: Uint8Array): UniqueCount {
    const out = new UniqueCount();
    const body = bytes.subarray(1);
    if (bytes[0] === DENSE_FORM) {
      if (body.length !== REGISTERS) throw broken(`${REGISTERS} registers`);
      if (body.some((rank) => rank > RANK_MAX)) throw broken(`ranks of at most ${RANK_MAX}`);
      out.#hashes = undefined;
      out.#registers = Uint8Array.from(body);
    } else if (bytes[0] === SPARSE_FORM) out.#hashes = decodeHashes(body);
    else throw broken(`form ${SPARSE_FORM} or ${DENSE_FORM}`);
    return out;
  }

  #addSparse(hashes: number[], hash: number): void {
    const place = placeOf(hashes, hash);
    if (hashes[place] === hash) return;
    if (hashes.length === SPARSE_MAX) raise(this.#dense(), hash);
    else hashes.splice(place, 0, hash);
  }

  #dense(): Uint8Array {
    if (this.#registers !== undefined) return this.#registers;
    const registers = new Uint8Array(REGISTERS);
    for (const hash of this.#hashes!) raise(registers, hash);
    this.#hashes = undefined;
    this.#registers = registers;
    return registers;
  }
}

/** Where `hash` stands or would stand. */
function placeOf(hashes: readonly number[], hash: number): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hashes[middle]! < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The upper bits name the register, the leading zeros of the rest and one more are the rank. */
function raise(registers: Uint8Array, hash: number): void {
  const index = Math.floor(hash / RANK_RANGE);
  const rest = hash % RANK_RANGE;
  const upper = Math.floor(rest / 0x100000000);
  const upperBits = RANK_BITS - 32;
  const zeros = upper > 0 ? Math.clz32(upper) - (32 - upperBits) : upperBits + Math.clz32(rest);
  if (zeros + 1 > registers[index]!) registers[index] = zeros + 1;
}

/** The raw estimate, and linear counting while it is small and registers are empty. */
function estimate(registers: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of registers) {
    sum += 2 ** -rank;
    if (rank === 0) empty++;
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
  const isSmall = raw <= 2.5 * REGISTERS && empty > 0;
  return Math.round(isSmall ? REGISTERS * Math.log(REGISTERS / empty) : raw);
}

function decodeHashes(body: Uint8Array): number[] {
  if (body.length % HASH_BYTES !== 0) throw broken(`hashes of ${HASH_BYTES} bytes`);
  if (body.length > SPARSE_MAX * HASH_BYTES) throw broken(`at most ${SPARSE_MAX} hashes`);
  const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const hashes: number[] = [];
  for (let at = 0; at < view.length; at += HASH_BYTES) {
    const hash = view.readUIntBE(at + 4, 3) * 0x100000000 + view.readUInt32BE(at);
    if (hash > Number.MAX_SAFE_INTEGER) throw broken(`hashes of ${HASH_BITS} bits`);
    if (hash <= (hashes.at(-1) ?? -1)) throw broken('hashes in rising order');
    hashes.push(hash);
  }
  return hashes;
}

function broken(rule: string): BarrageError {
  return new BarrageError('invalid', `A count of unique users must have: ${rule}`, { rule });
}
