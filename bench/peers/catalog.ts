/**
 * Owns the list of servers the bench compares, in the order of its tables.
 */
import { barrages } from './barrage.js';
import { brokers } from './brokers.js';
import { ownServers } from './own-servers.js';
import type { Peer } from './peer.js';

/** All of them, those that are missing on this machine too. */
export function allPeers(): Peer[] {
  return [...ownServers(), ...brokers(), ...barrages()];
}

/** Those whose name holds one of `words`, in any case; all without words. Throws when a word finds none. */
export function peersNamed(words: readonly string[]): Peer[] {
  const all = allPeers();
  const unknown = words.find((word) => !all.some(({ name }) => isNamed(name, word)));
  if (unknown !== undefined) {
    const names = all.map(({ name }) => name).join(', ');
    throw new Error(`--peer: "${unknown}" is in none of ${names}`);
  }
  if (words.length === 0) return all;
  return all.filter(({ name }) => words.some((word) => isNamed(name, word)));
}

/** `=` before a word asks for the whole name. */
function isNamed(name: string, word: string): boolean {
  const low = word.toLowerCase();
  return low.startsWith('=')
    ? name.toLowerCase() === low.slice(1)
    : name.toLowerCase().includes(low);
}
