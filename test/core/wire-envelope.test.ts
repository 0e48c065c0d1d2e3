/** Frames and publications: bytes made once come back exactly; what is no envelope is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLOSE, mayReturn } from '../../src/close-codes.js';
import { BarrageError } from '../../src/errors.js';
import { parseRoomId, parseUserId } from '../../src/ids.js';
import { SHARD_COUNT, shardOf } from '../../src/shards.js';
import {
  decodeEnvelope,
  encodeFrame,
  encodeNote,
  type FrameHead,
} from '../../src/wire/envelope.js';
import { encodePublication, parsePublication } from '../../src/wire/publication.js';
import {
  classOf,
  LANES,
  positionHolds,
  type EpochStart,
  type Publication,
} from '../../src/words.js';

const room = parseRoomId('lobby')!;
const keep: FrameHead = {
  room,
  class: 'keep',
  epoch: 1_700_000_000,
  tick: 7,
  offset: 42,
  online: 12_345,
  shed: 0,
  admission: 1000,
};
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('弹幕', '𠮷😀👩‍👩‍👧', '"\\\u2028\u2029\n\t/</script>', '\u0000\u001f'),
);
const publications = fc.array(
  fc.record(
    {
      id: fc.string(),
      kind: fc.constantFrom('danmaku', 'gift', 'notice'),
      lane: fc.constantFrom(...LANES),
      at: fc.nat(),
      offset: fc.nat(),
      user: fc.record({
        id: texts.map((id) => parseUserId(id)! ?? parseUserId('u')!),
        name: texts,
      }),
      text: texts,
      count: fc.nat(),
      data: fc.jsonValue({ maxDepth: 3 }),
    },
    { requiredKeys: ['id', 'kind', 'lane', 'at'] },
  ),
  { maxLength: 12 },
);

describe('publications and frames', () => {
  it('W-3 a publication’s text is one line of JSON, id first, that gives the publication back', () => {
    fc.assert(
      fc.property(publications, (all) => {
        for (const publication of all) {
          const json = encodePublication(publication as Publication);
          expect(json).not.toMatch(/[\n\r]/);
          expect(json.startsWith('{"id":')).toBe(true);
          expect(parsePublication(json)).toEqual(JSON.parse(JSON.stringify(publication)));
        }
      }),
    );
  });

  it('W-9 every publication’s bytes come back exactly, and the line is the frame', () => {
    fc.assert(
      fc.property(publications, fc.nat(0xffff), fc.boolean(), (all, shed, isKeep) => {
        const json = all.map((each) => encodePublication(each as Publication));
        const head = { ...keep, shed, class: isKeep ? ('keep' as const) : ('drop' as const) };
        const frame = decodeEnvelope(encodeFrame(head, json));
        if (frame.kind !== 'frame') throw new Error('not a frame');
        expect(frame.count).toBe(json.length);
        json.forEach((text, i) => expect(frame.publication(i)).toEqual(Buffer.from(text)));
        expect(JSON.parse(frame.json.toString())).toEqual({
          type: 'frame',
          room,
          class: head.class,
          epoch: keep.epoch,
          tick: 7,
          ...(isKeep ? { offset: 42 } : {}),
          online: 12_345,
          publications: json.map((text) => JSON.parse(text) as unknown),
          ...(shed > 0 ? { shed } : {}),
        });
        const { epoch, tick, offset, online, admission } = frame;
        expect({ epoch, tick, offset, online, admission, shed: frame.shed }).toMatchObject({
          epoch: keep.epoch,
          tick: 7,
          offset: 42,
          online: 12_345,
          admission: 1000,
          shed,
        });
      }),
    );
  });

  it('W-4 a keepable frame carries epoch and offset, a droppable one no offset', () => {
    const json = encodePublication({ id: 'a', kind: 'gift', lane: 'high', at: 1, offset: 42 });
    const kept = decodeEnvelope(encodeFrame(keep, [json]));
    const dropped = decodeEnvelope(encodeFrame({ ...keep, class: 'drop', offset: 0 }, [json]));
    expect(JSON.parse(kept.json.toString())).toMatchObject({
      class: 'keep',
      epoch: keep.epoch,
      offset: 42,
    });
    expect(JSON.parse(dropped.json.toString())).not.toHaveProperty('offset');
    expect(LANES.map(classOf)).toEqual(['keep', 'keep', 'drop', 'drop']);
  });

  it('W-9 a note comes back exactly', () => {
    const json = '{"note":"kick","user":"用户😀","reason":""}';
    const note = decodeEnvelope(encodeNote(5, json));
    expect(note).toMatchObject({ kind: 'note', epoch: 5 });
    expect(note.json.toString()).toBe(json);
  });

  it('W-9 bytes that are no envelope are refused as invalid, whatever they are', () => {
    const good = encodeFrame({ ...keep, shed: 3 }, ['{"id":"a"}', '{"id":"bb"}', '{"id":"弹"}']);
    const note = encodeNote(5, '{"note":"owner"}');
    const damaged = fc
      .tuple(
        fc.constantFrom(good, note),
        fc.array(fc.tuple(fc.nat(), fc.nat(255))),
        fc.nat(),
        fc.nat(4),
      )
      .map(([whole, flips, cut, how]) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of flips) bytes[at % bytes.length] = value;
        return how === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
        try {
          const envelope = decodeEnvelope(bytes);
          if (envelope.kind === 'note') return;
          let end = 0;
          for (let i = 0; i < envelope.count; i++) {
            const part = envelope.publication(i);
            expect(part.byteOffset - envelope.json.byteOffset).toBeGreaterThanOrEqual(end);
            end = part.byteOffset - envelope.json.byteOffset + part.length;
            expect(end).toBeLessThanOrEqual(envelope.json.length);
          }
        } catch (error) {
          if (!(error instanceof BarrageError)) throw error;
          expect(error.code).toBe('invalid');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('positions, codes, shards', () => {
  const epochs: readonly EpochStart[] = [
    [100, 1],
    [105, 51],
    [110, 51],
    [120, 90],
  ];
  it.each([
    ['nothing seen holds anywhere', 7, 0, true],
    ['in the newest epoch', 120, 95, true],
    ['before a later epoch began', 105, 50, true],
    ['of an older epoch, up to the next one', 100, 50, true],
    ['of an older epoch, written over by the next one', 100, 51, false],
    ['of an epoch under which nothing was kept', 105, 51, false],
    ['of an epoch later than all, as after a wiped store', 130, 5, true],
    ['of an epoch between two known ones', 107, 40, true],
    ['older than everything known', 99, 1, false],
    ['older than everything known, nothing written over', 50, 60, false],
  ])('E-POS-2 a position %s', (_, epoch, offset, holds) => {
    expect(positionHolds({ epoch, offset }, epochs)).toBe(holds);
  });

  it('E-POS-2 without any known epoch only the beginning holds', () => {
    expect(positionHolds({ epoch: 1, offset: 1 }, [])).toBe(false);
    expect(positionHolds({ epoch: 1, offset: 0 }, [])).toBe(true);
  });

  it('W-10 codes up to 4499 mean come back, from 4500 on they do not', () => {
    for (const { code } of Object.values(CLOSE)) expect(mayReturn(code)).toBe(code < 4500);
    expect([4000, 4499, 4500, 4999].map(mayReturn)).toEqual([true, true, false, false]);
    const codes = Object.values(CLOSE).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(CLOSE.badInput.code).toBe(4504);
  });

  it('S-5 the shard of a room never changes: stored data depends on it', () => {
    const pinned = ['lobby', 'a', 'room_1', '22603245'].map((id) => shardOf(parseRoomId(id)!));
    expect(pinned).toEqual([19, 44, 10, 17]);
  });

  it('S-5 rooms spread evenly over the shards', () => {
    const counts = new Array<number>(SHARD_COUNT).fill(0);
    for (let i = 0; i < 64_000; i++) counts[shardOf(parseRoomId(`room-${i}`)!)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1200);
  });
});
