/** Attributes: versions, compare-and-set, bounds, incremental reads against a model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ATTRIBUTES_BYTES_MAX,
  ATTRIBUTES_MAX,
  ATTRIBUTE_VALUE_BYTES_MAX,
  changeAttributes,
  expireAttributes,
  GONE_MAX,
  isAttributeFlaw,
  nextEnd,
  NO_ATTRIBUTES,
  ownerLeft,
  readAttributes,
  type AttributeChange,
  type Attributes,
} from '../../room/core/attributes.js';
import type { UserId } from '../../src/ids.js';

const NOW = 1_000_000;

function must(state: Attributes, change: AttributeChange, now = NOW): Attributes {
  const next = changeAttributes(state, change, now);
  if (isAttributeFlaw(next)) throw new Error(JSON.stringify(next));
  return next;
}

const set = (...pairs: [string, string][]): AttributeChange => ({ set: new Map(pairs) });
const values = (state: Attributes) =>
  Object.fromEntries([...state.entries].map(([key, { json }]) => [key, json]));

describe('a change', () => {
  it('R-ATTR-1 sets and deletes together under one version', () => {
    const one = must(NO_ATTRIBUTES, set(['a', '1'], ['b', '2']));
    const two = must(one, { ...set(['c', '3'], ['a', '4']), delete: ['b', 'none'] });
    expect([one.version, two.version]).toEqual([1, 2]);
    expect(values(two)).toEqual({ a: '4', c: '3' });
    expect([...two.entries.values()].map(({ version }) => version)).toEqual([2, 2]);
    expect(values(must(two, { clear: true, ...set(['x', 'null']) }))).toEqual({ x: 'null' });
    expect(values(one)).toEqual({ a: '1', b: '2' });
  });

  const over = 'x'.repeat(ATTRIBUTE_VALUE_BYTES_MAX - 1);
  const flaws: [string, AttributeChange, string, string][] = [
    ['an empty key', set(['', '1']), '', 'pattern'],
    ['a key with a space', set(['a b', '1']), 'a b', 'pattern'],
    ['a long key', set(['k'.repeat(65), '1']), 'k'.repeat(64), 'pattern'],
    ['a value over 4 KiB', set(['a', `"${over}"`]), 'a', 'maxBytes 4096'],
    ['wide characters over 4 KiB', set(['a', `"${'弹'.repeat(1366)}"`]), 'a', 'maxBytes 4096'],
    ['expireOnLeave without owner', { ...set(['a', '1']), expireOnLeave: true }, 'owner', 'given'],
    [
      'a key too many',
      set(
        ...Array.from({ length: ATTRIBUTES_MAX + 1 }, (_, i): [string, string] => [`k${i}`, '1']),
      ),
      'set',
      `maxProperties ${ATTRIBUTES_MAX}`,
    ],
    [
      'bytes too many',
      set(
        ...Array.from({ length: 17 }, (_, i): [string, string] => [
          `k${i}`,
          `"${'x'.repeat(4000)}"`,
        ]),
      ),
      'set',
      `maxBytes ${ATTRIBUTES_BYTES_MAX}`,
    ],
  ];
  it.each(flaws)('R-ATTR-2 %s is refused and nothing of it holds', (_, change, field, rule) => {
    const flaw = changeAttributes(NO_ATTRIBUTES, change, NOW);
    expect(flaw).toMatchObject({ why: 'invalid', field, rule: expect.stringContaining(rule) });
    expect(NO_ATTRIBUTES.version).toBe(0);
  });

  it('R-ATTR-2 at the bounds it is not refused', () => {
    const at = set(
      ...Array.from({ length: ATTRIBUTES_MAX }, (_, i): [string, string] => [`k${i}`, '1']),
    );
    expect(must(NO_ATTRIBUTES, at).entries.size).toBe(ATTRIBUTES_MAX);
    const json = `"${'x'.repeat(ATTRIBUTE_VALUE_BYTES_MAX - 2)}"`;
    expect(must(NO_ATTRIBUTES, set(['a', json])).bytes).toBe(ATTRIBUTE_VALUE_BYTES_MAX + 1);
  });

  it('R-ATTR-3 holds only at the version it was made for', () => {
    const one = must(NO_ATTRIBUTES, set(['a', '1']));
    const two = must(one, set(['b', '1']));
    const conflict = (change: AttributeChange) => changeAttributes(two, change, NOW);
    expect(conflict({ ...set(['a', '2']), ifVersion: 1 })).toEqual({
      ...{ why: 'conflict', field: 'ifVersion', rule: 'version 2' },
    });
    expect(must(two, { ...set(['a', '2']), ifVersion: 2 }).version).toBe(3);
    const key = (name: string, version: number) => ({ ifVersions: new Map([[name, version]]) });
    expect(conflict({ ...set(['a', '2']), ...key('a', 2) })).toMatchObject({
      field: 'a',
      rule: 'version 1',
    });
    expect(must(two, { ...set(['a', '2']), ...key('a', 1) }).version).toBe(3);
    expect(conflict({ ...set(['a', '2']), ...key('a', 0) })).toMatchObject({ why: 'conflict' });
    expect(must(two, { ...set(['c', '2']), ...key('c', 0) }).version).toBe(3);
  });

  it('R-ATTR-6 what has an end goes at it, what has an owner when the owner leaves', () => {
    const ann = 'ann' as UserId;
    const timed = must(NO_ATTRIBUTES, { ...set(['t', '1']), ttlMs: 100 });
    const owned = must(timed, { ...set(['o', '1']), owner: ann, expireOnLeave: true });
    const all = must(owned, { ...set(['s', '1']), owner: ann });
    expect(nextEnd(all)).toBe(NOW + 100);
    expect(expireAttributes(all, NOW + 99)).toBe(all);
    const later = expireAttributes(all, NOW + 100);
    expect([values(later), later.version, nextEnd(later)]).toEqual([
      { o: '1', s: '1' },
      4,
      Infinity,
    ]);
    expect(ownerLeft(later, 'bob' as UserId)).toBe(later);
    expect(values(ownerLeft(later, ann))).toEqual({ s: '1' });
    const free = must(all, set(['t', '2']));
    expect(nextEnd(free)).toBe(Infinity);
  });
});

describe('reading', () => {
  it('R-ATTR-4 a reader that follows by versions has what a full read has, whatever was changed', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const change = fc.record({
      set: fc.array(fc.tuple(key, fc.integer().map(String)), { maxLength: 3 }),
      doomed: fc.array(key, { maxLength: 3 }),
      clear: fc.boolean(),
      read: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        let state = NO_ATTRIBUTES;
        let seen = 0;
        const held = new Map<string, string>();
        for (const { set: pairs, doomed, clear, read } of changes) {
          state = must(state, { set: new Map(pairs), delete: doomed, clear });
          if (!read) continue;
          const page = readAttributes(state, seen);
          expect(page.full).toBe(false);
          for (const gone of page.deleted) held.delete(gone);
          for (const [name, { json }] of page.set) held.set(name, json);
          seen = page.version;
          expect(Object.fromEntries(held)).toEqual(values(state));
        }
        const bytes = [...state.entries].reduce(
          (sum, [name, { json }]) => sum + name.length + json.length,
          0,
        );
        expect(state.bytes).toBe(bytes);
      }),
      { numRuns: 200 },
    );
  });

  it('R-ATTR-4 who is too far behind, or ahead, reads all', () => {
    let state = must(NO_ATTRIBUTES, set(['keep', '1']));
    for (let i = 0; i <= GONE_MAX; i++) {
      state = must(state, set([`k${i}`, '1']));
      state = must(state, { delete: [`k${i}`] });
    }
    expect(state.gone.size).toBe(GONE_MAX);
    expect(readAttributes(state, 1)).toMatchObject({ full: true, deleted: [] });
    expect(readAttributes(state, state.forgotten).full).toBe(false);
    expect(readAttributes(state, state.version + 1).full).toBe(true);
    expect(readAttributes(state, undefined).set.map(([name]) => name)).toEqual(['keep']);
  });
});
