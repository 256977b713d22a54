/** What the documents promise for later, all waited for at the same time: 20, 30 and 54 seconds. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type ServerProcess, startProcess } from "../support/server.ts";
import { until } from "../support/until.ts";
import { type Shell, start } from "./shell.ts";

const PING_MS = 54_000;

let server: ServerProcess;
let since: number;
let servlet: Shell;
let dashboard: Shell;
let chat: WebSocket;
let pingAt: number | undefined;

beforeAll(async () => {
  server = await startProcess();
  since = performance.now();
  servlet = start(`curl -sN http://localhost:${server.port}/HelloServlet`);
  dashboard = start(`curl -sN http://localhost:${server.port}/dashboard/stream`);
  chat = new WebSocket(`ws://localhost:${server.port}/ws/chat`);
  chat.once("ping", () => (pingAt = performance.now()));
  await until(() => chat.readyState === WebSocket.OPEN);
});

afterAll(async () => {
  servlet?.kill();
  dashboard?.kill();
  chat?.terminate();
  await server?.kill("SIGKILL");
});

test("Pushing: the servlet writes 20 times, a second apart, and closes", async () => {
  expect(await servlet.ended).toBe(0);
  expect(performance.now() - since).toBeGreaterThan(19_500);
  expect(servlet.stdout()).toMatch(/^(?:data: \d{13}\n\n){20}$/);
  const times = [...servlet.stdout().matchAll(/\d{13}/g)].map(Number);
  expect((times[19]! - times[0]!) / 19).toBeGreaterThan(900);
  expect((times[19]! - times[0]!) / 19).toBeLessThan(1_500);
});

test("Go SSE Server: the heartbeat comes every 30 s", async () => {
  const stdout = await dashboard.prints(/^: heartbeat\n\n/m);
  expect(performance.now() - since).toBeGreaterThan(29_000);
  expect(stdout.match(/^data: /gm)!.length).toBeGreaterThan(5);
});

test("WebSocket & SSE: a ping comes every 54 s", { timeout: 90_000 }, async () => {
  await until(() => pingAt !== undefined);
  expect(pingAt! - since).toBeGreaterThan(PING_MS - 1_000);
  expect(pingAt! - since).toBeLessThan(PING_MS + 6_000);
  expect(chat.readyState).toBe(WebSocket.OPEN);
});
