/** Where the native socket library has no binary: the edge serves viewers over the other one. */
import { afterEach, expect, it } from 'vitest';
import { startEdge, type RunningEdge } from '../../edge/main.js';
import { chooseSockets, listenBy } from '../../edge/listen.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { loadLibrary } from '../../edge/socket-uws.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { EdgeId } from '../../src/ids.js';
import { silentLog, type Log, type LogFields } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { TOKENS, tokenFor, until } from '../kit/edge.js';
import { EventViewer } from '../kit/http-viewer.js';
import { ScriptedOwner } from '../kit/scripted-room.js';
import { Viewer } from '../kit/viewer.js';

let edge: RunningEdge | undefined;
afterEach(() => edge?.stop());

const failing = () => loadLibrary(() => Promise.reject(new Error('no binary')));

function listeningLog(): { log: Log; warnings: [string, LogFields | undefined][] } {
  const warnings: [string, LogFields | undefined][] = [];
  return { log: { ...silentLog, warn: (text, fields) => warnings.push([text, fields]) }, warnings };
}

it('E-SOCK-1 without a binary real viewers are served over ws, and one line says what it costs', async () => {
  const { log, warnings } = listeningLog();
  const bus = new MemoryBus();
  const lobby = new ScriptedOwner(bus).room('lobby');
  edge = await startEdge(
    { ...EDGE_DEFAULTS, id: 'edge-1' as EdgeId, host: '127.0.0.1', port: 0 },
    {
      ...{ bus, log: silentLog, tokens: () => TOKENS, meter: new Meter() },
      ...{ clock: new SystemClock(), random: seededRandom(7) },
      listen: listenBy('auto', log, failing),
    },
  );
  expect(warnings).toHaveLength(1);
  expect(warnings[0]![0]).toMatch(/using ws.*CPU.*uWebSockets\.js needs/);
  expect(warnings[0]![1]).toMatchObject({ why: expect.stringContaining('does not run here') });
  const viewers = await Promise.all(
    (['json', 'deflate'] as const).map((encoding, i) =>
      Viewer.connect(edge!.port, { encoding, room: 'lobby', token: tokenFor(`u${i}`) }),
    ),
  );
  const events = await EventViewer.connect(edge.port, '/v1/rooms/lobby/events');
  await Promise.all(viewers.map((viewer) => viewer.line('joined')));
  await until(() => events.events.some(({ event }) => event === 'joined'), 'joined');
  lobby.keep(['to all']);
  const isThere = (publications: readonly { text?: string }[]) =>
    publications.some(({ text }) => text === 'to all');
  await Promise.all(viewers.map((each) => each.until(() => isThere(each.publications))));
  await until(
    () => events.events.some(({ event, data }) => event === 'frame' && isThere(data.publications)),
    'the event',
  );
  viewers[0]!.say({ type: 'ping' });
  await viewers[0]!.line('pong');
  await Promise.all(viewers.map((each) => each.close()));
});

it('E-SOCK-2 what is asked for by name is used or refused; other errors are never hidden', async () => {
  const { log, warnings } = listeningLog();
  expect(await chooseSockets('ws', log, failing)).toBe('ws');
  expect(await chooseSockets('auto', log)).toBe('uws');
  expect(await chooseSockets('uws', log)).toBe('uws');
  await expect(chooseSockets('uws', log, failing)).rejects.toMatchObject({ code: 'platform' });
  const broken = () => Promise.reject(new Error('broken'));
  await expect(chooseSockets('auto', log, broken)).rejects.toThrow('broken');
  expect(warnings).toEqual([]);
});
