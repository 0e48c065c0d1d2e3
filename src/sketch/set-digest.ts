/**
 * Owns telling whether two sets of counted users are the same without sending them: 64 bits that do
 * not depend on the order in which users came. Against accidents, not against forgery.
 */
import { hashUser } from './user-hash.js';

/** Exclusive or of a mixed hash of each (user, connections); adding twice takes out again. */
export class SetDigest {
  #one = 0;
  #two = 0;

  /** Puts the pair in, or takes it out when it is in. */
  toggle(user: string, connections: number): void {
    const hash = hashUser(user);
    const low = (hash % 0x100000000) | 0;
    const high = Math.floor(hash / 0x100000000);
    const salt = Math.imul(connections, 0x9e3779b1);
    const one = Math.imul(low ^ salt, 0x85ebca6b);
    const two = Math.imul(high ^ (low >>> 7) ^ salt, 0xc2b2ae35);
    this.#one ^= one ^ (one >>> 13);
    this.#two ^= two ^ (two >>> 16);
  }

  /** 16 hexadecimal digits. */
  get text(): string {
    return hex(this.#one) + hex(this.#two);
  }
}

function hex(part: number): string {
  return (part >>> 0).toString(16).padStart(8, '0');
}
