/** The pure part of the viewer page: rows without overlap. */
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';

// The page's modules are plain JavaScript for browsers and carry no types.
let Lanes: any;

beforeAll(async () => {
  const load = (name: string) => import(new URL(`../../web/${name}`, import.meta.url).href);
  ({ Lanes } = await load('lanes.js'));
});

interface Flight {
  readonly row: number;
  readonly span: number;
  readonly at: number;
  readonly width: number;
}

const STAGE = 800;
const CROSS_MS = 9000;

/** Left and right edge of a flight at a time, or undefined when it is not on its way. */
function edges({ at, width }: Flight, now: number): [number, number] | undefined {
  const share = (now - at) / CROSS_MS;
  if (share < 0 || share > 1) return undefined;
  const left = STAGE - share * (STAGE + width);
  return [left, left + width];
}

function overlap(a: Flight, b: Flight): boolean {
  if (a.row + a.span <= b.row || b.row + b.span <= a.row) return false;
  for (const now of [a.at, b.at, a.at + CROSS_MS, b.at + CROSS_MS]) {
    const [one, other] = [edges(a, now), edges(b, now)];
    if (one === undefined || other === undefined) continue;
    const slack = 0.001;
    if (one[0] < other[1] - slack && other[0] < one[1] - slack) return true;
  }
  return false;
}

it('E-OUT-1 flying danmaku of any width and size never overlap on the page', () => {
  const arrival = fc.record({
    wait: fc.integer({ min: 0, max: 1500 }),
    width: fc.integer({ min: 5, max: 1200 }),
    span: fc.integer({ min: 1, max: 3 }),
  });
  const property = fc.property(fc.array(arrival, { maxLength: 60 }), (arrivals) => {
    const lanes = new Lanes();
    lanes.resize(6);
    let now = 1000;
    const flights: Flight[] = [];
    for (const { wait, width, span } of arrivals) {
      now += wait;
      const row = lanes.takeScroll({ now, width, span, stage: STAGE, crossMs: CROSS_MS });
      if (row !== undefined) flights.push({ row, span, at: now, width });
    }
    for (const a of flights) {
      expect(a.row + a.span).toBeLessThanOrEqual(6);
      expect(flights.some((b) => a !== b && overlap(a, b))).toBe(false);
    }
    return arrivals.length === 0 || flights.length > 0;
  });
  fc.assert(property, { numRuns: 200 });
});

it('E-OUT-1 standing danmaku fill rows from their side and free them in time', () => {
  const lanes = new Lanes();
  lanes.resize(3);
  const stand = (now: number, fromBottom: boolean) =>
    lanes.takeFixed({ now, span: 1, standMs: 100, fromBottom });
  expect([stand(0, false), stand(0, true), stand(0, false), stand(0, false)]).toEqual([
    0,
    2,
    1,
    undefined,
  ]);
  expect(stand(100, true)).toBe(2);
});
