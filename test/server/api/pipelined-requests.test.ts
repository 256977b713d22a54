/** Several requests on one connection, sent without waiting for the answers (HTTP pipelining). */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { push } from "../../support/wire.ts";

test.each([
  ["SSE", get("Accept: text/event-stream"), { readers: 2 }],
  ["NDJSON", get("Accept: application/x-ndjson"), { readers: 2 }],
  ["long-polling", get("X: y", "?wait=30"), { readers: 2 }],
])("%s: the second ends with its connection, like the first", async (_name, request, held) => {
  const server = await startedLocal();
  const socket = await open(server);
  socket.write(request + request);
  await expect.poll(() => server.app.stats()).toMatchObject(held);
  socket.destroy();
  await expect.poll(() => server.app.stats()).toMatchObject({ readers: 0 });
});

test("a held poll over Cap'n Web ends with its connection, also the second", async () => {
  const server = await startedLocal();
  const ids = await Promise.all([1, 2].map(() => server.hub.lease("topic")));
  const socket = await open(server);
  for (const { subscriptionId } of ids) {
    const body = `${push("poll", subscriptionId, { waitMs: 30_000 })}\n["pull",1]`;
    socket.write(
      `POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
  await expect.poll(() => server.app.stats().heldPolls).toBe(2);
  socket.destroy();
  await expect.poll(() => server.app.stats().heldPolls).toBe(0);
});

test("a hundred of them warn of no leak", async () => {
  const server = await startedLocal();
  const warnings: string[] = [];
  const warn = (warning: Error) => warnings.push(warning.message);
  process.on("warning", warn);
  onTestFinished(() => void process.off("warning", warn));
  const socket = await open(server);
  socket.write(get("Accept: text/event-stream").repeat(100));
  await expect.poll(() => server.app.stats().readers).toBeGreaterThan(50);
  socket.destroy();
  await expect.poll(() => server.app.stats().readers).toBe(0);
  expect(warnings).toEqual([]);
});

function get(header: string, query = ""): string {
  return `GET /topics/topic${query} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
}

async function open(server: LocalServer) {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.resume();
  return socket;
}
