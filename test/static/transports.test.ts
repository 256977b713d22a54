/** The page of all transports: the built program, a real browser, connections that are really cut. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { startedFaultProxy } from "../support/fault-proxy.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { POLL, reads, setVisibility, tabTo } from "./page-checks.ts";

const IDS = ["client", "poll", "long-poll", "sse", "websocket", "rpc-poll", "rpc-tail"] as const;
const METRICS = ["--metrics", "simulated", "--metrics-interval", "200"];
const CUT_MS = 5_000;

let browser: Browser;
let server: ServerProcess;

beforeAll(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startProcess(METRICS)]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

const pageOf = ({ url }: { url: string }) => `${url}/static/transports/`;
const lane = (page: Page, id: string) => page.locator(`#${id}`);
const state = (page: Page, id: string) => lane(page, id).locator(".connection");
const story = (page: Page, id: string) => lane(page, id).locator(".story");
const figure = (page: Page, id: string, name: string) => lane(page, id).locator(`.${name}`);
const CONNECTED = /^Connected (over [a-z-]+, )?at event \d+$/;
const connected = (page: Page, id: string) => reads(state(page, id), CONNECTED);

async function allConnected(page: Page): Promise<void> {
  for (const id of IDS) await connected(page, id);
}

/** Where a transport stands, and how many events it has had; both of one moment. */
function standing(page: Page, id: string): Promise<{ offset: number; events: number }> {
  return lane(page, id).evaluate((card) => {
    const text = (selector: string) => card.querySelector(selector)?.textContent ?? "";
    const offset = Number(/at event (\d+)$/.exec(text(".connection .message"))?.[1]);
    return { offset, events: Number(text(".events").replaceAll(",", "")) };
  });
}

/** Where it stands as soon as it has had so many events more. It may be on its way back at first. */
async function after(page: Page, id: string, count: number) {
  let end = NaN; // an offset, as soon as it has a place
  await expect
    .poll(async () => {
      const { offset } = await standing(page, id);
      if (Number.isNaN(end)) end = offset + count;
      return offset >= end;
    }, POLL)
    .toBe(true);
  return standing(page, id);
}

const cut = (page: Page, id: string) => lane(page, id).getByRole("button").click();

describe("the page of all transports", () => {
  it("reads one topic in seven ways, each up to date, and counts what that takes", async () => {
    const { page, problems } = await openPage(browser, pageOf(server));
    await allConnected(page);
    await Promise.all(IDS.map((id) => after(page, id, 10)));
    for (const id of IDS) {
      await reads(figure(page, id, "delay"), /^(< )?[\d.]+ (ms|s)$/);
      await reads(figure(page, id, "bytes"), /^[\d.]+ (B|kB)$/);
      await reads(figure(page, id, "missed"), "0");
    }
    const newest = await Promise.all(IDS.map((id) => standing(page, id)));
    const offsets = newest.map(({ offset }) => offset);
    // Polling is a second behind at most, which is five events.
    expect(Math.max(...offsets) - Math.min(...offsets)).toBeLessThanOrEqual(10);
    const requests = async (id: string) => Number(await figure(page, id, "requests").innerText());
    expect(await requests("sse")).toBe(1);
    expect(await requests("websocket")).toBe(1);
    expect(await requests("rpc-tail")).toBe(1);
    expect(await requests("client")).toBe(1);
    await reads(state(page, "client"), /^Connected over rpc-tail, at event \d+$/);
    expect(await requests("long-poll")).toBeGreaterThan(await requests("poll"));
    expect(problems).toEqual([]);
  });

  it("draws a chart for each, in both schemes, that moves", async () => {
    const { page } = await openPage(browser, pageOf(server));
    await allConnected(page);
    const pictures = () =>
      page
        .locator("canvas")
        .evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
    const first = await pictures();
    expect(new Set(first).size).toBeGreaterThan(1);
    await expect
      .poll(
        async () => (await pictures()).every((picture, index) => picture !== first[index]),
        POLL,
      )
      .toBe(true);
    const colours = () =>
      page
        .locator("canvas")
        .first()
        .evaluate((canvas: HTMLCanvasElement) => {
          const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
          const seen = new Set<string>();
          for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3] === 255) seen.add(data.slice(at, at + 3).join());
          }
          return [...seen];
        });
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(colours, POLL).toContain("95,168,230"); // --cpu of the dark scheme
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(colours, POLL).toContain("10,105,173");
  });

  it("moves once a second for those who want less motion", async () => {
    const drawings = async (reducedMotion: "reduce" | "no-preference") => {
      const { page } = await openPage(browser, pageOf(server), { reducedMotion });
      await connected(page, "sse");
      return page.locator("#sse canvas").evaluate(async (canvas: HTMLCanvasElement) => {
        const seen = new Set<string>();
        const begin = performance.now();
        while (performance.now() - begin < 3_000) {
          seen.add(canvas.toDataURL());
          await new Promise((drawn) => requestAnimationFrame(drawn));
        }
        return seen.size;
      });
    };
    expect(await drawings("reduce")).toBeLessThanOrEqual(4);
    expect(await drawings("no-preference")).toBeGreaterThan(8);
  });

  it("works by keyboard, and keeps the focus on what was pressed", async () => {
    const { page } = await openPage(browser, pageOf(server));
    await allConnected(page);
    await tabTo(page, "Cut: WebSocket");
    await page.keyboard.press("Enter");
    await reads(state(page, "websocket"), /^Cut comes back in \d s$/);
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel);
    expect(await focused()).toBe("Reconnect: WebSocket");
    await page.keyboard.press("Enter");
    await connected(page, "websocket");
    expect(await focused()).toBe("Cut: WebSocket");
  });
});

describe("a connection that is cut", () => {
  it.each([
    ["poll", "long-poll", "sse", "client"],
    ["websocket", "rpc-poll", "rpc-tail", "client"],
  ])("comes back over %s, %s, %s and %s with all it has missed, each once", async (...ids) => {
    const { page, addresses, problems } = await openPage(browser, pageOf(server));
    await allConnected(page);
    const before = await Promise.all(ids.map((id) => after(page, id, 3)));
    const requests = addresses.length;
    for (const id of ids) await cut(page, id);
    const cutAt = Date.now();
    for (const id of ids) await reads(state(page, id), /^Cut/);
    const events = () => Promise.all(ids.map((id) => figure(page, id, "events").innerText()));
    const atCut = await events();
    await after(
      page,
      IDS.find((id) => !ids.includes(id))!,
      10,
    ); // the others go on, these do not
    expect(await events()).toEqual(atCut);
    for (const id of ids) await connected(page, id);
    expect(Date.now() - cutAt).toBeGreaterThanOrEqual(CUT_MS - 500);
    for (const [index, id] of ids.entries()) {
      const told = /^Resumed after event (\d+): (\d+) came late, 0 lost, 0 repeated\.$/;
      await reads(story(page, id), told);
      const now = await after(page, id, 5);
      // As many events as there are numbers: nothing is missing, nothing came twice.
      expect(now.events - before[index]!.events).toBe(now.offset - before[index]!.offset);
      expect(await figure(page, id, "missed").innerText()).toBe("0");
      const [, from, late] = told.exec(await story(page, id).innerText())!;
      expect(Number(late)).toBeGreaterThanOrEqual(10);
      if (/^(rpc|client)/.test(id)) continue; // their cursor does not show in the address
      const resumed = new RegExp(`/topics/system-metrics\\?after=[^&]+\\.${from}(&|$)`);
      expect(addresses.slice(requests)).toContainEqual(expect.stringMatching(resumed));
    }
    expect(problems).toEqual([]);
  });

  it("comes back when all are cut at once", async () => {
    const { page } = await openPage(browser, pageOf(server));
    await allConnected(page);
    const before = await Promise.all(IDS.map((id) => after(page, id, 1)));
    await page.getByRole("button", { name: "Cut all" }).click();
    for (const id of IDS) await reads(state(page, id), /^Cut/);
    await allConnected(page);
    for (const [index, id] of IDS.entries()) {
      await reads(
        story(page, id),
        /^Resumed after event \d+: \d\d+ came late, 0 lost, 0 repeated\.$/,
      );
      const now = await after(page, id, 1);
      expect(now.events - before[index]!.events).toBe(now.offset - before[index]!.offset);
    }
  });
});

describe("the client, by itself", () => {
  it("takes the next way when one breaks again and again, and loses nothing on the way", async () => {
    const { page } = await openPage(browser, pageOf(server));
    await connected(page, "client");
    const before = await after(page, "client", 1);
    const way = async () =>
      /over (\S+),/.exec(await state(page, "client").innerText())?.[1] ?? "none";
    expect(await way()).toBe("rpc-tail");
    while ((await way()) === "rpc-tail") {
      await cut(page, "client");
      await page.getByRole("button", { name: "Reconnect: The client, by itself" }).click();
      await connected(page, "client");
    }
    expect(await way()).toBe("websocket");
    await reads(story(page, "client"), /, 0 lost, 0 repeated\.$/);
    const now = await after(page, "client", 5);
    expect(now.events - before.events).toBe(now.offset - before.offset);
  });
});

describe("an outage", () => {
  it("of the server is survived by all, and told as a new log", async () => {
    const first = await startedProcess(METRICS);
    const { page } = await openPage(browser, pageOf(first));
    await allConnected(page);
    await after(page, "sse", 5);
    await first.kill("SIGKILL");
    for (const id of IDS) await reads(state(page, id), /^Reconnecting/);
    await startedProcess([...METRICS, "--port", String(first.port)]);
    await allConnected(page);
    for (const id of IDS) {
      await reads(figure(page, id, "missed"), "some");
      await after(page, id, 3);
    }
  });

  it("of the topic itself ends in words and a way to start again", async () => {
    const { page } = await openPage(browser, "about:blank");
    let refusing = true;
    await page.route("**/topics/system-metrics*", async (route) => {
      if (!refusing || !route.request().headers()["accept"]?.includes("event-stream")) {
        return route.continue();
      }
      const error = { code: "topic_not_found", message: "no such topic" };
      await route.fulfill({ status: 404, json: { error } });
    });
    await page.goto(pageOf(server));
    await reads(state(page, "sse"), "Disconnected no such topic");
    await connected(page, "websocket");
    refusing = false;
    await page.getByRole("button", { name: "Start again: Server-Sent Events" }).click();
    await connected(page, "sse");
    await after(page, "sse", 3);
  });

  it("of the clock leaves everything but its precision", async () => {
    const { page } = await openPage(browser, "about:blank");
    await page.route("**/api/time", (route) => route.fulfill({ status: 503 }));
    await page.goto(pageOf(server));
    await allConnected(page);
    await after(page, "sse", 3);
    expect(await page.locator("#precision").innerText()).toBe("");
  });
});

describe("a page that nobody sees", () => {
  it("asks for nothing and draws nothing, and has lost nothing when it is seen again", async () => {
    const { page, addresses } = await openPage(browser, pageOf(server));
    await allConnected(page);
    const before = await Promise.all(IDS.map((id) => after(page, id, 1)));
    await setVisibility(page, "hidden");
    const pictures = () =>
      page
        .locator("canvas")
        .evaluateAll((all) => all.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()));
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(drawn)));
    const drawn = await pictures();
    const { page: other } = await openPage(browser, pageOf(server));
    await connected(other, "sse");
    const asked = addresses.length; // by now the subscription that was given up has been told
    await after(other, "sse", 15);
    expect(addresses.length).toBe(asked);
    expect(await pictures()).toEqual(drawn);
    await setVisibility(page, "visible");
    await allConnected(page);
    for (const [index, id] of IDS.entries()) {
      const now = await after(page, id, 3);
      expect(now.offset - before[index]!.offset).toBeGreaterThanOrEqual(15);
      expect(now.events - before[index]!.events).toBe(now.offset - before[index]!.offset);
    }
  });

  it("leaves nothing behind on the server", async () => {
    const alone = await startedProcess(METRICS);
    const proxy = await startedFaultProxy(alone.port);
    const { page } = await openPage(browser, pageOf(proxy));
    await allConnected(page);
    expect(proxy.connections()).toBeGreaterThanOrEqual(5);
    await page.goto("about:blank");
    await expect.poll(() => proxy.connections(), POLL).toBe(0);
  });
});

describe("a topic that is very fast", () => {
  it("makes the page neither slow nor large", async () => {
    const fast = await startedProcess(["--metrics", "simulated", "--metrics-interval", "10"]);
    const { page, problems } = await openPage(browser, pageOf(fast));
    await allConnected(page);
    await after(page, "sse", 100);
    const size = () => page.evaluate(() => document.querySelectorAll("*").length);
    const before = await size();
    await after(page, "sse", 300);
    expect(await size()).toBe(before);
    const frames = await page.evaluate(async () => {
      const begin = performance.now();
      let count = 0;
      while (performance.now() - begin < 1_000) {
        await new Promise((drawn) => requestAnimationFrame(drawn));
        count += 1;
      }
      return count;
    });
    expect(frames).toBeGreaterThan(5); // on a busy machine without a graphics card
    for (const id of IDS) await reads(figure(page, id, "missed"), "0");
    expect(problems).toEqual([]);
  });
});
