/** The settings of dispatch and of what edges report: what is taken, what is refused and where. */
import { expect, it } from 'vitest';
import { DISPATCH_DEFAULTS } from '../../src/dispatch-settings.js';
import { openConfig } from '../../src/config/manager.js';
import { BarrageError } from '../../src/errors.js';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function read(text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'barrage-config-'));
  try {
    writeFileSync(join(folder, 'barrage.yaml'), text);
    return openConfig({ file: join(folder, 'barrage.yaml'), env: {}, flags: [] }).current;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('C-1 dispatch and reports have the defaults of the code', () => {
  const { dispatch, edge } = read('{}');
  expect(dispatch).toEqual(DISPATCH_DEFAULTS);
  const { advertise, region, capacity, reportMs } = EDGE_DEFAULTS;
  expect(edge).toMatchObject({ advertise, region, capacity, reportMs });
});

it('C-1 regions, their ranges and their neighbours are read', () => {
  const { dispatch, edge } = read(`
edge: { advertise: "https://e.example:8443", region: eu-1, capacity: 500, report: 5ms }
dispatch:
  defaultRegion: eu-1
  regionHeader: cf-ipcountry
  headerRegions: [{ value: DE, region: eu-1 }]
  regions: [{ range: 10.0.0.0/8, region: eu-1 }, { range: "2001:db8::/32", region: us }]
  near: [{ region: eu-1, then: [us, asia] }]
`);
  expect(edge).toMatchObject({
    ...{ advertise: 'https://e.example:8443', region: 'eu-1', capacity: 500, reportMs: 5 },
  });
  expect(dispatch.near).toEqual([{ region: 'eu-1', then: ['us', 'asia'] }]);
  expect(dispatch.regions[1]).toEqual({ range: '2001:db8::/32', region: 'us' });
});

it.each([
  ['edge: { report: 1ms }', 'edge.report'],
  ['edge: { advertise: "https://e.example/path" }', 'edge.advertise'],
  ['edge: { advertise: "http://e:99999999" }', 'edge.advertise'],
  ['edge: { region: "a b" }', 'edge.region'],
  ['edge: { capacity: -1 }', 'edge.capacity'],
  ['dispatch: { regions: [{ range: 10.0.0.0/33, region: eu }] }', 'dispatch.regions.0.range'],
  ['dispatch: { regions: [{ range: example.com, region: eu }] }', 'dispatch.regions.0.range'],
  ['dispatch: { near: [{ region: a, then: ["b c"] }] }', 'dispatch.near.0.then'],
  ['dispatch: { near: [{ region: a, then: [] }, { region: a, then: [] }] }', 'dispatch.near.1'],
  ['dispatch: { regionHeader: "X Y" }', 'dispatch.regionHeader'],
  ['dispatch: { fullMark: 2 }', 'dispatch.fullMark'],
  ['dispatch: { roomViewersPerEdge: 0 }', 'dispatch.roomViewersPerEdge'],
  ['dispatch: { publik: true }', 'dispatch.publik'],
])('C-2 %s is refused at its key', (text, path) => {
  let told = '';
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(BarrageError);
    told = (error as Error).message;
  }
  expect(told).toContain(path);
});
