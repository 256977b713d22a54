/**
 * Node's http has clocks for connections, and ends those that it takes for idle or late. None of them
 * ends a stream that it has let go of.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type HttpStream, openHttpStream } from "../../../server/wire/http-stream.ts";
import { collect } from "../../support/collect.ts";
import { isLetGo, serverEnds } from "../../support/server-ends.ts";
import { openTcp } from "../../support/wire.ts";

test("a stream outlives the clocks for heads, requests, idle and silent connections", async () => {
  const { streams, ends, open, shorten } = await startedServer();
  const first = await open(get("/stream"));
  await expect.poll(() => streams.length).toBe(1);
  // And one on a connection that was idle before, with http's clock for that.
  const second = await open(get("/plain"));
  await expect.poll(() => second.received.text).toMatch(/plain$/);
  second.socket.write(get("/stream"));
  await expect.poll(() => streams.length).toBe(2);
  await expect.poll(() => ends.slice(0, 2).every(isLetGo)).toBe(true);

  // Three who are late, each in its own way, show that the clocks go.
  const idle = await open(get("/plain"));
  await expect.poll(() => idle.received.text).toMatch(/plain$/);
  shorten();
  const late = [
    await open("GET /stream HTTP/1.1\r\n"),
    await open(get("/stream", "Content-Length: 9")),
  ];
  for (const { socket } of ends) socket.emit("timeout"); // as their own timers do
  for (const { received } of [idle, ...late]) {
    await expect.poll(() => received.closed).toBe(true);
  }

  for (const stream of streams.slice(0, 2)) stream.write("still here");
  for (const { received } of [first, second]) {
    await expect.poll(() => received.text).toMatch(/\r\n\r\na\r\nstill here\r\n$/);
    expect(received.closed).toBe(false);
  }
});

async function startedServer() {
  const ends = serverEnds();
  const streams: HttpStream[] = [];
  const server = createServer({ connectionsCheckingInterval: 5 }, (request, response) => {
    if (request.url === "/plain") return void response.end("plain");
    streams.push(openHttpStream(response, { "Content-Type": "text/plain" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const { socket } of ends) socket.destroy();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    streams,
    ends,
    open: async (text: string) => {
      const socket = await openTcp(url);
      const received = collect(socket);
      socket.write(text);
      return { socket, received };
    },
    /** Whose head or body is not there after a millisecond is late. */
    shorten: () => void Object.assign(server, { headersTimeout: 1, requestTimeout: 1 }),
  };
}

function get(path: string, header = "X: y"): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
}
