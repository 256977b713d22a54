/** "Server Push Example": its command, its three methods and its page, with only the port changed. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, openPage } from "../static/open-page.ts";
import { type ServerProcess, startProcess } from "../support/server.ts";
import { callLine } from "../support/wire.ts";
import { run } from "./shell.ts";

const COMMAND = `echo '["push",["pipeline",1,["subscribeSystemMetrics"],[]]]
["pull",1]' | curl -X POST http://localhost:8000/api -H "Content-Type: text/plain" --data-binary @-`;

// As printed there with three spaces in front of each line, which a reader pastes along.
const INDENTED_COMMAND = COMMAND.replace("\n", "\n   ");

const UPDATE = `{
  "cpuUsage": 45.2,
  "memoryUsage": 62.8,
  "networkIO": 23.4,
  "timestamp": 1640995200
}`;

let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startProcess(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

/** What the one line of an answer resolves to. */
function resolved(line: string): Record<string, unknown> {
  const [kind, id, value] = JSON.parse(line) as [string, number, Record<string, unknown>];
  expect([kind, id]).toEqual(["resolve", 1]);
  return value;
}

function call(method: string, ...args: unknown[]): Promise<Record<string, unknown>> {
  return callLine(server.url, method, ...args).then(resolved);
}

describe("the command", () => {
  test.each([
    ["as pasted", COMMAND],
    ["with the indentation of the document", INDENTED_COMMAND],
  ])("subscribes to system metrics: %s", async (_how, command) => {
    const shell = run(command.replace("8000", `${server.port}`));
    expect(await shell.ended).toBe(0);
    expect(resolved(shell.stdout())).toEqual({
      subscriptionId: expect.stringMatching(/^system_metrics_[\w-]{11,}$/),
      message: "Subscribed to real-time system metrics",
      status: "active",
      pollInterval: 1000,
    });
  });
});

describe("the methods", () => {
  test("subscribe, poll and unsubscribe, as their tables say", async () => {
    const subscribed = await call("subscribeSystemMetrics");
    expect(Object.keys(subscribed)).toEqual([
      "subscriptionId",
      "message",
      "status",
      "pollInterval",
    ]);
    const { subscriptionId } = subscribed;

    let polled = await call("pollMetricsUpdates", subscriptionId);
    expect(polled).toMatchObject({ subscriptionId, hasMore: false });
    expect(polled["timestamp"]).toEqual(expect.any(Number));
    // Arrays are doubled on the wire; empty until there is something.
    while ((polled["updates"] as [unknown[]])[0].length === 0) {
      polled = await call("pollMetricsUpdates", subscriptionId, { waitMs: 5_000 });
    }
    const [[update]] = polled["updates"] as [[Record<string, unknown>]];
    expect(Object.keys(update)).toEqual(Object.keys(JSON.parse(UPDATE) as object));
    for (const value of Object.values(update)) expect(value).toEqual(expect.any(Number));
    expect(Number.isInteger(update["timestamp"])).toBe(true);
    expect(Math.abs(Number(update["timestamp"]) - Date.now() / 1000)).toBeLessThan(60);

    expect(await call("unsubscribe", subscriptionId)).toEqual({
      subscriptionId,
      message: "Successfully unsubscribed",
      status: "inactive",
    });
    const line = await callLine(server.url, "pollMetricsUpdates", subscriptionId);
    expect(line).toMatch(/^\["reject",1,.*subscription not found/);
  });
});

test("the page is there, shows live metrics and complains about nothing", async () => {
  const url = "http://localhost:8000/static/serverpush/".replace("8000", `${server.port}`);
  const { page, problems } = await openPage(browser, url);
  await expect.poll(() => page.title()).toContain("System Metrics");
  await page.getByText(/^Subscribed \(ID: system_metrics_/).waitFor();
  for (const name of ["CPU Usage", "Memory Usage", "Network I/O"]) {
    expect(await page.getByText(name).count()).toBeGreaterThan(0);
  }
  expect(problems).toEqual([]);
});
