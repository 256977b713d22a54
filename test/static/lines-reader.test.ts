/** What the reader of a topic's lines does: scrolls, listens, leaves and comes back. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ends, newest, numbered, opened, pixelsBelow, publish } from "./lines/lines-page.ts";
import { scrollTo, shows, startServer, texts } from "./lines/lines-page.ts";
import { launchBrowser } from "./open-page.ts";
import { POLL, reads, tabTo } from "./page-checks.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

describe("the reader of a topic's lines", () => {
  it("is at the end until they scroll up; then nothing moves, and what is new waits", async () => {
    const server = await startServer({ store: { historyEvents: 10_000 } });
    await publish(server, numbered(1, 200));
    const page = await opened(browser, server);
    await ends(page, "line 200");
    expect(await pixelsBelow(page)).toBeLessThan(2);
    expect(await newest(page).isVisible()).toBe(false);
    await scrollTo(page, 100);
    await reads(newest(page), "Newest");
    await publish(server, numbered(201, 1_300));
    await reads(newest(page), "Newest (1,100 more)");
    expect(await texts(page)).toEqual(numbered(1, 200));
    expect(await page.locator("#log").evaluate((log) => log.scrollTop)).toBe(100);
    await newest(page).click();
    await shows(page, ...numbered(301, 1_300));
    expect(await pixelsBelow(page)).toBeLessThan(2);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("log");
    await publish(server, ["after"]);
    await ends(page, "after");
    expect(await pixelsBelow(page)).toBeLessThan(2);
  });

  it("gets what has waited by scrolling to the end, too, without a hole", async () => {
    const server = await startServer();
    await publish(server, numbered(1, 200));
    const page = await opened(browser, server);
    await ends(page, "line 200");
    await tabTo(page, "Events");
    await page.keyboard.press("Home");
    await reads(newest(page), "Newest");
    await publish(server, numbered(201, 210));
    await reads(newest(page), "Newest (10 more)");
    await page.keyboard.press("End");
    await shows(page, ...numbered(1, 210));
    await expect.poll(() => pixelsBelow(page), POLL).toBeLessThan(2);
  });

  it("who hears the page is told the newest line, when they want that and not for each", async () => {
    const server = await startServer();
    const page = await opened(browser, server);
    const said = page.locator("#lines [role=status]");
    await publish(server, ["silent"]);
    await shows(page, "silent");
    await tabTo(page, "Announce new lines");
    await page.keyboard.press("Enter");
    await publish(server, ["one"]);
    await expect.poll(() => said.textContent(), POLL).toBe("one");
    const tellings = await said.evaluateHandle((region) => {
      const all: string[] = [];
      const observer = new MutationObserver(() => all.push(region.textContent));
      observer.observe(region, { childList: true });
      return all;
    });
    await publish(server, numbered(1, 500));
    await expect.poll(() => said.textContent(), POLL).toMatch(/^\d+ lines, the last: line 500$/);
    const told = await tellings.jsonValue();
    expect(told.length).toBeLessThan(10); // one, unless the machine stood still for seconds
    await page.keyboard.press("Enter");
    expect(await said.textContent()).toBe("");
    await publish(server, ["silent again"]);
    await ends(page, "silent again");
    expect(await said.textContent()).toBe("");
  });

  it("who leaves and comes back has missed nothing", async () => {
    const server = await startServer();
    await publish(server, numbered(1, 5));
    const page = await opened(browser, server);
    await shows(page, ...numbered(1, 5));
    await page.evaluate(() => Object.assign(globalThis, { isTheSame: true }));
    await page.goto(`${server.url}/static/lines/`);
    await publish(server, numbered(6, 8));
    await page.goBack({ waitUntil: "commit" });
    await shows(page, ...numbered(1, 8));
    expect(await page.evaluate(() => "isTheSame" in globalThis)).toBe(true);
  });

  it("who has left holds no connection, and gets each event once when they are back", async () => {
    const server = await startServer();
    await publish(server, numbered(1, 5));
    const page = await opened(browser, server);
    await shows(page, ...numbered(1, 5));
    const turn = (type: "pagehide" | "pageshow") =>
      page.evaluate(
        (name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })),
        type,
      );
    await turn("pagehide");
    await expect.poll(() => server.app.stats().sessions, POLL).toBe(0);
    await publish(server, numbered(6, 8));
    expect(await texts(page)).toEqual(numbered(1, 5));
    await turn("pageshow");
    await shows(page, ...numbered(1, 8));
    await publish(server, ["after"]);
    await shows(page, ...numbered(1, 8), "after");
  });
});
