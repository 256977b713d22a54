/** How a stream ends that http has let go of: told, complete, and nothing of it stays. */
import { once } from "node:events";
import { Agent, get as request } from "node:http";
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createApp } from "../../../server/app.ts";
import { Hub } from "../../../server/hub.ts";
import { listen } from "../../../server/listen.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { handOver } from "../../../server/wire/hand-over.ts";
import { type HttpStream, openHttpStream } from "../../../server/wire/http-stream.ts";
import { collect } from "../../support/collect.ts";
import { startedLocal } from "../../support/server.ts";
import { isLetGo, serverEnds } from "../../support/server-ends.ts";
import { openTcp } from "../../support/wire.ts";

const ASK = "GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
const FAREWELL =
  /\r\n([0-9a-f]+)\r\n(retry: \d+\nevent: error\ndata: [^\n]*"shutting_down"[^\n]*\n\n)\r\n0\r\n\r\n$/;

describe("a server that stops", () => {
  test("tells every client in a last chunk, ends the answer, and then the connection", async () => {
    const ends = serverEnds();
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const received = collect(socket);
    socket.write(ASK);
    await expect.poll(() => isLetGo(ends[0]!)).toBe(true);
    await server.app.close({ graceMs: 1_000 });
    await expect.poll(() => received.closed).toBe(true);
    const [, length, text] = FAREWELL.exec(received.text)!;
    expect(Number.parseInt(length!, 16)).toBe(text!.length);
    expect(ends[0]!.socket.destroyed).toBe(true);
  });

  test("does not wait longer than it said for clients that never read", async () => {
    const ends = serverEnds();
    const hub = new Hub(new MemoryStore());
    await hub.createTopic("topic");
    const app = createApp(hub);
    const server = await listen(app, { host: "127.0.0.1", port: 0 });
    const sockets = await Promise.all(
      Array.from({ length: 5 }, () => openTcp(`http://127.0.0.1:${server.port}`)),
    );
    for (const socket of sockets) socket.pause().write(ASK);
    await expect.poll(() => hub.stats().readers).toBe(5);
    while (ends.some(({ socket }) => !socket.writableNeedDrain)) {
      await hub.publish("topic", "x".repeat(60_000));
      await turn();
    }
    const closed = server.close({ graceMs: 100 });
    await app.close();
    expect(hub.stats().readers).toBe(0); // they are told as soon as they read
    expect(ends.some(({ socket }) => socket.destroyed)).toBe(false);
    await closed;
    expect(ends.every(({ socket }) => socket.destroyed)).toBe(true);
  });
});

/** A stream at `/stream` that the test writes to, and a plain answer at `/plain`. */
async function startedStreams() {
  const streams: HttpStream[] = [];
  let closes = 0;
  const server = await startedLocal({
    app: {
      routes: (router) => {
        router.get("/stream", (c) =>
          handOver(c, "text/plain", (response) => {
            const stream = openHttpStream(response, { "Content-Type": "text/plain" });
            stream.onClose(() => (closes += 1));
            streams.push(stream);
          }),
        );
        router.get("/plain", (c) => c.text("plain"));
      },
    },
  });
  return { server, streams, closes: () => closes };
}

test("a client that reads the end and never closes does not keep the connection", async () => {
  const ends = serverEnds();
  const { server, streams, closes } = await startedStreams();
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  const received = collect(socket);
  socket.write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await expect.poll(() => ends.length === 1 && isLetGo(ends[0]!)).toBe(true);
  streams[0]!.end("the end");
  await expect.poll(() => received.ended).toBe(true);
  expect(received.text).toMatch(/\r\n\r\n7\r\nthe end\r\n0\r\n\r\n$/);
  await expect.poll(() => ends[0]!.socket.destroyed).toBe(true);
  expect(closes()).toBe(1);
});

test("what is written after the end does not cost a slow client the end", async () => {
  const ends = serverEnds();
  const { server, streams } = await startedStreams();
  const socket = await openTcp(server.url);
  socket.pause().write("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await expect.poll(() => ends.length === 1 && isLetGo(ends[0]!)).toBe(true);
  while (streams[0]!.hasRoom) {
    streams[0]!.write("x".repeat(60_000));
    await turn();
  }
  streams[0]!.end("the end");
  streams[0]!.write("too late");
  for (let count = 0; count < 4; count += 1) await turn();
  const received = collect(socket);
  socket.resume();
  await expect.poll(() => received.ended).toBe(true);
  expect(received.text.slice(-17)).toBe("7\r\nthe end\r\n0\r\n\r\n");
});

describe("a client that keeps its connections", () => {
  async function started() {
    const { server, streams, closes } = await startedStreams();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    return { server, streams, closes, ask: (path: string) => asked(`${server.url}${path}`, agent) };
  }

  test("gets the next answer whole when a stream has ended, also one that waited for it", async () => {
    const { ask, streams } = await started();
    const first = ask("/stream");
    await expect.poll(() => streams.length).toBe(1);
    const second = ask("/plain");
    streams[0]!.write("one, ");
    streams[0]!.end("the end");
    streams[0]!.write("too late");
    expect(await (await first).text).toBe("one, the end");
    expect(await (await second).text).toBe("plain");
    expect(await (await ask("/plain")).text).toBe("plain");
  });

  test("gets the next answer whole when it has left a stream", async () => {
    const { ask, streams, closes } = await started();
    const { leave } = await ask("/stream");
    streams[0]!.write("one");
    leave();
    await expect.poll(closes).toBe(1);
    streams[0]!.write("too late");
    streams[0]!.end("too late");
    expect(await (await ask("/plain")).text).toBe("plain");
  });

  test("may come with a stream on a connection that it has used before", async () => {
    const { ask, streams } = await started();
    for (let count = 0; count < 3; count += 1) {
      expect(await (await ask("/plain")).text).toBe("plain");
    }
    const stream = ask("/stream");
    await expect.poll(() => streams.length).toBe(1);
    streams[0]!.write("one, ");
    streams[0]!.end("two");
    expect(await (await stream).text).toBe("one, two");
  });
});

/** Resolves when the head is there. */
async function asked(url: string, agent: Agent) {
  const outgoing = request(url, { agent });
  const [response] = (await once(outgoing, "response")) as [NodeJS.ReadableStream];
  response.setEncoding("utf8");
  const read = async () => {
    let text = "";
    for await (const part of response) text += part as string;
    return text;
  };
  const text = read();
  text.catch(() => {}); // of one that was left
  return { text, leave: () => void outgoing.destroy() };
}
