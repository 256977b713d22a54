/**
 * What a client sends in one packet with the request for a stream (HTTP pipelining). Its answers
 * come after the stream or never: not one byte of them inside it, and the stream goes on.
 */
import { describe, expect, test } from "vitest";
import { collect } from "../../support/collect.ts";
import { startedLocal } from "../../support/server.ts";
import { isLetGo, serverEnds } from "../../support/server-ends.ts";
import { openTcp } from "../../support/wire.ts";

const STREAM = get("Accept: text/event-stream");
const HELD = get("Accept: application/json", "/topics/topic?wait=30");
const SHAKE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const SECOND_ANSWER = /HTTP\/1\.1 [^]*HTTP\/1\.1 /;

describe("behind a stream", () => {
  test.each([
    ["a poll", get("Accept: application/json")],
    ["a hundred bytes of a request", `GET /${"x".repeat(95)}`],
    ["another stream", STREAM],
    ["a request without a host", "GET / HTTP/1.1\r\n\r\n"],
    ["a request that expects what nobody knows", get("Expect: a miracle")],
    ["a wish for HTTP/2", get("Connection: Upgrade\r\nUpgrade: h2c")],
  ])("%s waits: the stream goes on, alone", async (_name, bytes) => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(STREAM + bytes);
    for (const number of [1, 2, 3]) {
      await expect.poll(() => server.hub.stats().readers).toBe(1);
      await server.hub.publish("topic", number);
      await expect.poll(() => received.text).toMatch(new RegExp(`data: ${number}\n\n\r\n$`));
    }
    expect(received.text).not.toMatch(SECOND_ANSWER);
    socket.destroy();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
    expect(server.errors).toEqual([]);
  });

  test("an answer that had to wait comes when the stream is over, or the connection ends", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(STREAM + get("Accept: application/json"));
    await expect.poll(() => server.hub.stats().readers).toBe(1);
    await server.app.close();
    await expect.poll(() => received.ended).toBe(true);
    const [stream, ...others] = received.text.split(/(?=HTTP\/1\.1 )/);
    expect(stream).toMatch(/event: error\n[^]*\n\n\r\n0\r\n\r\n$/);
    for (const answer of others) expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  });
});

// Node takes its hands off a connection that wants to be a WebSocket, whoever waits there.
describe.each([
  ["a stream", STREAM],
  ["a held poll", HELD],
])("behind %s", (_name, first) => {
  test.each([
    ["that would be accepted", get(SHAKE)],
    ["that would be refused", get(SHAKE, "/topics/unknown")],
    ["to nowhere", get(SHAKE, "//")],
  ])("a handshake %s never mixes with it, and leaves nothing open", async (_what, handshake) => {
    const ends = serverEnds();
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(first + handshake);
    // Whatever becomes of the connection: its requests have been through the server's hands.
    await expect.poll(() => ends[0]!.socket.bytesRead).toBe(first.length + handshake.length);
    for (let count = 0; count < 5; count += 1) {
      expect(await (await fetch(`${server.url}/topics`)).json()).toHaveLength(1);
      await server.hub.publish("topic", "here");
    }
    expect(received.text).not.toMatch(SECOND_ANSWER);
    expect(received.text).not.toMatch(/ 101 /);
    // Nobody reads from it any more, so a client that leaves would not be noticed.
    await expect.poll(() => received.closed).toBe(true);
    await expect.poll(() => server.hub.stats().readers).toBe(0);
    expect(server.errors).toEqual([]);
  });
});

test("behind a held poll a stream begins when that is answered, and goes on without http", async () => {
  const ends = serverEnds();
  const server = await startedLocal();
  const socket = await openTcp(server.url);
  const received = collect(socket);
  socket.write(HELD + STREAM);
  await expect.poll(() => server.hub.stats().readers).toBe(1);
  await server.hub.publish("topic", "first");
  await expect.poll(() => received.text).toMatch(/"data":"first"[^]*HTTP\/1\.1 200 [^]*\nid: /);
  await expect.poll(() => isLetGo(ends[0]!)).toBe(true);
  await server.hub.publish("topic", "second");
  await expect.poll(() => received.text).toMatch(/\ndata: "second"\n\n\r\n$/);
});

test("behind an answer that is done a handshake is as good as any", async () => {
  const server = await startedLocal();
  const socket = await openTcp(server.url);
  const received = collect(socket);
  socket.write(get("Accept: application/json"));
  await expect.poll(() => received.text).toMatch(/"cursor":[^}]*\}$/);
  socket.write(get(SHAKE));
  await expect.poll(() => received.text).toMatch(/HTTP\/1\.1 101 /);
  await server.hub.publish("topic", "here");
  await expect.poll(() => received.text).toMatch(/"data":"here"/);
});

function get(header: string, path = "/topics/topic"): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n`;
}
