/**
 * The SDK where viewers run it: in Node and in real Chromium, by one interface, so that a test says
 * once what must come of it. Knows no service and no fault.
 */
import type { ConnectOptions } from '../../client/index.js';
import type { Gap, Recovered } from '../../client/types.js';
import { openBrowser, openPage } from './browser.js';
import { bundleSdk } from './sdk-bundle.js';
import { SdkViewer } from './sdk-viewer.js';

export type PlaceName = 'Node' | 'Chromium';

/** What a viewer was told so far. */
export interface Told {
  readonly texts: readonly string[];
  readonly gaps: readonly Gap[];
  readonly recovered: readonly Recovered[];
  /** Names of states, in order. */
  readonly states: readonly string[];
  readonly isOnCdn: boolean;
}

export interface PlacedViewer {
  told(): Promise<Told>;
  close(): Promise<void>;
}

export interface Place {
  /** Resolves when the viewer has joined. `options` as JSON can carry them. */
  watch(options: ConnectOptions): Promise<PlacedViewer>;
  close(): Promise<void>;
}

const WAIT_MS = 20_000;
const LOOK_MS = 50;

/** Resolves with what a viewer was told once it is as wished; rejects with it when that takes too long. */
export async function untilTold(
  viewer: PlacedViewer,
  holds: (told: Told) => boolean,
): Promise<Told> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const told = await viewer.told();
    if (holds(told)) return told;
    if (performance.now() > end) throw new Error(JSON.stringify(told));
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** `page`: any address that answers, for the browser's page to be of. */
export function openPlace(name: PlaceName, page: string): Promise<Place> {
  return name === 'Node' ? Promise.resolve(new NodePlace()) : openChromium(page);
}

class NodePlace implements Place {
  async watch(options: ConnectOptions): Promise<PlacedViewer> {
    const viewer = await new SdkViewer(options).live();
    return {
      told: () =>
        Promise.resolve({
          texts: viewer.texts,
          gaps: viewer.gaps,
          recovered: viewer.recovered,
          states: viewer.states.map(({ name }) => name),
          isOnCdn: viewer.stream.state.cdn === true,
        }),
      close: () => Promise.resolve(viewer.close()),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function openChromium(url: string): Promise<Place> {
  const sdk = await bundleSdk();
  const browser = await openBrowser();
  return {
    watch: async (options) => {
      const { page } = await openPage(browser, url);
      await page.evaluate(`${sdk};
        window.seen = { texts: [], gaps: [], recovered: [], states: [] };
        window.stream = barrage.connect(${JSON.stringify({ smoothMs: 0, ...options })});
        stream.on('publication', ({ text }) => seen.texts.push(text ?? ''));
        stream.on('gap', (gap) => seen.gaps.push(gap));
        stream.on('recovered', (recovered) => seen.recovered.push(recovered));
        stream.on('state', ({ name }) => seen.states.push(name));`);
      await page.waitForFunction('["live", "polling"].includes(stream.state.name)');
      return {
        told: () => page.evaluate('({ ...seen, isOnCdn: stream.state.cdn === true })'),
        close: () => page.context().close(),
      };
    },
    close: () => browser.close(),
  };
}
