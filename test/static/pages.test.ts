/** What every page promises: both themes, phone and desktop, nothing from elsewhere, no complaint. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startProcess } from "../support/server.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { DESKTOP, fits, PHONE, reads, violations, widths } from "./page-checks.ts";

let browser: Browser;
let server: ServerProcess;

beforeAll(async () => {
  [browser, server] = await Promise.all([
    launchBrowser(),
    startProcess(["--metrics", "simulated", "--metrics-interval", "100"]),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

/** Each page, and how it looks when it is at work. */
const PAGES: Record<string, (page: Page) => Promise<void>> = {
  "/": async (page) => {
    await page.getByRole("button", { name: "run it here" }).click();
    await reads(page.locator("#output li b").last(), /^(time|client-count)$/);
  },
  "/static/serverpush/": (page) => reads(page.locator("#subscription"), /^Subscribed/),
  "/static/transports/": async (page) => {
    for (const lane of await page.locator(".lane").all()) {
      await reads(lane.locator(".connection"), /^Connected .*at event \d+$/);
    }
    await page.getByRole("button", { name: "Cut: WebSocket" }).click();
    await reads(page.locator("#websocket .connection"), /^Cut/);
  },
  "/static/dashboard/": async (page) => {
    await page.getByRole("button", { name: "Trigger a test update" }).click();
    await reads(page.locator("#triggered"), /^Test update sent to/);
    await reads(page.locator("#activities"), /Test triggered/);
  },
  "/static/chat/": async (page) => {
    await page.getByLabel("Your name").fill("Ada");
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByLabel("Message", { exact: true }).fill("Good morning");
    await page.getByRole("button", { name: "Send" }).click();
    await reads(page.locator(".delivery"), "delivered");
  },
};

const SCHEMES = ["light", "dark"] as const;

describe.each(Object.entries(PAGES))("%s", (path, work) => {
  // Each scheme is once the one that a page begins with, and each is seen at rest and at work.
  describe.each([
    ["desktop", DESKTOP, SCHEMES],
    ["phone", PHONE, SCHEMES.toReversed()],
  ] as const)("on a %s", (device, viewport, schemes) => {
    it("is good in both schemes", async () => {
      const options = { colorScheme: schemes[0], viewport };
      const { page, addresses, problems } = await openPage(browser, server.url + path, options);
      const name = path.split("/").at(-2) || "home";
      const looksGood = async (colorScheme: (typeof SCHEMES)[number]) => {
        await page.emulateMedia({ colorScheme });
        expect([colorScheme, await violations(page)]).toEqual([colorScheme, []]);
      };
      for (const colorScheme of schemes) await looksGood(colorScheme);
      await work(page);
      for (const colorScheme of schemes.toReversed()) {
        await looksGood(colorScheme);
        await page.screenshot({
          path: `test-results/${name}-${device}-${colorScheme}.png`,
          fullPage: true,
        });
      }
      expect(await widths(page)).toEqual({
        scrollWidth: viewport.width,
        clientWidth: viewport.width,
      });
      const hosts = new Set(addresses.map((address) => new URL(address).host));
      expect([...hosts]).toEqual([new URL(server.url).host]);
      expect(problems).toEqual([]);
    });
  });

  it("fits a window 1100, 768 and 320 px wide", async () => {
    const { page } = await openPage(browser, server.url + path);
    await work(page);
    for (const width of [1100, 768, 320]) await fits(page, width);
  });

  it("leads to every other page, and says which one it is", async () => {
    const { page } = await openPage(browser, server.url + path);
    const links = await page
      .getByRole("navigation")
      .getByRole("link")
      .evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    expect(links).toEqual(Object.keys(PAGES));
    const here = page.locator("nav [aria-current=page]");
    expect(await here.getAttribute("href")).toBe(path);
  });

  it("is sent with a policy that lets nothing else in", async () => {
    const { headers, status } = await fetch(server.url + path);
    expect(status).toBe(200);
    expect(headers.get("Content-Security-Policy")).toBe(
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Cache-Control")).toBe("no-cache");
  });
});
