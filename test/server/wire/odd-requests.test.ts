/** Streams that were asked for in a way that few clients ask: each is answered as HTTP has it. */
import { describe, expect, test } from "vitest";
import { startedLocal } from "../../support/server.ts";
import { isLetGo, serverEnds } from "../../support/server-ends.ts";
import { collect } from "../../support/collect.ts";
import { openTcp } from "../../support/wire.ts";

const CHUNKED_EVENT = /\r\n[0-9a-f]+\r\nid: \S+\ndata: "here"\n\n\r\n$/;
const PLAIN_EVENT = /\n\nid: \S+\ndata: "here"\n\n$/;

/** A GET of the stream; `head` are lines of its own. */
function get(head: readonly string[] = [], version = "HTTP/1.1"): string {
  const lines = [`GET /topics/topic ${version}`, "Host: localhost", "Accept: text/event-stream"];
  return `${[...lines, ...head].join("\r\n")}\r\n\r\n`;
}

async function asked(bytes: string) {
  const ends = serverEnds();
  const server = await startedLocal();
  const socket = await openTcp(server.url);
  const received = collect(socket);
  socket.write(bytes);
  await expect.poll(() => received.text).toMatch(/\n\n/);
  return { server, socket, received, end: ends[0]! };
}

describe("a request", () => {
  test.each([
    ["as any", get()],
    ["that wants no other after it", get(["Connection: close"])],
    ["with a body", `${get(["Content-Length: 4"])}body`],
    ["with a body in chunks", `${get(["Transfer-Encoding: chunked"])}4\r\nbody\r\n0\r\n\r\n`],
    ["that would rather have HTTP/2", get(["Connection: Upgrade", "Upgrade: h2c"])],
    ["of a proxy, by its absolute address", get().replace("/topics", "http://localhost/topics")],
  ])("%s: the stream goes on without http", async (_name, bytes) => {
    const { server, socket, received, end } = await asked(bytes);
    await expect.poll(() => isLetGo(end)).toBe(true);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(CHUNKED_EVENT);
    socket.destroy();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
  });

  test("that waits to be told to go on is told so first", async () => {
    const { server, socket, received, end } = await asked(
      get(["Expect: 100-continue", "Content-Length: 4"]),
    );
    expect(received.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    socket.write("body");
    await expect.poll(() => isLetGo(end)).toBe(true);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(CHUNKED_EVENT);
  });

  test.each([
    ["never comes to its end", "Content-Length: 1000000", "some of it"],
    ["goes on for ever", "Transfer-Encoding: chunked", "9\r\nsome more\r\n"],
  ])("whose body %s is streamed to all the same, and ends with its client", async (...row) => {
    const [, header, part] = row;
    const { server, socket, received, end } = await asked(get([header]) + part);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(CHUNKED_EVENT);
    const before = end.socket.bytesRead;
    for (let count = 0; count < 100; count += 1) socket.write(part);
    await expect.poll(() => end.socket.bytesRead - before).toBe(100 * part.length);
    expect(isLetGo(end)).toBe(false);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text.match(/"here"/g)).toHaveLength(2);
    socket.destroy();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
  });

  test("whose body comes late is let go of when it is there", async () => {
    const { server, socket, received, end } = await asked(get(["Content-Length: 4"]));
    await server.hub.publish("topic", 1);
    await expect.poll(() => received.text).toMatch(/data: 1\n\n\r\n$/);
    expect(isLetGo(end)).toBe(false);
    socket.write("body");
    await expect.poll(() => isLetGo(end)).toBe(true);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(CHUNKED_EVENT);
  });

  test.each([
    ["HTTP/1.0", get([], "HTTP/1.0")],
    ["HTTP/1.0 that would stay", get(["Connection: keep-alive"], "HTTP/1.0")],
  ])("of %s gets no chunks, and the end of the connection is the end", async (_name, bytes) => {
    const { server, received } = await asked(bytes);
    expect(received.text).toMatch(/\r\n\r\nretry: \d+\nid: \S+\n\n$/);
    expect(received.text).not.toMatch(/Transfer-Encoding/i);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(PLAIN_EVENT);
    await server.app.close();
    await expect.poll(() => received.ended).toBe(true);
    expect(received.text).toMatch(
      /\n\nretry: 0\nevent: error\ndata: \{"code":"shutting_down".*\}\n\n$/,
    );
  });

  test("HEAD gets the head alone, and the connection is good for another", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(get().replace("GET", "HEAD"));
    await expect.poll(() => received.text).toMatch(/\r\n\r\n$/);
    expect(received.text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*text\/event-stream/);
    expect(server.hub.stats().readers).toBe(0);
    received.text = "";
    socket.write(get());
    await expect.poll(() => received.text).toMatch(/\n\n/);
    await server.hub.publish("topic", "here");
    await expect.poll(() => received.text).toMatch(CHUNKED_EVENT);
  });

  test("of a page from an allowed origin gets its headers with the stream", async () => {
    const server = await startedLocal({ app: { allowOrigins: ["https://example.com"] } });
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(get(["Origin: https://example.com"]));
    await expect.poll(() => received.text).toMatch(/\n\n/);
    expect(received.text).toMatch(/^Access-Control-Allow-Origin: https:\/\/example\.com\r$/im);
    expect(received.text).toMatch(/^Vary: Origin\r$/im);
  });
});
