/**
 * The browser's own EventSource at the built program: it comes back by itself, after a crash, a cut
 * connection and a stop, and neither loses nor repeats anything without being told.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startedFaultProxy } from "../../support/fault-proxy.ts";
import { launchBrowser, openPage } from "../../static/open-page.ts";
import { type ServerProcess, startedProcess } from "../../support/server.ts";
import { postEvent, TOKEN } from "../../support/topic-requests.ts";
import { numbers } from "../../transport-contract.ts";

// Only what a test publishes: the topic is there from the start, also after a restart.
const ARGS = ["--publish-token", TOKEN, "--metrics", "simulated", "--metrics-interval", "3600000"];
const TOPIC = "system-metrics";
const POLL = { timeout: 20_000, interval: 50 }; // a page comes back after 1 to 5 seconds

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** What a page's code has heard: "message 1", "gap {…}", "error", "open". */
async function listenIn(url: string, query = "") {
  const { page } = await openPage(browser, `${url}/topics`); // a document of the same origin
  await page.evaluate((address) => {
    const heard: string[] = [];
    const source = new EventSource(address);
    source.onopen = () => heard.push("open");
    source.onmessage = ({ data }) => heard.push(`message ${data}`);
    source.addEventListener("gap", ({ data }) => heard.push(`gap ${data}`));
    source.addEventListener("named", ({ data }) => heard.push(`named ${data}`));
    source.addEventListener("error", (event) => {
      const { data } = event as MessageEvent<string | undefined>;
      heard.push(data === undefined ? "cut" : `error ${data}`);
    });
    Object.assign(globalThis, { heard, source });
  }, `/topics/${TOPIC}${query}`);
  const read = <T>(name: string) => page.evaluate((key) => (globalThis as never)[key] as T, name);
  const heard = () => read<string[]>("heard");
  return {
    heard,
    /** Without the connection's own ups and downs. */
    events: async () => (await heard()).filter((line) => line !== "open" && line !== "cut"),
    opened: async (times: number) => {
      await expect
        .poll(async () => (await heard()).filter((line) => line === "open").length, POLL)
        .toBe(times);
    },
  };
}

async function publish(server: ServerProcess, from: number, to: number, name?: string) {
  for (const number of numbers(from, to)) {
    const options = { topic: TOPIC, ...(name !== undefined && { name }) };
    expect((await postEvent(server, `${number}`, options)).status).toBe(201);
  }
}

const messages = (from: number, to: number) =>
  numbers(from, to).map((number) => `message ${number}`);

test("comes back after a crash, is told of the new epoch as `gap`, and goes on", async () => {
  const server = await startedProcess(ARGS);
  const { events, heard } = await listenIn(server.url);
  await expect.poll(heard, POLL).toEqual(["open"]);
  await publish(server, 1, 2);
  await publish(server, 3, 3, "named");
  await expect.poll(events, POLL).toEqual([...messages(1, 2), "named 3"]);

  await server.kill("SIGKILL");
  const again = await startedProcess([...ARGS, "--port", String(server.port)]);
  await publish(again, 4, 5);
  await expect
    .poll(events, POLL)
    .toEqual([
      ...messages(1, 2),
      "named 3",
      'gap {"missed":null,"reason":"epoch"}',
      ...messages(4, 5),
    ]);
  await publish(again, 6, 6);
  await expect.poll(async () => (await events()).at(-1), POLL).toBe("message 6");
});

test("goes on without loss or repeat when its connection is cut, also before the first event", async () => {
  const server = await startedProcess(ARGS);
  const proxy = await startedFaultProxy(server.port);
  const reading = await listenIn(proxy.url);
  await reading.opened(1);
  await publish(server, 1, 3);
  await expect.poll(reading.events, POLL).toEqual(messages(1, 3));
  const fresh = await listenIn(proxy.url);
  await fresh.opened(1);
  proxy.cut(); // the fresh one has heard of no event yet
  await publish(server, 4, 8);
  await expect.poll(fresh.events, POLL).toEqual(messages(4, 8));
  await expect.poll(reading.events, POLL).toEqual(messages(1, 8));
  await publish(server, 9, 10);
  await expect.poll(fresh.events, POLL).toEqual(messages(4, 10));
  await expect.poll(reading.events, POLL).toEqual(messages(1, 10));
});

test("is told by a server that stops, in an `error` event with its reason", async () => {
  const server = await startedProcess(ARGS);
  const { events, opened } = await listenIn(server.url, "?last=1");
  await opened(1);
  await publish(server, 1, 1);
  await expect.poll(async () => (await events()).at(-1), POLL).toBe("message 1");
  const exit = server.kill("SIGTERM");
  await expect.poll(async () => (await events()).at(-1), POLL).toMatch(/^error /);
  const told = JSON.parse((await events()).at(-1)!.slice("error ".length)) as object;
  expect(told).toEqual({
    code: "shutting_down",
    message: "the server is stopping",
    retryAfterMs: expect.any(Number),
  });
  expect(await exit).toBe(0);
});

test("of an allowed foreign origin reads, and of any other hears nothing", async () => {
  const pages = await startedProcess(ARGS);
  const server = await startedProcess([...ARGS, "--allow-origin", pages.url]);
  const { page } = await openPage(browser, `${pages.url}/topics`);
  onTestFinished(() => page.close());
  const listen = (url: string) =>
    page.evaluate(
      (address) =>
        new Promise<string>((resolve) => {
          const source = new EventSource(address);
          source.onmessage = ({ data }: MessageEvent<string>) => resolve(`message ${data}`);
          source.onerror = () => resolve(`error, state ${source.readyState}`);
        }),
      `${url}/topics/${TOPIC}?last=1`,
    );
  await publish(server, 1, 1);
  await publish(pages, 1, 1);
  expect(await listen(server.url)).toBe("message 1");
  const other = await startedProcess(ARGS);
  expect(await listen(other.url)).toBe("error, state 2"); // given up for good
});
