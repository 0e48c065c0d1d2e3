/**
 * Owns the studio's calls about attributes: values to and from JSON text, refusals as errors. The
 * rules are in core/attributes.ts.
 */
import { BarrageError } from '../../src/errors.js';
import type { RoomId } from '../../src/ids.js';
import type { AttributePower } from '../powers/attribute-power.js';
import type { AttributeCalls, AttributeTerms, AttributeView } from '../calls/attributes.js';
import { readAttributes, type Attribute, type AttributeChange } from '../core/attributes.js';
import { jsonOf } from '../powers/json-value.js';
import type { Rooms } from '../rooms.js';

export function attributeCalls(rooms: Rooms): AttributeCalls {
  const change = async (id: RoomId, asked: AttributeChange): Promise<number> => {
    const room = await rooms.getOpen(id);
    const done = await room.powers.all.attributes.change(asked, room.clock.now());
    if (typeof done === 'number') return done;
    const { why, field, rule } = done;
    throw new BarrageError(why, `"${field}" must be: ${rule}`, { field, rule });
  };
  const power = async (id: RoomId): Promise<AttributePower> =>
    (await rooms.get(id)).powers.all.attributes;
  return {
    read: async (room, since) => {
      const { set, ...head } = readAttributes((await power(room)).attributes, since);
      return { room, ...head, attributes: set.map(([key, entry]) => viewOf(key, entry)) };
    },
    readOne: async (room, key) => {
      const entry = (await power(room)).attributes.entries.get(key);
      if (entry === undefined) throw missing(key);
      return viewOf(key, entry);
    },
    patch: async (room, { set, delete: doomed, ifVersion, ...terms }) => {
      const texts = Object.entries(set ?? {}).map(
        ([key, value]) => [key, jsonOf(`set.${key}`, value)] as const,
      );
      const version = await change(room, {
        ...terms,
        set: new Map(texts),
        delete: doomed ?? [],
        ...(ifVersion === undefined ? {} : { ifVersion }),
      });
      return { version };
    },
    put: async (room, key, { value, ifVersion, ...terms }) => {
      const json = jsonOf('value', value);
      const set = new Map([[key, json]]);
      const version = await change(room, { ...terms, set, ...onlyIf(key, ifVersion) });
      const entry = (await power(room)).attributes.entries.get(key);
      // Another change may have come right behind this one.
      return entry?.version === version
        ? viewOf(key, entry)
        : { key, value, version, ...ownerOf(terms) };
    },
    remove: async (room, key, ifVersion) => {
      const isThere = (await power(room)).attributes.entries.has(key);
      if (!isThere && ifVersion === undefined) return false;
      await change(room, { delete: [key], ...onlyIf(key, ifVersion) });
      return isThere;
    },
    clear: async (room, ifVersion) => {
      const asked = { clear: true, ...(ifVersion === undefined ? {} : { ifVersion }) };
      return { version: await change(room, asked) };
    },
  };
}

function onlyIf(key: string, ifVersion: number | undefined): Pick<AttributeChange, 'ifVersions'> {
  return ifVersion === undefined ? {} : { ifVersions: new Map([[key, ifVersion]]) };
}

function ownerOf({ owner }: AttributeTerms): { owner?: NonNullable<AttributeTerms['owner']> } {
  return owner === undefined ? {} : { owner };
}

function viewOf(key: string, { json, ...terms }: Attribute): AttributeView {
  return { key, value: JSON.parse(json) as unknown, ...terms };
}

function missing(key: string): BarrageError {
  return new BarrageError('not_found', `no attribute ${key.slice(0, 64)}`, { field: 'key' });
}
