/** The bytes of a topic as lines of JSON. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { openChunks } from "../../support/chunks.ts";
import { startedLocal } from "../../support/server.ts";
import { NDJSON } from "../../support/topic-requests.ts";

test("begins with the head alone, where the header `Cursor` says the place", async () => {
  const { url, hub } = await startedLocal();
  const cursor = await hub.publish("topic", 1);
  const { status, headers, socket } = await openChunks(`${url}/topics/topic`, NDJSON);
  onTestFinished(() => void socket.destroy());
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    "content-type": "application/x-ndjson",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    cursor,
  });
  expect(headers).not.toHaveProperty("content-encoding");
});

test("gaps, events and the end are these lines", async () => {
  const { url, hub, app } = await startedLocal({ store: { historyEvents: 2, now: () => 1_234 } });
  const first = await hub.publish("topic", "lost");
  const [epoch] = first.split(".");
  await hub.publish("topic", "lost too");
  await hub.publish("topic", { text: "a\n\u2028b" }, { name: "näme" });
  await hub.publish("topic", null);
  const { next, socket } = await openChunks(`${url}/topics/topic?after=${first}`, NDJSON);
  onTestFinished(() => void socket.destroy());
  expect(await next()).toBe(
    `{"cursor":"${epoch}.2","gap":{"missed":1,"reason":"evicted"}}\n` +
      `{"cursor":"${epoch}.3","offset":3,"time":1234,"name":"näme","data":{"text":"a\\n\u2028b"}}\n` +
      `{"cursor":"${epoch}.4","offset":4,"time":1234,"data":null}\n`,
  );
  await app.close({ graceMs: 8_000, random: () => 0.25 });
  expect(await next()).toBe(
    `{"error":{"code":"shutting_down","message":"the server is stopping","retryAfterMs":2000}}\n`,
  );
  expect(await next()).toBeUndefined();
});

test("curl shows each event as it comes, and ends when the server does", async () => {
  const { url, hub, app } = await startedLocal();
  const curl = promisify(execFile)("curl", [
    "-sN",
    `${url}/topics/topic`,
    "-H",
    "Accept: application/x-ndjson",
  ]);
  await expect.poll(() => app.stats().readers).toBe(1);
  await hub.publish("topic", { number: 1 });
  await hub.publish("topic", { number: 2 });
  await app.close();
  const lines = (await curl).stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { offset: 1, data: { number: 1 } },
    { offset: 2, data: { number: 2 } },
    { error: { code: "shutting_down" } },
  ]);
});
