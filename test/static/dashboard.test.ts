/** The dashboard as its users have it: the built program, a real browser, real outages. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { changes, POLL, reads, setVisibility, tabTo } from "./page-checks.ts";

let browser: Browser;
let server: ServerProcess;

beforeAll(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startProcess()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

const pageOf = ({ url }: { url: string }) => `${url}/static/dashboard/`;
const state = (page: Page) => page.locator("#connection-state");
const message = (page: Page) => page.locator("#connection-message");

async function connections({ url }: { url: string }): Promise<number> {
  const answer = await fetch(`${url}/dashboard/debug`);
  return ((await answer.json()) as { connections: number }).connections;
}

describe("the dashboard", () => {
  it("shows the state of the host at once, with units, and goes on", async () => {
    const { page, problems } = await openPage(browser, pageOf(server));
    await reads(state(page), "Connected");
    await reads(page.locator("#status"), /^Online System running normally$/i);
    await reads(page.locator("#uptime"), /^\d+ days?, \d+ hours?$/);
    for (const id of ["cpu", "memory", "disk"]) {
      await reads(page.locator(`#${id} .value`), /^\d+ %$/);
      const shown = Number(await page.locator(`#${id} .number`).innerText());
      const bar = page.locator(`#${id} progress`);
      expect(await bar.evaluate((element: HTMLProgressElement) => element.value)).toBe(shown);
    }
    await reads(page.locator("#network .value"), /^[\d.]+ Mbps$/);
    await reads(page.locator("#response .value"), /^\d+ ms$/);
    await reads(page.locator("#updated"), /^\d\d:\d\d:\d\d$/);
    await changes(page.locator("#updated"));
    expect(problems).toEqual([]);
  });

  it("lists activities by their level, newest first", async () => {
    const { page } = await openPage(browser, pageOf(server));
    const items = page.locator("#activities li");
    await reads(items.first(), /^\d\d:\d\d:\d\d\s+info\s+Dashboard updated$/);
    expect(await items.first().getAttribute("class")).toBe("activity-info");
    await expect.poll(() => items.count(), POLL).toBeGreaterThan(1);
    const times = await page.locator("#activities time").allInnerTexts();
    expect(times).toEqual(times.toSorted().reverse());
    expect(times.length).toBeLessThanOrEqual(12);
  });

  it("triggers an update for everybody, by keyboard too, and says how many it reached", async () => {
    const alone = await startedProcess();
    const { page } = await openPage(browser, pageOf(alone));
    const { page: other } = await openPage(browser, pageOf(alone));
    await expect.poll(() => connections(alone), POLL).toBe(2);
    await tabTo(page, "Trigger a test update");
    await page.keyboard.press("Enter");
    await reads(page.locator("#triggered"), "Test update sent to 2 clients");
    await reads(other.locator("#activities"), /warning\s+Test triggered/);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("trigger");
  });

  it("reads only while somebody can see it", async () => {
    const alone = await startedProcess();
    const readers = () => connections(alone);
    const { page } = await openPage(browser, pageOf(alone));
    await expect.poll(readers, POLL).toBe(1);
    await setVisibility(page, "hidden");
    await expect.poll(readers, POLL).toBe(0);
    await setVisibility(page, "visible");
    await expect.poll(readers, POLL).toBe(1);
    await reads(state(page), "Connected");
    await page.goto("about:blank");
    await expect.poll(readers, POLL).toBe(0);
  });

  it("takes markup and styles from nobody", async () => {
    const evil = {
      system_status: { status: "<b>on</b>", uptime: "1", last_check: "2", message: "<i>3</i>" },
      metrics: { cpu: "<u>1</u>", memory: "2", disk: "3", network: "4", response_time: "5" },
      activities: [
        { time: "1", message: "<img src=x>", level: "info", css_class: "visually-hidden x" },
      ],
      timestamp: "0",
    };
    const { page } = await openPage(browser, "about:blank");
    await page.route("**/dashboard/stream", (route) =>
      route.fulfill({
        contentType: "text/event-stream",
        body: `data: {}\n\ndata: nonsense\n\ndata: ${JSON.stringify(evil)}\n\n`,
      }),
    );
    await page.goto(pageOf(server));
    await reads(page.locator("#activities"), /<img src=x>/);
    await reads(page.locator("#status span"), "<i>3</i>");
    await reads(page.locator("#cpu .number"), "<u>1</u>");
    expect(await page.locator("#activities li").first().getAttribute("class")).toBe("");
  });
});

describe("an outage", () => {
  it("of the server is told, and survived", async () => {
    const first = await startedProcess();
    const { page } = await openPage(browser, pageOf(first));
    await reads(state(page), "Connected");
    await reads(page.locator("#updated"), /^\d/);
    await first.kill("SIGKILL");
    await reads(state(page), "Reconnecting");
    expect(await message(page).innerText()).toBe("The connection was lost");
    await page.getByRole("button", { name: "Trigger a test update" }).click();
    await reads(page.locator("#triggered"), "The server cannot be reached");
    await startedProcess(["--port", String(first.port)]);
    await reads(state(page), "Connected");
    await changes(page.locator("#updated"));
  });

  it("that the browser would take for the end is survived", async () => {
    const { page } = await openPage(browser, "about:blank");
    let asked = 0;
    await page.route("**/dashboard/stream", async (route) => {
      asked += 1;
      if (asked <= 2) await route.fulfill({ status: 503 });
      else await route.continue();
    });
    await page.goto(pageOf(server));
    await reads(state(page), "Reconnecting");
    await reads(page.locator("#connection-retry"), /^\(next attempt in \d+ s\)$/);
    expect(await message(page).innerText()).toBe("The connection was lost"); // at once
    await reads(state(page), "Connected");
    expect(asked).toBe(3);
  });

  it("without a word is noticed, and survived", async () => {
    const silent = await startedProcess();
    const { page } = await openPage(browser, "about:blank");
    await page.clock.install();
    await page.goto(pageOf(silent));
    await reads(state(page), "Connected");
    silent.process.kill("SIGSTOP");
    await page.clock.fastForward(20_000);
    await reads(state(page), "Reconnecting");
    expect(await message(page).innerText()).toBe("Nothing has arrived for 20 s");
    silent.process.kill("SIGCONT");
    await page.clock.fastForward(2_000);
    await reads(state(page), "Connected");
  });
});
