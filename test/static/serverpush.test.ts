/** The metrics page as its users have it: the built program, a real browser, real outages. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batch } from "../support/rpc.ts";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { startedFaultProxy } from "../support/fault-proxy.ts";
import { goOffline } from "./go-offline.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { DESKTOP, fits, PHONE, POLL, tabTo, violations } from "./page-checks.ts";

const SIMULATED = ["--metrics", "simulated", "--metrics-interval", "100"];

let browser: Browser;
let server: ServerProcess;
let address: string;

beforeAll(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startProcess(SIMULATED)]);
  address = pageOf(server);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

const pageOf = ({ url }: { url: string }) => `${url}/static/serverpush/`;

/** Everything that moves, in one object that two looks can be compared by. */
function look(page: Page) {
  return page.evaluate(() => ({
    numbers: [...document.querySelectorAll(".number")].map((number) => number.textContent),
    bars: [...document.querySelectorAll("progress")].map((bar) => bar.position),
    chart: document.querySelector("canvas")?.toDataURL(),
    rows: document.querySelector("tbody")?.textContent,
    updated: document.querySelector("#updated")?.textContent,
  }));
}

/** What the bars stand at, written as the numbers beside them are. */
const barValues = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("progress")].map((bar) => bar.value.toFixed(1)),
  );

/** Resolves when every part of it looks different from before. */
async function moves(page: Page): Promise<void> {
  const before = await look(page);
  const differs = (part: keyof typeof before) =>
    expect.poll(async () => (await look(page))[part], POLL).not.toEqual(before[part]);
  for (const part of ["numbers", "bars", "chart", "rows", "updated"] as const) await differs(part);
}

/** Resolves when another client has seen so many more updates, and the page had time to draw. */
async function updatesPass(page: Page, count: number, url = server.url): Promise<void> {
  let { cursor } = await batch(url).read("system-metrics", { after: "latest" });
  for (let seen = 0; seen < count;) {
    const { subscriptionId } = await batch(url).subscribe("system-metrics", { after: cursor });
    const news = await batch(url).poll(subscriptionId, { waitMs: 10_000 });
    seen += news.events.length;
    cursor = news.cursor;
    await batch(url).unsubscribe(subscriptionId);
  }
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
}

/** The id, when the page says that it is subscribed; not that of `previous`. */
async function subscribed(page: Page, previous?: string): Promise<string> {
  const read = async () =>
    /^Subscribed \(ID: (system_metrics_\S+)\)$/.exec(
      await page.locator("#subscription").innerText(),
    )?.[1];
  await expect
    .poll(async () => (await read()) !== undefined && (await read()) !== previous, POLL)
    .toBe(true);
  return (await read())!;
}

const connectionState = (page: Page) => page.locator("#connection-state").innerText();

const reaches = (page: Page, state: string) =>
  expect.poll(() => connectionState(page), POLL).toBe(state);

/** Which of the three buttons can be pressed. */
async function enabled(page: Page): Promise<string[]> {
  return page.getByRole("button", { disabled: false }).allInnerTexts();
}

const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();

/** What a poll of this subscription is answered: "alive", or the code of the error. */
async function fateOf(subscriptionId: string): Promise<unknown> {
  return batch(server.url)
    .pollMetricsUpdates(subscriptionId)
    .then(
      () => "alive",
      (error: unknown) => (error as { code?: unknown }).code,
    );
}

describe("the metrics page", () => {
  it("connects and subscribes by itself, and everything on it moves", async () => {
    const { page, problems } = await openPage(browser, address);
    expect(await page.title()).toBe("System Metrics");
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("System Metrics");
    await reaches(page, "Connected");
    await subscribed(page);
    await moves(page);
    for (const name of ["CPU Usage", "Memory Usage", "Network I/O"]) {
      const bar = page.getByRole("progressbar", { name, exact: true });
      expect(
        await bar.evaluate((element: HTMLProgressElement) => element.position),
      ).toBeGreaterThan(0);
    }
    expect(await page.locator(".updated").innerText()).toMatch(/^Last Updated \d\d:\d\d:\d\d$/);
    expect(problems).toEqual([]);
  });

  it("shows the history at once", async () => {
    await updatesPass(await openPage(browser, address).then(({ page }) => page), 12);
    const { page } = await openPage(browser, "about:blank");
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        const rows = document.querySelectorAll("tbody tr").length;
        if (rows === 0) return;
        observer.disconnect();
        document.documentElement.dataset["rowsAtFirst"] = String(rows);
      }).observe(document, { childList: true, subtree: true });
    });
    await page.goto(address);
    await expect
      .poll(() => page.locator("html").getAttribute("data-rows-at-first"), POLL)
      .toBe("12");
  });

  it("stands still after Unsubscribe, and goes on after Subscribe", async () => {
    const { page } = await openPage(browser, address);
    const first = await subscribed(page);
    await moves(page);
    expect(await enabled(page)).toEqual(["Unsubscribe"]);
    await press(page, "Unsubscribe");
    expect(await page.locator("#subscription").innerText()).toBe("Not subscribed");
    expect(await enabled(page)).toEqual(["Subscribe to System Metrics"]);
    await updatesPass(page, 1);
    const frozen = await look(page);
    await updatesPass(page, 10);
    expect(await look(page)).toEqual(frozen);
    expect(await barValues(page)).toEqual(frozen.numbers);
    expect(await fateOf(first)).toBe("subscription_not_found");

    await press(page, "Subscribe to System Metrics");
    await subscribed(page, first);
    expect(await enabled(page)).toEqual(["Unsubscribe"]);
    await moves(page);
  });

  it("says how many updates it has missed", async () => {
    const small = await startedProcess([...SIMULATED, "--history", "5"]);
    const { page } = await openPage(browser, pageOf(small));
    await subscribed(page);
    await moves(page);
    expect(await page.locator("#notice").innerText()).toBe("");
    await press(page, "Unsubscribe");
    await updatesPass(page, 20, small.url);
    await press(page, "Subscribe to System Metrics");
    await expect
      .poll(() => page.locator("#notice").innerText(), POLL)
      .toMatch(/^\d+ updates missed$/);
  });

  it("loads nothing from anywhere else", async () => {
    const { page, addresses } = await openPage(browser, address);
    await subscribed(page);
    await moves(page);
    const hosts = new Set(addresses.map((each) => new URL(each).host));
    expect([...hosts]).toEqual([new URL(server.url).host]);
    expect(addresses).toContain(`${server.url.replace("http", "ws")}/api`);
  });
});

describe("an outage", () => {
  it("of the connection is survived with the same subscription and without a hole", async () => {
    const proxy = await startedFaultProxy(server.port);
    const { page } = await openPage(browser, pageOf(proxy));
    const id = await subscribed(page);
    await moves(page);
    proxy.cut();
    await reaches(page, "Reconnecting");
    await reaches(page, "Connected");
    await moves(page);
    expect(await subscribed(page)).toBe(id);
    expect(await page.locator("#notice").innerText()).toBe("");
  });

  it("of the server is survived with a new subscription", async () => {
    const first = await startedProcess(SIMULATED);
    const { page } = await openPage(browser, pageOf(first));
    const id = await subscribed(page);
    await moves(page);
    await first.kill("SIGKILL");
    await reaches(page, "Reconnecting");
    await expect.poll(() => enabled(page), POLL).toEqual(["Connect", "Unsubscribe"]);
    await expect
      .poll(() => page.locator("#connection-retry").innerText(), POLL)
      .toMatch(/^\(next attempt in \d+ s\)$/);

    await startedProcess([...SIMULATED, "--port", String(first.port)]);
    await reaches(page, "Connected");
    await subscribed(page, id);
    await moves(page);
    expect(await page.locator("#notice").innerText()).toBe("Some updates missed");
    expect(await enabled(page)).toEqual(["Unsubscribe"]);
  });

  it("that is announced is told in the server's own words", async () => {
    const first = await startedProcess(SIMULATED);
    const { page } = await openPage(browser, pageOf(first));
    await subscribed(page);
    const told: string[] = [];
    await page.exposeFunction("tell", (text: string) => told.push(text));
    await page.evaluate(() => {
      const line = document.querySelector("#connection-message")!;
      const tell = (globalThis as unknown as { tell: (text: string) => void }).tell;
      new MutationObserver(() => tell(line.textContent)).observe(line, { childList: true });
    });
    await first.kill("SIGTERM");
    await expect.poll(() => told, POLL).toContain("the server is stopping");
  });

  it("of the network is over as soon as the browser is online again, without a hole", async () => {
    const proxy = await startedFaultProxy(server.port);
    const { page } = await openPage(browser, pageOf(proxy));
    await page.clock.install();
    const id = await subscribed(page);
    await moves(page);
    await page.clock.pauseAt(Date.now() + 5_000);
    proxy.cut(); // before it is offline: what comes then may be held back
    await reaches(page, "Reconnecting");
    const { goOnline } = await goOffline(page);
    const waitsFor = async () => {
      await page.clock.runFor(1_000);
      const text = await page.locator("#connection-retry").innerText();
      return Number(/in (\d+) s/.exec(text)?.[1] ?? 0);
    };
    await expect.poll(waitsFor, POLL).toBeGreaterThan(3);
    await goOnline();
    await page.clock.runFor(750); // the least after any failure, and the spread of those who come back
    await reaches(page, "Connected");
    await page.clock.resume();
    await moves(page);
    expect(await subscribed(page)).toBe(id);
    expect(await page.locator("#notice").innerText()).toBe("");
  });

  it("is cut short by Connect", async () => {
    const first = await startedProcess(SIMULATED);
    const { page } = await openPage(browser, pageOf(first));
    await page.clock.install();
    await subscribed(page);
    await page.clock.pauseAt(new Date(Date.now() + 1_000)); // no timer of the page fires from now on
    await first.kill("SIGKILL");
    await reaches(page, "Reconnecting");
    await startedProcess([...SIMULATED, "--port", String(first.port)]);
    await press(page, "Connect");
    await page.clock.runFor(250); // no attempt comes sooner; by itself it would come later
    await reaches(page, "Connected");
    expect(await enabled(page)).not.toContain("Connect");
  });

  it("changes nothing for a user who has unsubscribed", async () => {
    const first = await startedProcess(SIMULATED);
    const { page } = await openPage(browser, pageOf(first));
    await subscribed(page);
    await press(page, "Unsubscribe");
    await first.kill("SIGKILL");
    await reaches(page, "Reconnecting");
    expect(await enabled(page)).toEqual(["Connect"]);
    const second = await startedProcess([...SIMULATED, "--port", String(first.port)]);
    await reaches(page, "Connected");
    await updatesPass(page, 5, second.url);
    expect(await page.locator("#subscription").innerText()).toBe("Not subscribed");
    expect(await enabled(page)).toEqual(["Subscribe to System Metrics"]);
  });
});

describe("leaving the page", () => {
  it("for another one ends its subscription", async () => {
    const { page } = await openPage(browser, address);
    const id = await subscribed(page);
    expect(await fateOf(id)).toBe("alive");
    await page.goto("about:blank");
    await expect.poll(() => fateOf(id), POLL).toBe("subscription_not_found");
  });

  it("by closing it ends its subscription", async () => {
    const { page } = await openPage(browser, address);
    const id = await subscribed(page);
    await page.close();
    await expect.poll(() => fateOf(id), POLL).toBe("subscription_not_found");
  });

  it("is undone by Back: it goes on with a new subscription and what happened meanwhile", async () => {
    const { page } = await openPage(browser, address);
    const id = await subscribed(page);
    await page.evaluate(() => {
      document.documentElement.dataset["sameDocument"] = "yes";
    });
    await page.goto(`${server.url}/static/serverpush/?other`);
    await page.goBack({ waitUntil: "commit" });
    await expect
      .poll(() => page.locator("html").getAttribute("data-same-document"), POLL)
      .toBe("yes");
    await subscribed(page, id);
    await moves(page);
    expect(await page.locator("#notice").innerText()).toBe("");
  });
});

describe.each([
  ["desktop", DESKTOP],
  ["phone", PHONE],
])("on a %s", (_device, viewport) => {
  it("has no accessibility violation when it is not subscribed, in both schemes", async () => {
    const { page } = await openPage(browser, address, { viewport });
    await subscribed(page);
    await press(page, "Unsubscribe");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect([colorScheme, await violations(page)]).toEqual([colorScheme, []]);
    }
  });
});

describe("for everyone", () => {
  it("fits a window 1280, 768, 390 and 360 px wide, and goes on in it", async () => {
    const { page } = await openPage(browser, address);
    await subscribed(page);
    for (const width of [1280, 768, 390, 360]) {
      await fits(page, width);
      await moves(page);
    }
  });

  it("follows a window that becomes narrower", async () => {
    const { page } = await openPage(browser, address, { viewport: DESKTOP });
    await subscribed(page);
    const chartHeight = () => page.locator("canvas").evaluate((canvas) => canvas.clientHeight);
    const before = await chartHeight();
    await page.setViewportSize({ width: 360, height: 800 });
    await expect.poll(chartHeight, POLL).toBeLessThan(before);
    await expect
      .poll(() => page.evaluate(() => document.documentElement.scrollWidth), POLL)
      .toBe(360);
    await moves(page);
  });

  it("works by keyboard, and keeps the focus where the work is", async () => {
    const { page } = await openPage(browser, address);
    const id = await subscribed(page);
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await tabTo(page, "Unsubscribe");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Subscribe to System Metrics");
    await page.keyboard.press("Enter");
    await subscribed(page, id);
    expect(await focused()).toBe("Unsubscribe");
    await moves(page);
  });

  it("shows the values under the pointer", async () => {
    const { page } = await openPage(browser, address);
    await subscribed(page);
    await moves(page);
    expect(await page.locator("#legend-time").textContent()).toBe("");
    await page.locator("#chart .u-over").hover();
    await expect
      .poll(() => page.locator("#legend-time").textContent(), POLL)
      .toMatch(/^\d\d:\d\d:\d\d$/);
  });

  it("stands still between two updates for those who want less motion", async () => {
    const slow = await startedProcess(["--metrics", "simulated", "--metrics-interval", "3000"]);
    const drawings = async (reducedMotion: "reduce" | "no-preference") => {
      const { page } = await openPage(browser, pageOf(slow), { reducedMotion });
      await subscribed(page);
      await expect.poll(() => page.locator("#updated").innerText(), POLL).not.toBe("never");
      return page.evaluate(async () => {
        const canvas = document.querySelector("canvas")!;
        const updated = document.querySelector("#updated")!;
        const seen = new Set<string>();
        const during = updated.textContent;
        while (updated.textContent === during) {
          seen.add(canvas.toDataURL());
          await new Promise((drawn) => requestAnimationFrame(drawn));
        }
        return seen.size;
      });
    };
    // The drawing of one update may be seen a frame before or after its text.
    expect(await drawings("reduce")).toBeLessThanOrEqual(2);
    expect(await drawings("no-preference")).toBeGreaterThan(2);
  });
});
