/** Pages in a real browser, with everything they ask for and everything they complain about. */
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

/** The machine's own Chromium (test/support/tools.ts finds it), quiet and without a sandbox. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROME_PATH"],
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Pages of the browser's own, made again for each window: half of what one of ours costs.
      // This stands in the place of Playwright's list, which the pages do not need.
      "--disable-features=AimEnabled,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    ],
    // Playwright switches off the cache that Back uses; its visitors have it.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
}

export interface OpenPage {
  readonly page: Page;
  /** The address of every request and WebSocket. */
  readonly addresses: string[];
  /** What the console shows as an error, uncaught exceptions, what the CSP has forbidden. */
  readonly problems: string[];
}

/** A page of its own, ended with the test. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const addresses: string[] = [];
  const problems: string[] = [];
  page.on("request", (request) => addresses.push(request.url()));
  page.on("websocket", (socket) => addresses.push(socket.url()));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") problems.push(line.text());
  });
  await page.goto(url);
  return { page, addresses, problems };
}
