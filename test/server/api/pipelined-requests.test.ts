/** Several requests on one connection, sent without waiting for the answers (HTTP pipelining). */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { push } from "../../support/wire.ts";

test.each([
  ["SSE", get("Accept: text/event-stream")],
  ["NDJSON", get("Accept: application/x-ndjson")],
  ["long-polling", get("X: y", "?wait=30")],
])(
  "%s: the second begins when the first is done, and never if nobody waits",
  async (_name, ask) => {
    const server = await startedLocal();
    const socket = await open(server);
    socket.write(ask + ask);
    await expect.poll(() => server.app.stats()).toMatchObject({ readers: 1 });
    socket.destroy();
    await expect.poll(() => server.app.stats()).toMatchObject({ readers: 0 });
  },
);

test("answers come in the order of the requests", async () => {
  const server = await startedLocal();
  const socket = await open(server);
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(get("X: y", "?wait=30") + get("X: y", "?after=earliest") + get("X: y", "?limit=0"));
  await expect.poll(() => server.app.stats().readers).toBe(1);
  await server.hub.publish("topic", "here");
  await expect
    .poll(() => text.match(/HTTP\/1\.1 \d+/g))
    .toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
  expect(text.match(/"here"/g)).toHaveLength(2);
});

test("a held poll over Cap'n Web ends with its connection, the next never begins", async () => {
  const server = await startedLocal();
  const ids = await Promise.all([1, 2].map(() => server.hub.lease("topic")));
  const socket = await open(server);
  for (const { subscriptionId } of ids) {
    const body = `${push("poll", subscriptionId, { waitMs: 30_000 })}\n["pull",1]`;
    socket.write(
      `POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
  await expect.poll(() => server.app.stats().heldPolls).toBe(1);
  socket.destroy();
  await expect.poll(() => server.app.stats().heldPolls).toBe(0);
});

test.each([
  [4, true],
  [5, true],
  [6, false],
])("%i requests behind a stream, of 5 that may wait: alive %s", async (count, alive) => {
  const server = await startedLocal({ limits: { pipelinedRequests: 5 } });
  const socket = await open(server);
  const closed = once(socket, "close");
  socket.write(get("Accept: text/event-stream") + get("X: y").repeat(count));
  await expect.poll(() => server.app.stats().readers).toBe(alive ? 1 : 0);
  if (!alive) return void (await closed);
  await server.hub.publish("topic", 1);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  expect(chunk.toString()).toContain("data: 1");
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
