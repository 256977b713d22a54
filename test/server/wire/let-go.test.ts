/**
 * Once a stream has begun, Node's http has no part in it. Nobody may notice: neither who stays, nor
 * who leaves, nor who sends what nobody waits for.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { survivors } from "../../support/collect-garbage.ts";
import { collect } from "../../support/collect.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { isLetGo, serverEnds } from "../../support/server-ends.ts";
import { openTcp, readUntil } from "../../support/wire.ts";

const STREAMS = [
  ["SSE", "text/event-stream", /id: \S+\n\n/, /data: /g],
  ["NDJSON", "application/x-ndjson", /\r\n\r\n/, /"data":/g],
] as const;

const LEAVINGS: [string, (socket: Socket) => unknown][] = [
  ["ends its half", (socket) => socket.end()],
  ["closes", (socket) => socket.destroy()],
  ["is reset", (socket) => socket.resetAndDestroy()],
];

describe.each(STREAMS)("over %s", (_name, accept, begun, event) => {
  const ask = `GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`;

  /** A stream that http has let go of; `text` is all that has come. */
  async function opened() {
    const ends = serverEnds();
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(ask);
    await expect.poll(() => received.text).toMatch(begun);
    const end = ends[0]!;
    await expect.poll(() => isLetGo(end)).toBe(true);
    return { server, socket, received, end, ends };
  }

  test("request and response are garbage, the parser serves the next, and the stream goes on", async () => {
    const { stackTraceLimit } = Error;
    const { server, received, end, ends } = await opened();
    expect(Error.stackTraceLimit).toBe(stackTraceLimit); // errors say where again
    await expect.poll(() => survivors(end.http)).toBe(0);
    const parser = end.parsers[0]!.deref();
    expect(parser).toBeDefined(); // Node keeps it, for the next
    await openStream(server, ask, begun);
    expect(ends[1]!.parsers[0]!.deref()).toBe(parser);
    await goesOn(server, received, event);
  });

  test("a Node whose http listens by another name keeps the connection, and nobody notices", async () => {
    const rename = (message: unknown) => {
      const { socket } = (message as { request: IncomingMessage }).request;
      const [listener] = socket.listeners("drain") as (() => void)[];
      socket.off("drain", listener!).on("drain", () => listener!());
    };
    subscribe("http.server.request.start", rename);
    onTestFinished(() => void unsubscribe("http.server.request.start", rename));
    const ends = serverEnds();
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(ask);
    await expect.poll(() => received.text).toMatch(begun);
    await goesOn(server, received, event);
    expect(isLetGo(ends[0]!)).toBe(false);
    await server.app.close();
    await expect.poll(() => received.ended).toBe(true);
    expect(received.text).toMatch(/"shutting_down"[^]*\n\r\n0\r\n\r\n$/);
    expect(server.hub.stats().readers).toBe(0);
  });

  test.each(LEAVINGS)(
    "a client that %s is noticed, and its connection is closed",
    async (_how, leave) => {
      const { server, socket, end } = await opened();
      expect(server.hub.stats().readers).toBe(1);
      leave(socket);
      await expect.poll(() => server.hub.stats().readers).toBe(0);
      await expect.poll(() => end.socket.destroyed).toBe(true);
      expect(server.errors).toEqual([]);
    },
  );

  test("clients may leave at any moment from the first byte on: nothing of them is left", async () => {
    const ends = serverEnds();
    const server = await startedLocal();
    const leavings = LEAVINGS.flatMap(([, leave]) =>
      Array.from({ length: 40 }, async (_, turns) => {
        const socket = await openTcp(server.url);
        socket.resume().write(ask);
        for (let count = 0; count < turns; count += 1) await turn();
        leave(socket);
      }),
    );
    await Promise.all(leavings);
    await expect.poll(() => ends.length).toBe(leavings.length);
    await server.hub.publish("topic", "is anybody there");
    await expect.poll(() => ends.filter(({ socket }) => !socket.destroyed)).toHaveLength(0);
    await expect.poll(() => server.hub.stats().readers).toBe(0);
    expect(server.errors).toEqual([]);
  });

  test("a client that reads nothing any more and ends its half is nobody's reader", async () => {
    const { server, socket, end } = await opened();
    socket.pause();
    while (!end.socket.writableNeedDrain) {
      await server.hub.publish("topic", "x".repeat(60_000));
      await turn();
    }
    socket.end();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
    expect(end.socket.destroyed).toBe(false); // the rest is for it, if it should read again
  });

  test("a stream that was asked for while earlier answers were stuck is like any", async () => {
    const ends = serverEnds();
    const server = await startedLocal();
    for (let count = 0; count < 8; count += 1)
      await server.hub.publish("topic", "x".repeat(60_000));
    const socket = await openTcp(server.url);
    socket.pause();
    const poll = "GET /topics/topic?after=earliest HTTP/1.1\r\nHost: localhost\r\n\r\n";
    socket.write(poll.repeat(40));
    await expect.poll(() => ends[0]?.socket.writableNeedDrain).toBe(true);
    socket.write(ask);
    await expect.poll(() => ends[0]!.parsers.length).toBe(41);
    const received = collect(socket);
    socket.resume();
    await expect.poll(() => isLetGo(ends[0]!)).toBe(true);
    received.text = "";
    await goesOn(server, received, event);
    socket.end();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
  });

  test("a client that ends its half gets the end of the answer and of the connection", async () => {
    const { socket, received } = await opened();
    socket.end();
    await expect.poll(() => received.ended).toBe(true);
    expect(received.text).toMatch(/\r\n0\r\n\r\n$/);
  });

  test.each([
    ["requests", ask.repeat(1_000)],
    [
      "a handshake",
      ask.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ],
    ["a megabyte of noise", "\0\r\n\u00ff".repeat(256 * 1024)],
  ])("%s that come later are nobody's business", async (_what, bytes) => {
    const { server, socket, received, end } = await opened();
    const before = end.socket.bytesRead;
    socket.write(bytes, "latin1");
    await expect.poll(() => end.socket.bytesRead - before).toBe(bytes.length);
    await goesOn(server, received, event);
    expect(received.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(server.hub.stats().readers).toBe(1);
    socket.destroy();
    await expect.poll(() => server.hub.stats().readers).toBe(0);
  });

  test("clients that are reset in the middle of a write take nobody with them", async () => {
    const { server, received, ends } = await opened();
    const frozen = await Promise.all(
      Array.from({ length: 10 }, () => openStream(server, ask, begun)),
    );
    for (const socket of frozen) socket.pause();
    const stuck = () => ends.filter(({ socket }) => socket.writableNeedDrain).length;
    while (stuck() < frozen.length) {
      await server.hub.publish("topic", "x".repeat(60_000));
      await turn();
    }
    for (const socket of frozen) socket.resetAndDestroy();
    await server.hub.publish("topic", "into the middle of it");
    await expect.poll(() => server.hub.stats().readers).toBe(1);
    received.text = "";
    await goesOn(server, received, event);
    expect(server.errors).toEqual([]);
  });
});

/** One more event arrives. */
async function goesOn(server: LocalServer, received: { text: string }, event: RegExp) {
  const count = () => received.text.match(event)?.length ?? 0;
  const before = count();
  await server.hub.publish("topic", "one more");
  await expect.poll(() => received.text).toContain("one more");
  expect(count()).toBeGreaterThan(before);
}

async function openStream(server: LocalServer, ask: string, begun: RegExp): Promise<Socket> {
  const socket = await openTcp(server.url);
  const begins = readUntil(socket, begun);
  socket.write(ask);
  await begins;
  return socket;
}
