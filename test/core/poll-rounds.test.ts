/** A crowd of pollers on a core that cannot answer all of them for each publication. */
import { expect, it } from 'vitest';
import { Aims } from '../../edge/core/aim.js';
import { Fanout } from '../../edge/fanout.js';
import { edgeMeters } from '../../edge/meters.js';
import { Mirror } from '../../edge/mirror.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { PollDesk } from '../../edge/poll-desk.js';
import type { PresenceBook } from '../../edge/presence.js';
import { guest } from '../../edge/identity.js';
import type { RoomId } from '../../src/ids.js';
import { DEFAULT_SETTINGS, edgeRules } from '../../src/room-settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import { ADMIT_ALL, decodeEnvelope, encodeFrame } from '../../src/wire/envelope.js';
import { encodePublication } from '../../src/wire/publication.js';
import { BusyCore } from '../kit/busy-core.js';

const ROOM = 'lobby' as RoomId;
const POLLERS = 1500;
const TICK_MS = 50;
const ANSWER_MS = 0.1;
const REQUEST_MS = 0.1;

function deskOn(core: BusyCore) {
  const snapshot = {
    ...{ room: ROOM, status: 'open', epoch: 1, offset: 0, tick: 0, online: 0 },
    ...{ epochs: [{ epoch: 1, from: 1 }], banned: [], recent: [] },
    rules: edgeRules(DEFAULT_SETTINGS),
  } as unknown as ConstructorParameters<typeof Mirror>[0];
  const mirror = new Mirror(snapshot, { count: 1000, bytes: 1 << 20 }, new Aims());
  const tuning = () => EDGE_DEFAULTS;
  const fanout = new Fanout({
    ...{ clock: core, tuning, meters: edgeMeters(new Meter()), cpuMs: () => core.cpuMs },
    fault: (_: string, error: unknown) => {
      throw error;
    },
  });
  const presence = { enter: () => undefined, leave: () => undefined };
  const prepare = () => Promise.reject(new Error('nobody is that far behind'));
  const desk = new PollDesk(
    { room: ROOM, mirror, prepare },
    { clock: core, fanout, tuning, presence: presence as unknown as PresenceBook },
  );
  return { desk, mirror };
}

/** Polls again whenever it was answered; tells what it got and how old it was. */
function startPoller(core: BusyCore, desk: PollDesk, from: string) {
  const got: number[] = [];
  const ages: number[] = [];
  const ask = (cursor: string) => {
    core.work(REQUEST_MS);
    desk.poll(cursor, 20_000, (answer) => {
      core.work(ANSWER_MS);
      const { publications, cursor: next } = JSON.parse(answer.toString());
      for (const { text, at } of publications) {
        got.push(Number(text));
        ages.push(core.now() - at);
      }
      core.after(1, () => ask(next));
    });
  };
  ask(from);
  return { got, ages };
}

it('E-POLL-6 a crowd that comes back slower than publications is given them joined, and keeps up', async () => {
  const core = new BusyCore();
  const { desk, mirror } = deskOn(core);
  desk.see('somebody', guest('somebody'));
  const pollers = Array.from({ length: POLLERS }, () =>
    startPoller(core, desk, mirror.openHead.cursor),
  );
  const began = core.now();
  const spentBefore = core.cpuMs;
  let said = 0;
  for (let end = core.now() + 10_000; core.now() < end;) {
    const at = core.now();
    const json = encodePublication({
      ...{ id: `p${++said}`, kind: 'danmaku', lane: 'normal', at, text: String(said) },
    });
    const head = { room: ROOM, class: 'drop', epoch: 1, tick: said, offset: 0, online: 0, shed: 0 };
    const frame = decodeEnvelope(
      encodeFrame({ ...head, admission: ADMIT_ALL } as Parameters<typeof encodeFrame>[0], [json]),
    );
    if (frame.kind === 'frame') mirror.take(frame);
    desk.moved(false);
    await core.pass(TICK_MS);
  }
  const busy = (core.cpuMs - spentBefore) / (core.now() - began);
  await core.pass(3000);
  expect(said).toBeGreaterThan(100);
  for (const { got } of pollers) expect(got).toEqual(Array.from({ length: said }, (_, i) => i + 1));
  expect(Math.max(...pollers.map(({ ages }) => Math.max(...ages)))).toBeLessThan(2000);
  expect(busy).toBeLessThan(0.85);
});
