/**
 * Owns randomness: a seeded generator for decisions that must be repeatable, and the one door to
 * the system's entropy. Algorithm: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state.
 */
import { randomBytes } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1) with 32 bits. */
  next(): number;
  /** Uniform whole number in [0, below). */
  below(below: number): number;
}

class Sfc32 implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(a: number, b: number, c: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    for (let i = 0; i < 15; i++) this.next();
  }

  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return (sum >>> 0) / 4294967296;
  }

  below(below: number): number {
    return Math.floor(this.next() * below);
  }
}

/** The same seed gives the same numbers on every machine. */
export function seededRandom(seed: number): Random {
  return new Sfc32(seed, Math.floor(seed / 4294967296), 0x9e3779b9);
}

/** A generator seeded from the system's entropy. */
export function systemRandom(): Random {
  const seed = randomBytes(12);
  return new Sfc32(seed.readInt32LE(0), seed.readInt32LE(4), seed.readInt32LE(8));
}

/** `bytes` bytes of the system's entropy as URL-safe text; for ids that must not be guessed. */
export function randomId(bytes = 9): string {
  return randomBytes(bytes).toString('base64url');
}
