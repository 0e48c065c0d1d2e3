/** Where the viewers of a draining edge are sent: what was heard of others, as a table and for real. */
import { WebSocket } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import { Elsewhere } from '../../edge/elsewhere.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { EdgeId } from '../../src/ids.js';
import { seededRandom } from '../../src/random.js';
import { edgesSubject } from '../../src/subjects.js';
import { encodeReport, type EdgeReport } from '../../src/wire/edge-report.js';
import { tokenFor, until } from '../kit/edge.js';
import { reportOf } from '../kit/edge-reports.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startTwoEdges, type TwoEdges } from '../kit/two-edges.js';

async function named(reports: readonly EdgeReport[], region = 'eu'): Promise<string[][]> {
  const bus = new MemoryBus();
  const own = () => ({ url: 'http://me.example:8080', region });
  const elsewhere = new Elsewhere({
    ...{ edge: 'me' as EdgeId, bus, own, clock: new SystemClock(), random: seededRandom(3) },
  });
  const listening = elsewhere.listen(20);
  for (const report of reports) bus.publish(edgesSubject(), encodeReport(report));
  bus.publish(edgesSubject(), Buffer.from('no report'));
  await listening;
  const lists = Array.from({ length: 50 }, () => [...elsewhere.name()]);
  elsewhere.stop();
  return lists;
}

const address = (edge: string) => `http://${edge}.example:8080`;

describe('the edges a goodbye names', () => {
  it('E-END-3 are others that take viewers, of the own region where there are such', async () => {
    const lists = await named([
      reportOf('near', { region: 'eu' }),
      reportOf('full', { region: 'eu', viewers: 1000 }),
      reportOf('ending', { region: 'eu', draining: true }),
      reportOf('far', { region: 'us' }),
      reportOf('me', { region: 'eu' }),
      // Another process of the same edge.
      reportOf('me-2', { region: 'eu', url: address('me') }),
    ]);
    expect(lists.every((list) => list.join() === address('near'))).toBe(true);
    const abroad = await named([reportOf('far', { region: 'us' })]);
    expect(abroad[0]).toEqual([address('far')]);
    expect((await named([]))[0]).toEqual([]);
  });

  it('E-END-3 are three at most, each of them first for its share of the viewers', async () => {
    const lists = await named(['a', 'b', 'c', 'd', 'e'].map((edge) => reportOf(edge)));
    expect(lists.every((list) => list.length === 3 && new Set(list).size === 3)).toBe(true);
    expect(new Set(lists.map(([first]) => first)).size).toBe(5);
  });
});

describe('viewers of a draining edge', () => {
  let kit: TwoEdges | undefined;
  afterEach(() => kit?.stop());

  it('E-END-3 that know no other edge come back at the one they are told of', async () => {
    kit = await startTwoEdges({ edges: [{ reconnectJitterMs: 100 }, {}] });
    const [ending, other] = kit.edges;
    const viewers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        new SdkViewer({
          ...{ url: `http://127.0.0.1:${ending!.edge.port}`, room: 'lobby', WebSocket },
          token: tokenFor(`user-${i}`),
        }).live(),
      ),
    );
    const draining = ending!.edge.drain(1000);
    await draining;
    await ending!.edge.stop();
    const connections = () =>
      [...other!.meter.metrics].find(({ name }) => name === 'barrage_edge_connections')!.read()[0]!
        .value;
    await until(() => connections() === viewers.length, 'all to be elsewhere');
    for (const viewer of viewers) viewer.close();
  });
});
