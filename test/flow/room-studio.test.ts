/** What a studio can do to its room: publish, recall, freeze, close, sanction, read back. */
import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../src/ids.js';
import type { RoomSnapshot } from '../../src/wire/internal.js';
import { ROOM, restart, startService, stopAll, user } from '../kit/room-service.js';

const notice = (text: string) => ({ kind: 'notice', text });
const chat = (text: string) => ({ kind: 'chat', text });

describe('publishing', () => {
  it('A-4 a post goes to its own lane, its kind`s, or normal', async () => {
    const service = await startService();
    const { publish } = service.calls;
    const lanes = [
      await service.run(publish(ROOM, { kind: 'gift', text: 'a' })),
      await service.run(publish(ROOM, { kind: 'gift', text: 'b', lane: 'low' })),
      await service.run(publish(ROOM, { kind: 'constructor', text: 'c' })),
      await service.run(publish(ROOM, { kind: 'poll', data: { q: 1 }, lane: 'control' })),
    ].map(({ lane, class: frameClass, verdict }) => [lane, frameClass, verdict]);
    expect(lanes).toEqual([
      ['high', 'keep', 'published'],
      ['low', 'drop', 'published'],
      ['normal', 'drop', 'published'],
      ['control', 'keep', 'published'],
    ]);
    await stopAll(service);
  });

  it('A-2 a draft over the hard limits is refused by field and rule', async () => {
    const service = await startService();
    const cases = [
      { draft: chat('x'.repeat(1001)), field: 'text', rule: 'maxLength 1000' },
      { draft: chat('\u{1f600}'.repeat(1000) + 'x'), field: 'text', rule: 'maxLength 1000' },
      { draft: chat('a\u0007'), field: 'text', rule: 'no control characters' },
      { draft: { kind: 'x', data: 'y'.repeat(1023) }, field: 'data', rule: 'maxBytes 1024' },
    ];
    for (const { draft, field, rule } of cases) {
      await expect(service.run(service.calls.publish(ROOM, draft))).rejects.toMatchObject({
        code: 'invalid',
        field,
        rule,
      });
    }
    await stopAll(service);
  });

  it('A-5 history gives the newest page, and pages from an offset', async () => {
    const service = await startService();
    for (let i = 1; i <= 7; i++) await service.run(service.calls.publish(ROOM, notice(`${i}`)));
    const { history } = service.calls;
    const newest = await service.run(history(ROOM, undefined, 3));
    expect(newest.publications.map((each) => each.offset)).toEqual([5, 6, 7]);
    expect(newest.next).toBeUndefined();
    const first = await service.run(history(ROOM, 1, 4));
    expect(first).toMatchObject({ next: 5, oldest: 1 });
    const second = await service.run(history(ROOM, first.next, 4));
    expect(second.publications.map((each) => each.text)).toEqual(['5', '6', '7']);
    expect(second.next).toBeUndefined();
    await stopAll(service);
  });
});

describe('recall', () => {
  it('R-KEEP-6 a kept publication becomes a tombstone for all who come later', async () => {
    const service = await startService();
    const { calls } = service;
    const bad = await service.run(calls.publish(ROOM, notice('bad')));
    await service.run(calls.publish(ROOM, notice('good')));
    const commits = service.store.commits.length;
    await service.run(calls.recall(ROOM, bad.id));
    expect(service.store.commits.length - commits).toBe(1);
    await service.until(() => service.ear.notes.some((note) => note.note === 'recall'));
    const told = service.ear.publications('keep').at(-1);
    expect(told).toMatchObject({
      kind: 'recall',
      lane: 'control',
      offset: 3,
      data: { id: bad.id },
    });
    const note = service.ear.notes.find((each) => each.note === 'recall');
    const tombstone = { id: bad.id, kind: 'recalled', lane: 'control', offset: 1 };
    expect(note).toMatchObject({ id: bad.id, offset: 1 });
    expect(JSON.parse((note as { json: string }).json)).toMatchObject(tombstone);
    const page = await service.run(calls.history(ROOM, 1, 10));
    expect(page.publications.map((each) => each.kind)).toEqual(['recalled', 'notice', 'recall']);
    expect(JSON.stringify(await service.replay(1, 10))).not.toContain('bad');
    expect(JSON.stringify(await service.snapshot())).not.toContain('"bad"');
    await service.run(calls.recall(ROOM, bad.id));
    expect((await service.run(calls.stats(ROOM))).offset).toBe(3);
    await stopAll(service);
  });

  it('R-KEEP-6 an old publication is found in the log after a restart', async () => {
    let service = await startService();
    const old = await service.run(service.calls.publish(ROOM, notice('old')));
    for (let i = 0; i < 800; i++) {
      service.say({ ref: i, role: 'host', user: { id: `h${i}` }, text: `t${i}` });
      if (i % 50 === 49) await service.until(() => service.verdicts.length === i + 1);
    }
    service = await restart(service);
    await service.run(service.calls.recall(ROOM, old.id));
    const page = await service.run(service.calls.history(ROOM, 1, 1));
    expect(page.publications[0]).toMatchObject({ id: old.id, kind: 'recalled' });
    await stopAll(service);
  });

  it('R-KEEP-6 a droppable one leaves the recent window; an unknown one is not found', async () => {
    const service = await startService();
    const { calls } = service;
    const bad = await service.run(calls.publish(ROOM, chat('bad')));
    await service.run(calls.publish(ROOM, chat('good')));
    await service.run(calls.recall(ROOM, bad.id));
    await service.until(() => service.ear.notes.some((note) => note.note === 'recall'));
    expect(service.ear.notes.at(-1)).toMatchObject({ id: bad.id, offset: 0 });
    expect(service.ear.publications('keep').at(-1)).toMatchObject({ data: { id: bad.id } });
    const snapshot = (await service.snapshot()) as unknown as RoomSnapshot;
    const kinds = snapshot.recent.map(([, json]) => (JSON.parse(json) as { kind: string }).kind);
    expect(kinds).toEqual(['chat', 'recall']);
    await expect(service.run(calls.recall(ROOM, 'nothing'))).rejects.toMatchObject({
      code: 'not_found',
    });
    await stopAll(service);
  });

  it('R-KEEP-6 what is recalled in a closed room is not shown to later readers', async () => {
    const service = await startService();
    const { calls } = service;
    const bad = await service.run(calls.publish(ROOM, notice('bad')));
    await service.run(calls.close(ROOM));
    await service.run(calls.recall(ROOM, bad.id));
    const page = await service.run(calls.history(ROOM, 1, 10));
    expect(page.publications.map((each) => each.kind)).toEqual(['recalled', 'room']);
    await stopAll(service);
  });
});

describe('status', () => {
  it('R-ADMIT-3 freezing and closing are stored, told by publication and note, and hold', async () => {
    const service = await startService();
    const { calls } = service;
    const frozen = await service.run(calls.change(ROOM, { status: 'frozen' }));
    expect(frozen.status).toBe('frozen');
    service.say({ ref: 1 });
    await service.until(() => service.verdict(1) !== undefined);
    expect(service.verdict(1)!.verdict).toBe('frozen');
    await service.run(calls.publish(ROOM, notice('studio speaks')));
    await service.run(calls.change(ROOM, { status: 'open' }));
    await service.run(calls.close(ROOM));
    expect((await service.run(calls.close(ROOM))).status).toBe('closed');
    await service.until(() => service.ear.notes.length === 3);
    expect(service.ear.order).toEqual([
      ...['room', 'note:status', 'notice', 'room', 'note:status', 'room', 'note:status'],
    ]);
    const said = service.ear.publications().filter((each) => each.kind === 'room');
    expect(said.map((each) => each.data)).toEqual([
      { status: 'frozen' },
      { status: 'open' },
      { status: 'closed' },
    ]);
    for (const call of [
      () => calls.publish(ROOM, notice('late')),
      () => calls.change(ROOM, { title: 'x' }),
      () => calls.kick(ROOM, user('u'), { reason: 'x' }),
    ]) {
      await expect(service.run<unknown>(call())).rejects.toMatchObject({ code: 'closed' });
    }
    service.say({ ref: 2, role: 'host' });
    await service.until(() => service.verdict(2) !== undefined);
    expect(service.verdict(2)!.verdict).toBe('closed');
    const after = await restart(service);
    expect((await after.run(after.calls.read(ROOM))).status).toBe('closed');
    await stopAll(after);
  });

  it('A-3 rooms are made once, read, changed and listed page by page', async () => {
    const service = await startService();
    const { calls } = service;
    for (const room of ['a', 'b', 'c'] as RoomId[]) {
      const view = await service.run(calls.create({ room, title: `T${room}` }));
      expect(view).toMatchObject({ room, title: `T${room}`, status: 'open', online: 0 });
    }
    const both = [1, 2].map(() => calls.create({ room: 'd' as RoomId }));
    const made = await service.run(Promise.allSettled(both));
    expect(made.map((each) => each.status)).toEqual(['fulfilled', 'rejected']);
    await expect(service.run(calls.create({ room: ROOM }))).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(service.run(calls.read('none' as RoomId))).rejects.toMatchObject({
      code: 'not_found',
    });
    const first = await service.run(calls.list('', 3));
    expect(first.rooms.map((view) => view.room)).toEqual(['a', 'b', 'c']);
    expect(first.next).toBe('c');
    const second = await service.run(calls.list('c', 3));
    expect(second.rooms.map((view) => view.room)).toEqual(['d', ROOM]);
    expect(second.next).toBeUndefined();
    await stopAll(service);
  });
});

describe('sanctions', () => {
  it('A-6 are imposed with a note, listed in order of user, lifted, and end by themselves', async () => {
    const service = await startService();
    const { calls, clock } = service;
    const until = clock.now() + 1000;
    for (const id of ['d', 'a', 'c', 'b']) {
      await service.run(calls.impose(ROOM, 'bans', { user: user(id), until: 0, reason: id }));
    }
    await service.run(calls.impose(ROOM, 'bans', { user: user('e'), until }));
    const first = await service.run(calls.sanctions(ROOM, 'bans', '', 2));
    expect(first.items.map((each) => each.user)).toEqual(['a', 'b']);
    const rest = await service.run(calls.sanctions(ROOM, 'bans', first.next!, 10));
    expect(rest.items.map((each) => each.user)).toEqual(['c', 'd', 'e']);
    expect(rest.next).toBeUndefined();
    expect(await service.run(calls.lift(ROOM, 'bans', user('a')))).toBe(true);
    expect(await service.run(calls.lift(ROOM, 'bans', user('a')))).toBe(false);
    const notes = service.ear.notes.map((note) => note.note);
    expect(notes).toEqual(['ban', 'ban', 'ban', 'ban', 'ban', 'unban']);
    clock.advance(60_000);
    await service.until(() => true);
    const left = await service.run(calls.sanctions(ROOM, 'bans', '', 10));
    expect(left.items.map((each) => each.user)).toEqual(['b', 'c', 'd']);
    const stored = await service.store.inner.load(ROOM);
    const names = [...stored!.records.keys()].filter((name) => name.startsWith('ban:'));
    expect(names.sort()).toEqual(['ban:b', 'ban:c', 'ban:d']);
    await stopAll(service);
  });

  it('R-ADMIT-2 a mute holds until its end and not after', async () => {
    const service = await startService();
    const { calls, clock } = service;
    const until = clock.now() + 5000;
    await service.run(calls.impose(ROOM, 'mutes', { user: user('m'), until }));
    service.say({ ref: 1, user: { id: 'm' } });
    await service.until(() => service.verdict(1) !== undefined);
    expect(service.verdict(1)!.verdict).toBe('muted');
    clock.advance(until - clock.now());
    service.say({ ref: 2, user: { id: 'm' } });
    await service.until(() => service.verdict(2) !== undefined);
    expect(service.verdict(2)!.verdict).toBe('published');
    await expect(
      service.run(calls.impose(ROOM, 'mutes', { user: user('m'), until })),
    ).rejects.toMatchObject({ code: 'invalid', field: 'until' });
    await stopAll(service);
  });

  it('A-6 a kick is told to the edges, but never of an allowed user', async () => {
    const service = await startService();
    await service.run(service.calls.kick(ROOM, user('k'), { reason: 'rude' }));
    await service.until(() => service.ear.notes.length === 1);
    expect(service.ear.notes).toEqual([{ note: 'kick', user: 'k', reason: 'rude' }]);
    await service.run(service.calls.impose(ROOM, 'allowed', { user: user('k'), until: 0 }));
    await expect(
      service.run(service.calls.kick(ROOM, user('k'), { reason: 'rude' })),
    ).rejects.toMatchObject({
      code: 'conflict',
    });
    await stopAll(service);
  });
});
