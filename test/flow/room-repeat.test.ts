/** Repeated calls: one publication however often it is asked for. */
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import { IDEMPOTENCY_KEEP_MS } from '../../src/limits.js';
import { ROOM, restart, startService, stopAll, takeOver } from '../kit/room-service.js';

const notice = { kind: 'notice', text: 'once' };
const key = { key: 'key-1', fingerprint: 'body-1' };

describe('repeated calls', () => {
  it('R-KEEP-5 a repeat gets the first answer and publishes nothing', async () => {
    const service = await startService();
    const first = await service.run(service.calls.publish(ROOM, notice, key));
    const second = await service.run(service.calls.publish(ROOM, notice, key));
    expect(first.repeated).toBeUndefined();
    expect(second).toEqual({ ...first, repeated: true });
    await service.until(() => service.ear.publications().length === 1);
    expect((await service.run(service.calls.stats(ROOM))).offset).toBe(1);
    await stopAll(service);
  });

  it('R-KEEP-5 repeats that overlap the first attempt wait for its answer', async () => {
    const service = await startService();
    const release = service.store.hold();
    const both = [1, 2, 3].map(() => service.calls.publish(ROOM, notice, key));
    await service.until(() => service.store.commits.some((commit) => commit.append));
    release();
    const fates = await service.run(Promise.all(both));
    expect(new Set(fates.map((fated) => fated.id)).size).toBe(1);
    expect(fates.filter((fated) => fated.repeated)).toHaveLength(2);
    expect((await service.run(service.calls.stats(ROOM))).offset).toBe(1);
    await stopAll(service);
  });

  it('R-KEEP-5 the key is committed with the publication and known after a restart', async () => {
    const service = await startService();
    const first = await service.run(service.calls.publish(ROOM, notice, key));
    const commit = service.store.commits.find((each) => each.append !== undefined);
    expect(commit?.keys?.map((each) => each.key)).toEqual(['key-1']);
    for (const next of [await takeOver(service), await restart(service)]) {
      const again = await next.run(next.calls.publish(ROOM, notice, key));
      expect(again).toEqual({ ...first, repeated: true });
      await expect(
        next.run(next.calls.publish(ROOM, notice, { ...key, fingerprint: 'other' })),
      ).rejects.toMatchObject({ code: 'idempotency_mismatch' });
      await stopAll(next);
    }
  });

  it('R-KEEP-5 the same key with another body is refused', async () => {
    const service = await startService();
    await service.run(service.calls.publish(ROOM, notice, key));
    await expect(
      service.run(service.calls.publish(ROOM, notice, { ...key, fingerprint: 'body-2' })),
    ).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    await stopAll(service);
  });

  it('R-KEEP-5 a failed first attempt is not remembered', async () => {
    const service = await startService();
    service.store.error = new BarrageError('store_failed', 'broken');
    await expect(service.run(service.calls.publish(ROOM, notice, key))).rejects.toMatchObject({
      code: 'store_failed',
    });
    service.store.error = undefined;
    const fated = await service.run(service.calls.publish(ROOM, notice, key));
    expect(fated).toMatchObject({ verdict: 'published', offset: 1 });
    expect(fated.repeated).toBeUndefined();
    await stopAll(service);
  });

  it('R-KEEP-5 a droppable answer is remembered in memory, for ten minutes', async () => {
    const service = await startService();
    const chat = { kind: 'chat', text: 'hi' };
    const first = await service.run(service.calls.publish(ROOM, chat, key));
    expect(first).toMatchObject({ verdict: 'published', lane: 'normal', class: 'drop' });
    const second = await service.run(service.calls.publish(ROOM, chat, key));
    expect(second).toEqual({ ...first, repeated: true });
    service.clock.advance(IDEMPOTENCY_KEEP_MS);
    const third = await service.run(service.calls.publish(ROOM, chat, key));
    expect(third.repeated).toBeUndefined();
    expect(third.id).not.toBe(first.id);
    await stopAll(service);
  });
});
