/** The client in a real browser: offline, in the background, and under load. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Router } from "../../server/app.ts";
import { type LocalServer, type LocalServerOptions, startedLocal } from "../support/server.ts";
import { bundle } from "./bundle.ts";
import { startedFaultProxy } from "../support/fault-proxy.ts";
import { goOffline } from "./go-offline.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { POLL, setVisibility } from "./page-checks.ts";
import type { ReadingPage } from "./reading-page/main.ts";
import { processorTimes } from "./trace.ts";

const HTML = `<!doctype html><title>Reading</title><link rel="icon" href="data:," /><body><script type="module" src="main.js"></script>`;
const BACK_MS = 1_000; // the spread of those who come back, 500 ms, and twice the least, 250 ms
const LONG_TASK_MS = 50; // W3C, Long Tasks API
const FRAME_MS = 1_000 / 60;
const SILENT_MS = 30_000; // it asks after 10 to 20 s of silence, and waits 10 s for the answer

let browser: Browser;
let code: string;

beforeAll(async () => {
  [browser, { code }] = await Promise.all([
    launchBrowser(),
    bundle("test/static/reading-page/main.ts"),
  ]);
});

afterAll(() => browser?.close());

/** A server that has the page too. */
function startServer(options: LocalServerOptions = {}): Promise<LocalServer> {
  const routes = (router: Router) => {
    router.get("/reading/", (c) => c.html(HTML));
    router.get("/reading/main.js", (c) => c.body(code, 200, { "Content-Type": "text/javascript" }));
  };
  return startedLocal({ ...options, topics: ["load"], app: { routes } });
}

/** The page, at work over the way that it likes best. */
async function openReading(url: string, clock: "real" | "manual"): Promise<Page> {
  const { page, problems } = await openPage(browser, "about:blank");
  if (clock === "manual") await page.clock.install();
  await page.goto(`${url}/reading/`);
  await reaches(page, "connected");
  expect(await status(page)).toMatchObject({ transport: "rpc-tail" });
  expect(problems).toEqual([]);
  return page;
}

/** With ten events, and a clock that moves only when the test says so. */
async function startReading() {
  const server = await startServer();
  const proxy = await startedFaultProxy(Number(new URL(server.url).port));
  const page = await openReading(proxy.url, "manual");
  await publish(server, 10);
  await expect.poll(() => offsets(page), POLL).toEqual(upTo(10));
  await page.clock.pauseAt(Date.now() + 5_000);
  return { server, proxy, page };
}

async function publish({ hub }: LocalServer, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) await hub.publish("load", number);
}

const seen = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { page: ReadingPage }).page);
const offsets = (page: Page) => seen(page).then((all) => all.offsets);
const status = (page: Page) => seen(page).then(({ statuses }) => statuses.at(-1));
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

const reaches = (page: Page, state: string) =>
  expect.poll(() => status(page), POLL).toMatchObject({ state });

/** Lets the page's time pass until it waits, for longer than it will once it is woken. */
async function losesPatience(page: Page): Promise<void> {
  const waitsMs = async () => {
    await page.clock.runFor(1_000);
    return (await status(page))?.retryInMs ?? 0;
  };
  await expect.poll(waitsMs, POLL).toBeGreaterThan(10 * BACK_MS);
}

/** Resolves when it has so many events, each once and in order. */
async function hasAll(page: Page, last: number): Promise<void> {
  await reaches(page, "connected");
  await expect.poll(() => offsets(page).then(({ length }) => length), POLL).toBe(last);
  const { offsets: all, gaps } = await seen(page);
  expect(all).toEqual(upTo(last));
  expect(gaps).toEqual([]);
}

describe("a page whose network goes away", () => {
  it("is back at once when the browser is online again, and has everything", async () => {
    const { server, proxy, page } = await startReading();
    proxy.cut(); // before it is offline: what comes then may be held back
    await reaches(page, "reconnecting");
    const { goOnline } = await goOffline(page);
    await publish(server, 10);
    await losesPatience(page);
    expect(await offsets(page)).toEqual(upTo(10));
    await goOnline();
    await page.clock.runFor(BACK_MS);
    await hasAll(page, 20);
  });

  it("notices it in bounded time when nobody says so, and takes nothing twice afterwards", async () => {
    const { server, page } = await startReading();
    const { goOnline } = await goOffline(page);
    await publish(server, 10);
    await page.clock.runFor(SILENT_MS);
    await reaches(page, "reconnecting");
    await losesPatience(page);
    await goOnline(); // what the old socket held back arrives now
    await page.clock.runFor(BACK_MS);
    await hasAll(page, 20);
    await publish(server, 10);
    await hasAll(page, 30);
  });
});

describe("a page in the background", () => {
  it("is back at once when it is seen again, and has everything", async () => {
    const { server, proxy, page } = await startReading();
    await setVisibility(page, "hidden");
    proxy.cut(); // and its time stands still, as a browser does to tabs that nobody sees
    await reaches(page, "reconnecting");
    await publish(server, 10);
    expect(await offsets(page)).toEqual(upTo(10));
    await setVisibility(page, "visible");
    await page.clock.runFor(BACK_MS);
    await hasAll(page, 20);
  });
});

describe("a page that gets 1,000 events a second", () => {
  it("has them all, in tasks that are never long and fit into a frame", async () => {
    const server = await startServer({ store: { historyEvents: 100_000 } });
    const page = await openReading(server.url, "real");
    const trace = await processorTimes(browser, page);
    const begin = performance.now();
    const elapsedMs = () => performance.now() - begin;
    let published = 0;
    while (elapsedMs() < 10_000) {
      const due = Math.floor(elapsedMs()) - published;
      await publish(server, due);
      published += due;
      await sleep(1);
    }
    await hasAll(page, published);
    const times = await trace();
    expect(times.length).toBeGreaterThan((await seen(page)).frames);
    expect(Math.max(...times)).toBeLessThan(LONG_TASK_MS);
    const tooLongForFrame = times.filter((ms) => ms > FRAME_MS);
    expect(tooLongForFrame.length).toBeLessThan(times.length / 1_000);
  });
});
