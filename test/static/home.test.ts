/** The first page: everything that it says one can do, done as it says. */
import { execFile } from "node:child_process";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServerProcess, startProcess } from "../support/server.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { POLL, reads, tabTo } from "./page-checks.ts";

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

const lines = (page: Page) => page.locator(".group pre code").allInnerTexts();

/** What a shell prints within some seconds; streams do not end by themselves. */
function run(line: string): Promise<string> {
  return new Promise((resolve) => {
    execFile("sh", ["-c", `{ ${line}; } & sleep 4; kill $! 2>/dev/null`], (_, stdout) =>
      resolve(stdout),
    );
  });
}

/** Everything that the console shows from now on. */
function logged(page: Page): string[] {
  const seen: string[] = [];
  page.on("console", (line) => {
    const told = line
      .args()
      .map((arg) =>
        arg.evaluate((value: unknown) =>
          value instanceof MessageEvent ? `${value.type} ${value.data}` : String(value),
        ),
      );
    Promise.all(told).then(
      (texts) => seen.push(texts.join(" ")),
      () => {}, // the page has gone
    );
  });
  return seen;
}

describe("the first page", () => {
  it("names its own address, so that every line can be used as it stands", async () => {
    const { page } = await openPage(browser, server.url);
    const text = await page.locator("main").innerText();
    expect(text).toContain(`${server.url}/api/time`);
    expect(text).toContain(`${server.url.replace("http", "ws")}/ws/chat`);
    expect(text).not.toContain("localhost:8000");
  });

  it("has a command for every stream, and each of them gives something", async () => {
    const { page } = await openPage(browser, server.url);
    const commands = (await lines(page)).filter((line) => !line.startsWith("new "));
    expect(commands.join("\n")).toMatch(
      /(?=[^]*dashboard\/stream)(?=[^]*dashboard\/debug)(?=[^]*trigger-test)(?=[^]*health)(?=[^]*HelloServlet)(?=[^]*api\/time)(?=[^]*client-count)(?=[^]*events\/feed)(?=[^]*topics\/system-metrics)/,
    );
    const outputs = await Promise.all(commands.map(run));
    for (const [index, output] of outputs.entries()) {
      expect(output, commands[index]).not.toBe("");
      expect(output, commands[index]).not.toContain('"error"');
    }
  });

  it("has lines for its console, and each of them logs something", async () => {
    const { page } = await openPage(browser, server.url);
    const seen = logged(page);
    const [topic, chat] = (await lines(page)).filter((line) => line.startsWith("new "));
    await page.evaluate(topic!);
    await expect.poll(() => seen.join("\n"), POLL).toContain('"cpuUsage"');
    await page.evaluate(chat!);
    const hello = `new WebSocket("${server.url.replace("http", "ws")}/ws/chat").onopen = (e) => e.target.send('{"type":"message","text":"Hello!"}')`;
    await expect
      .poll(async () => {
        await page.evaluate(hello);
        return seen.join("\n");
      }, POLL)
      .toContain('"Hello!"');
  });

  it("is the console in which the seed's code runs", async () => {
    const { page } = await openPage(browser, server.url);
    const seen = logged(page);
    await page.evaluate(await page.locator(".console code").innerText());
    await expect.poll(() => seen, POLL).toContainEqual(expect.stringMatching(/^time "\d{4}-/));
    await expect.poll(() => seen, POLL).toContain('client-count {"Count":1}');
  });

  it("runs that code by itself, in a list that stays short, and stops it", async () => {
    const { page, problems } = await openPage(browser, server.url);
    await tabTo(page, "run it here");
    await page.keyboard.press("Enter");
    const output = page.locator("#output");
    await reads(output, /time "\d{4}-/);
    await reads(output, /client-count \{"Count":1\}/);
    await expect.poll(() => output.locator("li").count(), POLL).toBe(8);
    await page.getByRole("button", { name: "stop it" }).click();
    const frozen = await output.innerText();
    await reads(page.locator("#run"), "run it here");
    const counted = await run(`curl -sN ${server.url}/api/client-count`);
    expect(counted.trim()).toBe('event:client-count\ndata:{"Count":1}'); // nobody else is there
    expect(await output.innerText()).toBe(frozen);
    expect(problems).toEqual([]);
  });

  it("copies a line", async () => {
    const permissions = ["clipboard-read", "clipboard-write"];
    const { page } = await openPage(browser, server.url, { permissions });
    await page.getByRole("button", { name: "Copy All topics" }).click();
    await reads(page.locator("#copied"), "Copied All topics");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      `curl ${server.url}/topics`,
    );
  });

  it("selects the line where the browser does not let it copy", async () => {
    const { page } = await openPage(browser, server.url);
    await page.evaluate(() => {
      const refuse = () => Promise.reject(new Error("no"));
      Object.defineProperty(navigator, "clipboard", { value: { writeText: refuse } });
    });
    await page.getByRole("button", { name: "Copy All topics" }).click();
    await reads(page.locator("#copied"), "Selected All topics, copy it now");
    expect(await page.evaluate(() => getSelection()?.toString())).toBe(`curl ${server.url}/topics`);
  });
});
