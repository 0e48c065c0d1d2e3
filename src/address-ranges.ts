/**
 * Owns ranges of network addresses (CIDR, RFC 4632 and 4291) and which of them an address is in: the
 * narrowest one. Pure; knows nothing of what the ranges stand for.
 */

/** An address as a number of 32 bits, or of 128 as text of 32 hexadecimal digits. */
interface Parsed {
  readonly bits: 32 | 128;
  readonly hex: string;
}

export interface AddressRange<T> {
  readonly cidr: string;
  readonly value: T;
}

export const CIDR_RULE = 'a range of addresses (10.0.0.0/8, 2001:db8::/32) or one address';

/** Looks up in as many steps as there are different widths of ranges. */
export class AddressRanges<T> {
  /** By family and width, the widest prefix first; ranges by the prefix's digits. */
  readonly #widths: { readonly bits: 32 | 128; readonly width: number; of: Map<string, T> }[] = [];

  /** Ranges that are none are passed over; of two equal ones the first holds. */
  constructor(ranges: readonly AddressRange<T>[]) {
    for (const { cidr, value } of ranges) {
      const range = parseRange(cidr);
      if (range === undefined) continue;
      const { bits, width, prefix } = range;
      let entry = this.#widths.find((each) => each.bits === bits && each.width === width);
      if (entry === undefined) {
        entry = { bits, width, of: new Map() };
        this.#widths.push(entry);
      }
      if (!entry.of.has(prefix)) entry.of.set(prefix, value);
    }
    this.#widths.sort((a, b) => b.width - a.width);
  }

  get isEmpty(): boolean {
    return this.#widths.length === 0;
  }

  /** What the narrowest range with the address stands for. */
  find(address: string): T | undefined {
    if (this.isEmpty) return undefined;
    const parsed = parseAddress(address);
    if (parsed === undefined) return undefined;
    for (const { bits, width, of } of this.#widths) {
      if (bits !== parsed.bits) continue;
      const found = of.get(prefixOf(parsed.hex, width));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

export function isRange(cidr: string): boolean {
  return parseRange(cidr) !== undefined;
}

function parseRange(cidr: string) {
  const [text = '', size, ...more] = cidr.split('/');
  const address = parseAddress(text);
  if (address === undefined || more.length > 0) return undefined;
  const { bits } = address;
  if (size !== undefined && !/^\d{1,3}$/.test(size)) return undefined;
  const width = size === undefined ? bits : Number(size);
  if (width > bits) return undefined;
  return { bits, width, prefix: prefixOf(address.hex, width) };
}

/** The first `width` bits as text: whole digits, then the rest of one. */
function prefixOf(hex: string, width: number): string {
  const whole = width >> 2;
  const rest = width & 3;
  if (rest === 0) return hex.slice(0, whole);
  const digit = parseInt(hex[whole] ?? '0', 16) >> (4 - rest);
  return `${hex.slice(0, whole)}.${digit}`;
}

/** An IPv4 address inside an IPv6 one (::ffff:10.0.0.1), as sockets show them, is the IPv4 one. */
function parseAddress(text: string): Parsed | undefined {
  if (text.length > 64) return undefined;
  if (!text.includes(':')) {
    const hex = hexOfFour(text);
    return hex === undefined ? undefined : { bits: 32, hex };
  }
  const groups = groupsOf(text.replace(/%.*$/, ''));
  if (groups === undefined) return undefined;
  const hex = groups.map((group) => group.toString(16).padStart(4, '0')).join('');
  const mapped = '00000000000000000000ffff';
  return hex.startsWith(mapped) ? { bits: 32, hex: hex.slice(24) } : { bits: 128, hex };
}

function hexOfFour(text: string): string | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let hex = '';
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    hex += Number(part).toString(16).padStart(2, '0');
  }
  return hex;
}

function groupsOf(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(partsOf);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function partsOf(half: string): number[] | undefined {
  if (half === '') return [];
  const groups: number[] = [];
  const parts = half.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && i === parts.length - 1) {
      const hex = hexOfFour(part);
      if (hex === undefined) return undefined;
      groups.push(parseInt(hex.slice(0, 4), 16), parseInt(hex.slice(4), 16));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups.length <= 8 ? groups : undefined;
}
