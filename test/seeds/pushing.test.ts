/**
 * "Pushing": the servlet with its page, and the four ways of getting news that it compares. Its
 * WebSocket demo is in exec.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Batch } from "../../server/contract.ts";
import { launchBrowser } from "../static/open-page.ts";
import { type ServerProcess, startProcess } from "../support/server.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/wire.ts";
import { run } from "./shell.ts";

const PAGE = `<!DOCTYPE HTML>
<html>
<head>
	<title>Server-Sent Events Servlet example</title>
	<style>
		body {
			font-family: sans-serif;
		}
	</style>
</head>
<body>
	Time: <span id="foo"></span>
	<br><br>
	<button onclick="start()">Start</button>

	<script>
	function start() {
		var eventSource = new EventSource("HelloServlet");
		eventSource.onmessage = function(event) {
			document.getElementById('foo').innerHTML = event.data;
		};
	}
	</script>
</body>
</html>
`;

let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startProcess(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

describe("the page of the servlet", () => {
  test("shows another time each second after a click on Start", async () => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const address = `http://localhost:${server.port}/servlet.html`;
    await context.route(address, (route) =>
      route.fulfill({ contentType: "text/html; charset=utf-8", body: PAGE }),
    );
    const page = await context.newPage();
    await page.goto(address);
    const time = page.locator("#foo");
    expect(await time.innerText()).toBe("");
    await page.getByRole("button", { name: "Start" }).click();
    const shown: number[] = [];
    while (shown.length < 3) {
      const text = await time.innerText();
      if (/^\d{13}$/.test(text) && Number(text) !== shown.at(-1)) shown.push(Number(text));
      await sleep(20);
    }
    expect(Math.abs(shown[0]! - Date.now())).toBeLessThan(10_000);
    expect(shown[2]! - shown[0]!).toBeGreaterThan(1_900);
  });
});

describe("the four ways of getting news", () => {
  const topic = (query: string) => `${server.url}/topics/system-metrics?${query}`;
  const poll = async (query: string) => {
    const { status, text } = await ask(topic(query));
    expect(status).toBe(200);
    return JSON.parse(text) as Batch;
  };

  test("polling: the answer comes at once, and says so when there is nothing new", async () => {
    const { cursor, events } = await poll("after=latest");
    expect(events).toEqual([]);
    const again = await poll(`after=${cursor}`);
    expect(again).toEqual({ events: [], cursor });
    // Asked again and again, a while apart, it has the news some time.
    await until(async () => {
      await sleep(100);
      return (await poll(`after=${cursor}`)).events.length > 0;
    });
  });

  test("long-polling: the answer is held until there is news, and then it ends", async () => {
    const { cursor } = await poll("after=latest");
    const { events, cursor: next } = await poll(`after=${cursor}&wait=25`);
    expect(events).toHaveLength(1);
    expect((await poll(`after=${next}&wait=25`)).events[0]!.offset).toBe(events[0]!.offset + 1);
  });

  test("Server-Sent Events: one answer for many events", async () => {
    const line = `curl -siN -H "Accept: text/event-stream" ${topic("last=1")}`;
    const stdout = await run(line).prints(/(?:^id: .+\ndata: \{.+\}\n\n[^]*){3}/m);
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*^content-type: text\/event-stream\r$/im);
    expect(stdout.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test("WebSocket: upgraded from HTTP, and one message for what is new", async () => {
    const socket = new WebSocket(topic("last=1").replace("http", "ws"));
    onTestFinished(() => socket.terminate());
    const offsets: number[] = [];
    socket.on("message", (frame) => {
      const { events } = JSON.parse((frame as Buffer).toString()) as Batch;
      offsets.push(...events.map(({ offset }) => offset));
    });
    await until(() => offsets.length >= 3);
    expect(offsets).toEqual(offsets.map((_, index) => offsets[0]! + index));
  });
});
