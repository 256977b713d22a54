/** Topics as lines: real servers, a real browser, connections that are really cut. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startedFaultProxy } from "../support/fault-proxy.ts";
import { startListening } from "../support/listening.ts";
import { PROGRAM, startedProcess } from "../support/server.ts";
import { LOOKS, looksGood } from "./every-look.ts";
import { countDrawings, type Drawings } from "./lines/count-drawings.ts";
import {
  ends,
  newest,
  numbered,
  opened,
  pageOf,
  pixelsBelow,
  publish,
} from "./lines/lines-page.ts";
import { rows, scrollUp, shows, startServer, state, texts, TOPIC } from "./lines/lines-page.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { POLL, reads } from "./page-checks.ts";

const METRICS = ["--metrics", "simulated", "--metrics-interval", "100"];

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

describe("the page of a topic's lines", () => {
  it("shows its newest events, and from then on each one, once", async () => {
    const server = await startServer();
    await publish(server, numbered(1, 250));
    const { page, problems } = await openPage(browser, pageOf(server));
    await shows(page, ...numbered(51, 250));
    await publish(server, numbered(251, 253));
    await shows(page, ...numbered(51, 253));
    expect(await page.title()).toBe(TOPIC);
    await reads(page.getByRole("heading"), TOPIC);
    await reads(rows(page).last().locator("time"), /^\d\d:\d\d:\d\d$/);
    expect(problems).toEqual([]);
  });

  it("shows text as it is, without its colours, and anything else as JSON", async () => {
    const server = await startServer();
    await publish(server, [
      "a\tb  c",
      "\u001b[1;31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u0007",
      " 10 %\r 99 %",
      "",
      { cpu: 3, of: [1, null] },
      7,
      null,
    ]);
    const page = await opened(browser, server);
    await shows(page, "a\tb  c", "red link", " 99 %", "", '{"cpu":3,"of":[1,null]}', "7", "null");
    const height = (await rows(page).nth(3).boundingBox())!.height;
    expect(height).toBe((await rows(page).nth(0).boundingBox())!.height);
  });

  it("shows what looks like markup as the text that it is", async () => {
    const server = await startServer();
    const evil = `<img src=x onerror="document.title='hacked'"><script>document.title='hacked'</script>`;
    await server.hub.publish(TOPIC, evil, { name: evil });
    const { page, problems } = await openPage(browser, pageOf(server));
    await shows(page, evil + evil); // the name, the text
    expect(await page.locator("#log :is(img, script)").count()).toBe(0);
    expect(await page.title()).toBe(TOPIC);
    expect(problems).toEqual([]);
  });

  it("shows an event's name before it, and the end of a program or a pipe in words", async () => {
    const server = await startServer();
    const { hub } = server;
    await hub.publish(TOPIC, "disk full", { name: "warning" });
    await hub.publish(TOPIC, { code: 3, signal: null, restartInMs: 500 }, { name: "exit" });
    await hub.publish(
      TOPIC,
      { code: null, signal: "SIGKILL", restartInMs: 2_000 },
      { name: "exit" },
    );
    await hub.publish(TOPIC, null, { name: "end" });
    await hub.publish(TOPIC, "stage left", { name: "exit" }); // somebody else's
    const page = await opened(browser, server);
    await expect.poll(() => rows(page).count(), POLL).toBe(5);
    await reads(rows(page).nth(0).locator("b"), "warning");
    await reads(rows(page).nth(0).locator("span"), "disk full");
    const ended = (await texts(page)).slice(1, 4);
    expect(ended).toEqual([
      "the program ended with exit code 3; it starts again in 0.5 s",
      "the program was ended by SIGKILL; it starts again in 2 s",
      "the input has ended",
    ]);
    await reads(rows(page).nth(4).locator("b"), "exit");
  });

  it("cuts a line that is too long to be read, and says how long it was", async () => {
    const server = await startServer();
    await publish(server, ["x".repeat(50_000)]);
    const page = await opened(browser, server);
    await shows(page, `${"x".repeat(4_000)}… (50,000 characters in all)`);
  });

  it("names the topics there are when it is told none, each with its lines behind it", async () => {
    const server = await startServer({ topics: [TOPIC, "a_b"] });
    await publish(server, numbered(1, 3));
    const { page, problems } = await openPage(browser, `${server.url}/static/lines/`);
    const items = page.getByRole("main").getByRole("listitem");
    await expect.poll(() => items.allInnerTexts(), POLL).toHaveLength(2);
    expect((await items.allInnerTexts()).map((text) => text.replace(/\s+/, " ")).sort()).toEqual([
      "a_b 0 events kept",
      "log 3 events kept",
    ]);
    await page.getByRole("link", { name: TOPIC }).click();
    await shows(page, ...numbered(1, 3));
    expect(problems).toEqual([]);
  });

  it("says so when there is no such topic", async () => {
    const server = await startServer();
    const { page } = await openPage(browser, pageOf(server, "nobody"));
    await reads(state(page), "Disconnected");
    await reads(page.locator(".empty"), /nobody/);
    await page.getByRole("link", { name: "All topics" }).click();
    await page.getByRole("link", { name: TOPIC }).click();
    await reads(state(page), "Connected");
    await reads(page.locator(".empty"), "No event yet");
  });

  it.each(LOOKS)("is good in $colorScheme, $viewport.width wide", async (look) => {
    const server = await startServer();
    const { hub } = server;
    await publish(server, [...numbered(1, 90), "x".repeat(300), { cpu: 3 }]);
    await hub.publish(TOPIC, "disk full", { name: "warning" });
    await hub.publish(TOPIC, { code: 3, signal: null, restartInMs: 500 }, { name: "exit" });
    await publish(server, numbered(91, 100));
    await looksGood(browser, `${server.url}/static/lines/`, look, async (page) => {
      await page.getByRole("link", { name: TOPIC }).click();
      await ends(page, "line 100");
      await scrollUp(page);
      await expect.poll(() => newest(page).isVisible(), POLL).toBe(true);
    });
  });
});

describe("a loss", () => {
  it("is a line of its own, where it happened", async () => {
    const server = await startServer({ store: { historyEvents: 10 } });
    const proxy = await startedFaultProxy(Number(new URL(server.url).port));
    await publish(server, numbered(1, 2));
    const page = await opened(browser, proxy);
    await shows(page, ...numbered(1, 2));
    proxy.cut();
    await publish(server, numbered(3, 100)); // before anybody can be back
    await shows(page, ...numbered(1, 2), "88 events missed", ...numbered(91, 100));
  });

  it("of the whole log is told, too", async () => {
    const topic = "system-metrics";
    const first = await startedProcess(METRICS);
    const { page } = await openPage(browser, pageOf(first, topic));
    await expect.poll(() => rows(page).count(), POLL).toBeGreaterThan(2);
    await first.kill("SIGKILL");
    await startedProcess([...METRICS, "--port", String(first.port)]);
    await reads(page.locator(".lost"), "the topic began anew: nobody knows what was missed");
    await reads(rows(page).last(), /"cpuUsage"/);
  });
});

describe("a command line's lines", () => {
  const start = async (command: readonly [string, ...string[]]) => {
    const server = await startListening(command, /http:\/\/localhost:(\d+)\//);
    onTestFinished(async () => {
      await server.kill("SIGTERM"); // which ends its program
    });
    return server;
  };
  const program = [process.execPath, PROGRAM] as const;

  it("are those of a program that everybody shares, with its ends", async () => {
    const shell = ["sh", "-c", 'echo "run $$"; exit 3'];
    const flags = ["--port", "0", "--shared", "--topic", "runs"];
    const server = await start([...program, "exec", ...flags, "--", ...shell]);
    const { page, problems } = await openPage(browser, server.url);
    await reads(page.getByRole("heading"), "runs");
    await expect.poll(() => rows(page).count(), POLL).toBeGreaterThanOrEqual(4);
    const [line, end, next] = await texts(page);
    expect(line).toMatch(/^run \d+$/);
    expect(end).toMatch(/^the program ended with exit code 3; it starts again in [\d.]+ s$/);
    expect(next).toMatch(/^run \d+$/);
    expect(problems).toEqual([]);
  });

  it("are those of a pipe, and its end", async () => {
    const script = 'exec "$0" "$@" <<END\none\ntwo\nEND\n';
    const pipe = [...program, "pipe", "numbers", "--port", "0"];
    const server = await start(["sh", "-c", script, ...pipe]);
    const { page, problems } = await openPage(browser, server.url);
    await reads(page.getByRole("heading"), "numbers");
    await shows(page, "one", "two", "the input has ended");
    expect(problems).toEqual([]);
  });
});

describe("a topic of 1,000 events a second", () => {
  it("is shown to the last, a thousand lines of it, drawn once in a frame", async () => {
    const server = await startServer({ store: { historyEvents: 100_000 } });
    const { page } = await openPage(browser, "about:blank");
    await page.addInitScript(countDrawings);
    await page.goto(pageOf(server));
    await reads(state(page), "Connected");
    const begin = performance.now();
    const elapsedMs = () => performance.now() - begin;
    let published = 0;
    while (elapsedMs() < 5_000) {
      const due = Math.floor(elapsedMs());
      if (due > published) await publish(server, numbered(published + 1, due));
      published = due;
      await sleep(1);
    }
    await ends(page, `line ${published}`);
    expect(await texts(page)).toEqual(numbered(published - 999, published));
    expect(await pixelsBelow(page)).toBeLessThan(2);
    const { inFrames, elsewhere, frames } = await page.evaluate(
      () => (globalThis as unknown as { drawings: Drawings }).drawings,
    );
    expect(elsewhere).toBe(0);
    expect(inFrames).toBeGreaterThan(1);
    expect(inFrames).toBeLessThanOrEqual(frames);
  });
});
