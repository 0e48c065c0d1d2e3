/**
 * Owns the browser of the page tests: Debian's Chromium, quiet, with a profile of its own that is
 * gone afterwards (playwright makes and removes it).
 */
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { findOrInstall } from './tools.js';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
];

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await findOrInstall('chromium'), args: FLAGS });
}

export interface WatchedPage {
  readonly page: Page;
  /** Dialogs, uncaught errors and error lines of the console, as they came. */
  readonly complaints: string[];
}

/** A page in a context of its own at `url`, with everything it complains of written down. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.setDefaultTimeout(10_000);
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (line) => {
    if (line.type() === 'error') complaints.push(`console: ${line.text()}`);
  });
  await page.goto(url);
  return { page, complaints };
}
