/** The console of a program: the built `exec`, real programs, a real browser. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Listening, startListening } from "../support/listening.ts";
import { PROGRAM } from "../support/server.ts";
import { LOOKS, looksGood } from "./every-look.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { PHONE, POLL, reads, tabTo } from "./page-checks.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});

afterAll(() => browser?.close());

/** `exec` with a program of `node`, ended with the test. */
async function execNode(code: string, flags: readonly string[] = []): Promise<Listening> {
  const command = [process.execPath, "-e", code];
  const server = await startListening(
    [process.execPath, PROGRAM, "exec", "--port", "0", ...flags, "--", ...command],
    /http:\/\/localhost:(\d+)\//,
  );
  onTestFinished(async () => {
    await server.kill("SIGTERM"); // which ends its programs
  });
  return server;
}

/** Answers each line of its input until that is `end`; then it ends with the code 3. */
const ECHO = `
  console.log("ready");
  require("node:readline").createInterface(process.stdin).on("line", (line) => {
    if (line === "end") process.exit(3);
    console.log("got " + JSON.stringify(line));
  });
  process.stdin.on("end", () => console.error("left"));
`;

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const run = (page: Page) => button(page, "Run").click();
const texts = (page: Page) => page.locator("#log li p").allInnerTexts();
const state = (page: Page) => page.locator("#connection");

const shows = (page: Page, ...expected: string[]) =>
  expect.poll(() => texts(page), POLL).toEqual(expected);

async function say(page: Page, line: string): Promise<void> {
  await page.getByLabel("Line for the program’s input").fill(line);
  await page.keyboard.press("Enter");
}

describe("the console of a program", () => {
  it("starts nothing before it is told to, then shows what the program prints", async () => {
    const server = await execNode(`console.error("started"); ${ECHO}`);
    const { page, problems, addresses } = await openPage(browser, server.url);
    await reads(state(page), "Not running");
    expect(await button(page, "Stop").isDisabled()).toBe(true);
    expect(addresses.filter((address) => address.startsWith("ws"))).toEqual([]);
    expect(server.output()).not.toContain("started");
    await run(page);
    await shows(page, "ready");
    await reads(state(page), "Running");
    expect(await button(page, "Run").isDisabled()).toBe(true);
    expect(server.output()).toContain("started");
    expect(problems).toEqual([]);
  });

  it("gives it lines, and tells how it has ended", async () => {
    const server = await execNode(ECHO);
    const { page } = await openPage(browser, server.url);
    await run(page);
    await shows(page, "ready");
    await say(page, "Grüße, <b>you</b>");
    await shows(page, "ready", "Grüße, <b>you</b>", 'got "Grüße, <b>you</b>"');
    await say(page, "");
    await shows(page, "ready", "Grüße, <b>you</b>", 'got "Grüße, <b>you</b>"', "", 'got ""');
    await say(page, "end");
    await reads(state(page), "Not running the program ended with exit code 3");
    await expect.poll(() => texts(page).then((all) => all.at(-1)), POLL).toMatch(/exit code 3$/);
    await say(page, "too late");
    await reads(page.locator("#problem"), "Not sent: the program does not run");
    expect(await page.getByLabel("Line for the program’s input").inputValue()).toBe("too late");
  });

  it("runs it again, on a clean page", async () => {
    const server = await execNode(`console.log(process.pid)`);
    const { page } = await openPage(browser, server.url);
    await run(page);
    await expect.poll(() => texts(page), POLL).toHaveLength(2);
    const [first, ending] = await texts(page);
    expect(ending).toBe("The program has ended");
    await run(page);
    await expect.poll(async () => (await texts(page))[0], POLL).not.toBe(first);
    await expect.poll(() => texts(page), POLL).toHaveLength(2);
    await reads(state(page), "Not running The program has ended");
  });

  it("ends it when it is stopped, and when the page is left", async () => {
    const server = await execNode(ECHO);
    const { page } = await openPage(browser, server.url);
    const ended = () => server.output().split("left").length - 1;
    await run(page);
    await shows(page, "ready");
    await button(page, "Stop").click();
    await reads(state(page), "Not running You have stopped it");
    await shows(page, "ready", "You have stopped it");
    await expect.poll(ended, POLL).toBe(1);
    await run(page);
    await shows(page, "ready");
    await page.goto("about:blank");
    await expect.poll(ended, POLL).toBe(2);
    await page.goBack({ waitUntil: "commit" });
    await reads(state(page), /^Not running/);
  });

  it("is at every path, which with its query is the program's", async () => {
    const server = await execNode(`console.log(process.env.PATH_INFO, process.env.QUERY_STRING)`);
    for (const path of ["/a/b?x=1&y=%3C", "/static/exec/?x=2"]) {
      const { page, problems } = await openPage(browser, `${server.url}${path}#there`);
      const shown = path.replace("/static/exec", "");
      await reads(page.locator("#address"), shown);
      await run(page);
      await shows(page, shown.replace("?", " "), "The program has ended");
      expect(problems).toEqual([]);
    }
  });

  it("shows a prompt, which has no end, and characters that come in two pieces", async () => {
    const server = await execNode(
      `process.stdout.write("Name: ");
      process.stdin.once("data", (name) => {
        const bytes = Buffer.from("Hello " + name + "\\r\\n€, and so on");
        process.stdout.write(bytes.subarray(0, -13));
        process.stdin.once("data", () => process.stdout.end(bytes.subarray(-13), () => process.exit()));
      });`,
      ["--binary"],
    );
    const { page } = await openPage(browser, server.url);
    await run(page);
    await shows(page, "Name: ");
    await say(page, "Ada");
    await expect
      .poll(() => texts(page).then((all) => all.slice(0, 3)), POLL)
      .toEqual(["Name: ", "Ada", "Hello Ada"]);
    await say(page, "");
    await expect.poll(() => texts(page), POLL).toContain("€, and so on");
  });

  it("says so when the server will not run it", async () => {
    const server = await execNode(ECHO, ["--max-processes", "1"]);
    const { page } = await openPage(browser, server.url);
    const { page: other } = await openPage(browser, server.url);
    await run(page);
    await shows(page, "ready");
    await run(other);
    await reads(state(other), "Not running The server refused to run it, or cannot be reached");
    await button(page, "Stop").click();
    await expect
      .poll(async () => {
        if (await button(other, "Run").isEnabled()) await run(other);
        return texts(other);
      }, POLL)
      .toContain("ready");
  });

  it("says so when the server stops", async () => {
    const server = await execNode(ECHO);
    const { page } = await openPage(browser, server.url);
    await run(page);
    await shows(page, "ready");
    await server.kill("SIGTERM");
    await reads(state(page), "Not running the server is stopping");
  });

  it("keeps the newest thousand lines of one that prints as fast as it can", async () => {
    const server = await execNode(`
      const lines = Array.from({ length: 50_000 }, (_, index) => "line " + (index + 1));
      process.stdout.write(lines.join("\\n") + "\\n");
      process.stdin.resume();
    `);
    const { page } = await openPage(browser, server.url);
    await run(page);
    await expect.poll(() => texts(page).then((all) => all.at(-1)), POLL).toBe("line 50000");
    const all = await texts(page);
    expect(all).toEqual(Array.from({ length: 1_000 }, (_, index) => `line ${49_001 + index}`));
    await button(page, "Stop").click();
    await reads(state(page), "Not running You have stopped it");
  });

  it("is rid of all that is on its way when it is stopped, and can run anew at once", async () => {
    const folder = await mkdtemp(join(tmpdir(), "exec-page-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const server = await execNode(`
      const mark = ${JSON.stringify(join(folder, "mark"))};
      const { existsSync, writeFileSync } = require("node:fs");
      const isFirst = !existsSync(mark);
      writeFileSync(mark, "");
      process.stdin.resume();
      process.stdout.write(isFirst ? "first\\n".repeat(50_000) : "second\\n");
    `);
    const { page } = await openPage(browser, server.url);
    await run(page);
    await expect.poll(() => texts(page), POLL).toContain("first");
    await page.evaluate(() => {
      document.getElementById("stop")!.click();
      document.getElementById("run")!.click();
    });
    await shows(page, "second");
    await reads(state(page), "Running");
    await say(page, "still there"); // after whatever the first one has left
    await shows(page, "second", "still there");
  });

  it("works by keyboard", async () => {
    const server = await execNode(ECHO);
    const { page } = await openPage(browser, server.url);
    await tabTo(page, "Run");
    await page.keyboard.press("Enter");
    await shows(page, "ready");
    await page.keyboard.type("one");
    await page.keyboard.press("Enter");
    await shows(page, "ready", "one", 'got "one"');
    await tabTo(page, "Stop");
    await page.keyboard.press("Enter");
    await reads(state(page), "Not running You have stopped it");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("log");
  });

  it("brings up no keyboard on a phone", async () => {
    const server = await execNode(ECHO);
    const { page } = await openPage(browser, server.url, {
      viewport: PHONE,
      isMobile: true,
      hasTouch: true,
    });
    await button(page, "Run").tap();
    await shows(page, "ready");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("log");
  });

  it.each(LOOKS)("is good in $colorScheme, $viewport.width wide", async (look) => {
    const server = await execNode(ECHO);
    await looksGood(browser, `${server.url}/count?to=10`, look, async (page) => {
      await run(page);
      await shows(page, "ready");
      await say(page, "Good morning");
      await say(page, "end");
      await reads(state(page), /exit code 3$/);
    });
  });
});
