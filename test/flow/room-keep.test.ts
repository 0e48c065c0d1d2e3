/** What a room promises of its keepable publications, over a store that can refuse. */
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';
import type { RoomSnapshot } from '../../src/wire/internal.js';
import { positionHolds } from '../../src/words.js';
import { ROOM, restart, startService, stopAll, takeOver, user } from '../kit/room-service.js';

const notice = (text: string) => ({ kind: 'notice', text });

describe('keepable publications', () => {
  it('R-KEEP-1 acknowledges a publication only after the store has it', async () => {
    const service = await startService();
    const release = service.store.hold();
    let fated: unknown;
    const posting = service.calls.publish(ROOM, notice('held')).then((answer) => {
      fated = answer;
    });
    await service.until(() => service.store.commits.some((commit) => commit.append));
    for (let i = 0; i < 50; i++) await service.until(() => true);
    expect(fated).toBeUndefined();
    expect(service.ear.publications()).toEqual([]);
    release();
    await service.run(posting);
    expect(fated).toMatchObject({
      verdict: 'published',
      lane: 'control',
      class: 'keep',
      offset: 1,
    });
    await service.until(() => service.ear.publications('keep').length === 1);
    const [entry] = await service.store.inner.readLog(ROOM, 1, 10, 1 << 20);
    expect(JSON.parse(entry!.json)).toEqual(service.ear.publications('keep')[0]);
    await stopAll(service);
  });

  it('R-KEEP-1 a host hears `published` only after the store has it', async () => {
    const service = await startService();
    const release = service.store.hold();
    service.say({ ref: 1, role: 'host', text: 'hello' });
    await service.until(() => service.store.commits.some((commit) => commit.append));
    expect(service.verdict(1)).toBeUndefined();
    release();
    await service.until(() => service.verdict(1) !== undefined);
    expect(service.verdict(1)).toMatchObject({ verdict: 'published' });
    expect(service.ear.publications('keep')[0]).toMatchObject({ lane: 'high', offset: 1 });
    await stopAll(service);
  });

  it('R-KEEP-1 what waits while the store is busy goes in one commit', async () => {
    const service = await startService();
    const release = service.store.hold();
    const first = service.calls.publish(ROOM, notice('first'));
    await service.until(() => service.store.commits.some((commit) => commit.append));
    const rest = Array.from({ length: 20 }, async (_, i) => {
      await service.until(() => true);
      return service.calls.publish(ROOM, notice(`later ${i}`));
    });
    const at = service.clock.now();
    await service.until(() => service.clock.now() > at + 200);
    const before = service.store.commits.length;
    release();
    const fates = await service.run(Promise.all([first, ...rest]));
    expect(fates.map((fated) => fated.offset)).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    const appends = service.store.commits.slice(before).filter((commit) => commit.append);
    expect(appends.map((commit) => commit.append!.json.length)).toEqual([20]);
    await stopAll(service);
  });

  it('R-KEEP-2 offsets rise by one, across restarts and owners', async () => {
    let service = await startService();
    const offsets: (number | undefined)[] = [];
    const epochs: (number | undefined)[] = [];
    for (let term = 0; term < 3; term++) {
      for (let i = 0; i < 3; i++) {
        const fated = await service.run(service.calls.publish(ROOM, notice(`${term} ${i}`)));
        offsets.push(fated.offset);
        epochs.push(fated.epoch);
      }
      service = term === 0 ? await restart(service) : await takeOver(service);
    }
    expect(offsets).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const [first, second, third] = [epochs[0]!, epochs[3]!, epochs[6]!];
    expect(first < second && second < third).toBe(true);
    const snapshot = (await service.snapshot()) as unknown as RoomSnapshot;
    expect(snapshot.epochs).toEqual([
      [first, 1],
      [second, 4],
      [third, 7],
      [snapshot.epoch, 10],
    ]);
    expect(positionHolds({ epoch: second, offset: 6 }, snapshot.epochs)).toBe(true);
    expect(positionHolds({ epoch: second, offset: 7 }, snapshot.epochs)).toBe(false);
    await stopAll(service);
  });

  it('R-KEEP-2 an owner that was replaced publishes nothing more', async () => {
    const old = await startService();
    await old.run(old.calls.publish(ROOM, notice('mine')));
    const successor = await takeOver(old);
    await expect(old.run(old.calls.publish(ROOM, notice('too late')))).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(old.run(old.calls.read(ROOM))).rejects.toMatchObject({ code: 'unavailable' });
    expect(old.metric('barrage_room_shards_lost_total')).toBe(1);
    const fated = await successor.run(successor.calls.publish(ROOM, notice('next')));
    expect(fated.offset).toBe(2);
    expect(old.ear.publications().map((each) => each.text)).toEqual(['mine']);
    await stopAll(successor, old);
  });

  it('R-KEEP-3 a full store is told to the caller, nothing is sent and no offset used up', async () => {
    const service = await startService();
    await service.run(service.calls.publish(ROOM, notice('one')));
    service.store.error = new BarrageError('store_full', 'no space', { retryAfterMs: 2000 });
    const refused = service.calls.publish(ROOM, notice('two'));
    await expect(service.run(refused)).rejects.toMatchObject({
      code: 'store_full',
      retryAfterMs: 2000,
    });
    service.say({ ref: 5, role: 'host', text: 'also keepable' }, { ref: 6, text: 'droppable' });
    await service.until(() => service.verdicts.length === 2);
    expect(service.verdict(5)).toMatchObject({ verdict: 'unavailable', retryAfterMs: 2000 });
    expect(service.verdict(6)).toMatchObject({ verdict: 'published' });
    expect(service.metric('barrage_room_commit_failures_total')).toBe(2);
    service.store.error = undefined;
    const fated = await service.run(service.calls.publish(ROOM, notice('three')));
    expect(fated.offset).toBe(2);
    await service.until(() => service.ear.publications('keep').length === 2);
    expect(service.ear.publications('keep').map((each) => each.text)).toEqual(['one', 'three']);
    await stopAll(service);
  });

  it('R-KEEP-3 a commit that failed late is found again and offsets go on after it', async () => {
    const service = await startService();
    service.store.lateError = new BarrageError('store_failed', 'no answer in time');
    const key = { key: 'k', fingerprint: 'f' };
    await expect(
      service.run(service.calls.publish(ROOM, notice('maybe'), key)),
    ).rejects.toMatchObject({ code: 'store_failed' });
    const again = await service.run(service.calls.publish(ROOM, notice('maybe'), key));
    expect(again).toMatchObject({ offset: 1, repeated: true });
    await expect(service.run(service.calls.publish(ROOM, notice('next')))).rejects.toMatchObject({
      code: 'unavailable',
    });
    const fated = await service.run(service.calls.publish(ROOM, notice('after')));
    expect(fated.offset).toBe(2);
    service.store.lateError = new BarrageError('store_failed', 'no answer in time');
    const freezing = service.calls.change(ROOM, { status: 'frozen' });
    await expect(service.run(freezing)).rejects.toMatchObject({ code: 'store_failed' });
    await service.run(service.calls.publish(ROOM, notice('finds out')).catch(() => undefined));
    service.say({ ref: 1 });
    await service.until(() => service.verdict(1) !== undefined);
    expect(service.verdict(1)!.verdict).toBe('frozen');
    expect(service.ear.notes.at(-1)).toEqual({ note: 'status', status: 'frozen' });
    await stopAll(service);
  });

  it('R-KEEP-3 a store that hangs fills no memory: the rest is refused', async () => {
    const service = await startService();
    const release = service.store.hold();
    const text = 'x'.repeat(1000);
    const posts: Promise<{ verdict: string }>[] = [];
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 90; i++) {
        const post = service.calls.publish(ROOM, notice(`${round} ${i} ${text.slice(8)}`));
        posts.push(post.catch((error: BarrageError) => ({ verdict: error.code })));
      }
      const at = service.clock.now();
      await service.until(() => service.clock.now() >= at + 25);
    }
    release();
    const fates = await service.run(Promise.all(posts));
    const published = fates.filter((fated) => fated.verdict === 'published').length;
    const refused = fates.filter((fated) => fated.verdict === 'unavailable').length;
    expect(published + refused).toBe(3600);
    expect(refused).toBeGreaterThan(500);
    expect((await service.run(service.calls.stats(ROOM))).offset).toBe(published);
    await stopAll(service);
  });

  it('R-KEEP-7 the log keeps at most logCount publications, oldest dropped first', async () => {
    const defaults = { ...DEFAULT_SETTINGS, logCount: 100 };
    const service = await startService({ options: { defaults } });
    for (let i = 0; i < 130; i++) await service.run(service.calls.publish(ROOM, notice(`${i}`)));
    const stored = await service.store.inner.load(ROOM);
    expect(stored!.nextOffset).toBe(131);
    expect(stored!.nextOffset - stored!.firstOffset).toBeLessThanOrEqual(100);
    expect(stored!.nextOffset - stored!.firstOffset).toBeGreaterThanOrEqual(98);
    const page = await service.run(service.calls.history(ROOM, 1, 10));
    expect(page.oldest).toBe(stored!.firstOffset);
    expect(page.publications[0]!.offset).toBe(stored!.firstOffset);
    await stopAll(service);
  });

  it('R-KEEP-7 the log keeps at most logBytes bytes, also after a restart', async () => {
    const defaults = { ...DEFAULT_SETTINGS, logBytes: 64 << 10 };
    const text = 'x'.repeat(900);
    let service = await startService({ options: { defaults } });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 50; i++) {
        await service.run(service.calls.publish(ROOM, notice(`${round} ${i} ${text}`)));
      }
      service = await restart(service, { defaults });
    }
    const stored = await service.store.inner.load(ROOM);
    expect(stored!.logBytes).toBeLessThanOrEqual(64 << 10);
    expect(stored!.logBytes).toBeGreaterThan(56 << 10);
    await stopAll(service);
  });

  it('R-KEEP-8 sanctions, settings, status and likes survive a restart', async () => {
    const service = await startService();
    const { calls } = service;
    const later = service.clock.now() + 60_000;
    const mute = { user: user('m'), until: later, reason: 'spam' };
    const ban = { user: user('b'), until: 0 };
    await service.run(calls.impose(ROOM, 'mutes', mute));
    await service.run(calls.impose(ROOM, 'bans', ban));
    await service.run(calls.impose(ROOM, 'allowed', { user: user('a'), until: 0 }));
    await service.run(calls.changeLimits(ROOM, { textCharacters: 7 }, false));
    await service.run(calls.change(ROOM, { title: 'Hall', labels: ['x'], status: 'frozen' }));
    service.say({ ref: 1, user: { id: 'a' }, kind: 'like' });
    await service.until(() => service.verdict(1) !== undefined);
    const after = await restart(service);
    const view = await after.run(after.calls.read(ROOM));
    expect(view).toMatchObject({ title: 'Hall', labels: ['x'], status: 'frozen' });
    expect((await after.run(after.calls.sanctions(ROOM, 'mutes', '', 10))).items).toEqual([mute]);
    expect((await after.run(after.calls.limits(ROOM))).own).toEqual({ textCharacters: 7 });
    expect((await after.run(after.calls.stats(ROOM))).likes).toBe(1);
    after.say(
      { ref: 2, user: { id: 'm' }, role: 'moderator', text: 'hi' },
      { ref: 3, user: { id: 'b' }, role: 'moderator', text: 'hi' },
      { ref: 4, user: { id: 'a' }, text: 'hi' },
      { ref: 5, user: { id: 'a' }, text: 'too long' },
      { ref: 6, user: { id: 'z' }, text: 'hi' },
    );
    await after.until(() => after.verdicts.length === 5);
    const words = [2, 3, 4, 5, 6].map((ref) => after.verdict(ref)!.verdict);
    expect(words).toEqual(['muted', 'banned', 'published', 'invalid', 'frozen']);
    await stopAll(after);
  });
});
