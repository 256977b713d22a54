/** What the client's transports do beyond the contract: at the first word, at the last, and between. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import type { TopicBatch } from "../../../client/transport.ts";
import { websocket } from "../../../client/transports/websocket.ts";
import { startedFaultProxy } from "../../support/fault-proxy.ts";
import { startedLocal } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { TRANSPORTS } from "./readers.ts";

const names = Object.keys(TRANSPORTS);
const pushing = names.filter((name) => !name.includes("poll"));
const overHttp = names.filter((name) => !name.startsWith("rpc-"));

/** A server that answers as a test says; ended with it. */
async function startServer(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(name: string, url: string, { topic = "topic", after = "latest" } = {}) {
  const stop = new AbortController();
  onTestFinished(() => stop.abort(new Error("the test is over")));
  const traffic = { requests: 0, bytes: 0 };
  const transport = TRANSPORTS[name]!({ url }, topic, {
    onRequest: () => (traffic.requests += 1),
    onBytes: (bytes) => (traffic.bytes += bytes),
  });
  const batches = transport.open({ after }, stop.signal)[Symbol.asyncIterator]();
  const next = async () => (await batches.next()).value as TopicBatch;
  return { next, stop, traffic, batches, transport };
}

describe.each(names)("%s", (name) => {
  test("is called by its name", async () => {
    expect(open(name, "http://127.0.0.1:1").transport.name).toBe(name);
  });

  test("gives a cursor at once, also where nothing has happened yet", async () => {
    const server = await startedLocal();
    for (const after of ["latest", "earliest"]) {
      const batch = await open(name, server.url, { after }).next();
      expect(batch).toMatchObject({ events: [], cursor: expect.stringMatching(/^[^.]+\.0$/) });
    }
  });

  test("begins so many events back, or with all there are", async () => {
    const server = await startedLocal({ store: { historyEvents: 4 } });
    for (let number = 1; number <= 6; number += 1) await server.hub.publish("topic", number);
    for (const [last, offsets] of [
      [2, [5, 6]],
      [100, [3, 4, 5, 6]],
    ] as const) {
      const stop = new AbortController();
      const seen: number[] = [];
      for await (const { events, gap } of TRANSPORTS[name]!(server).open({ last }, stop.signal)) {
        expect(gap).toBeUndefined();
        seen.push(...events.map(({ offset }) => offset));
        if (seen.length === offsets.length) break;
      }
      expect(seen).toEqual(offsets);
    }
  });

  test("ends with the signal's reason, whatever it waits for", async () => {
    const server = await startedLocal();
    const reason = new Error("enough");
    const { stop, next } = open(name, server.url);
    await next();
    const waiting = next();
    if (pushing.includes(name)) await until(() => server.app.stats().readers === 1);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await until(() => server.app.stats().readers === 0);

    const late = open(name, server.url);
    late.stop.abort(reason);
    await expect(late.next()).rejects.toBe(reason);

    // A server that takes the connection and never says a word.
    let asked = 0;
    const mute = await startServer(() => (asked += 1));
    const held = open(name, mute);
    const never = held.next();
    if (overHttp.includes(name) && name !== "websocket") await until(() => asked === 1);
    held.stop.abort(reason);
    await expect(never).rejects.toBe(reason);
  });

  test("says that nobody answers, which may change", async () => {
    const url = await startServer(() => {});
    const { port } = new URL(url);
    const closed = `http://127.0.0.1:${Number(port) === 1 ? 2 : 1}`;
    await expect(open(name, closed).next()).rejects.toMatchObject({ canRetry: true });
  });

  test("says that the connection was lost, which may change", async () => {
    const server = await startedLocal();
    const { next } = open(name, server.url);
    await next();
    const waiting = next();
    const told = expect(waiting).rejects.toMatchObject({ canRetry: true });
    await server.close();
    await told;
  });

  test("counts its requests and the bytes that came", async () => {
    const server = await startedLocal();
    const { next, traffic } = open(name, server.url);
    await next();
    await server.hub.publish("topic", "x".repeat(1_000));
    while ((await next()).events.length === 0);
    expect(traffic.bytes).toBeGreaterThan(1_000);
    expect(traffic.bytes).toBeLessThan(3_000);
    if (pushing.includes(name)) expect(traffic.requests).toBe(1);
    else expect(traffic.requests).toBeGreaterThan(1);
  });

  test("gives a heartbeat as an empty batch", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 20 } });
    await server.hub.publish("topic", 1);
    const { next } = open(name, server.url, { after: "earliest" });
    while ((await next()).events.length === 0);
    if (name === "long-poll" || name === "rpc-poll") return; // they wait longer, and then give one
    expect(await next()).toEqual({ events: [], cursor: expect.stringMatching(/\.1$/) });
  });
});

describe.each(overHttp)("%s, refused at the door", (name) => {
  test.each([
    [404, { code: "topic_not_found", message: "no such topic" }, false],
    [503, { code: "limit_exceeded", message: "full", retryAfterMs: 1_500 }, true],
  ])("with %d, says why and whether it may change", async (status, error, canRetry) => {
    const url = await startServer((_request, response) => {
      response.writeHead(status).end(JSON.stringify({ error }));
    });
    await expect(open(name, url).next()).rejects.toMatchObject({ ...error, canRetry });
  });

  test("by something else than such a server, says so", async () => {
    const url = await startServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Welcome</h1>");
    });
    await expect(open(name, url).next()).rejects.toMatchObject({
      code: "protocol_error",
      canRetry: false,
      message: expect.stringContaining("text/html"),
    });
  });
});

test.each(["rpc-tail", "websocket", "sse", "ndjson"])(
  "%s says in plain words that its connection was cut",
  async (name) => {
    const server = await startedLocal();
    const proxy = await startedFaultProxy(Number(new URL(server.url).port));
    const { next } = open(name, proxy.url);
    await next();
    const waiting = expect(next()).rejects.toMatchObject({
      code: "connection_lost",
      // Node's fetch takes the end of an answer for its end, also in the middle of a chunk.
      message: expect.stringMatching(/^The (connection was lost|server ended the stream)$/),
    });
    proxy.cut();
    await waiting;
  },
);

test("an answer that is no batch of Cap'n Web is told as such by rpc-poll", async () => {
  const url = await startServer((_request, response) => response.end("<h1>Welcome</h1>"));
  await expect(open("rpc-poll", url).next()).rejects.toMatchObject({
    code: "protocol_error",
    canRetry: false,
  });
});

const TYPES: Record<string, string> = {
  sse: "text/event-stream",
  ndjson: "application/x-ndjson",
  poll: "application/json",
  "long-poll": "application/json",
};

describe("an answer that no server of this kind gives", () => {
  test.each([
    ["sse", "data: {}\n\n"],
    ["sse", "id: 7\ndata: {}\n\n"],
    ["sse", "id: e.7\ndata: hello\n\n"],
    ["sse", "id: e.7\nevent: gap\ndata: 3\n\n"],
    ["sse", "event: error\ndata: {}\n\n"],
    ["ndjson", "hello\n"],
    ["ndjson", "{}\n"],
    ["ndjson", "null\n"],
    ["ndjson", '{"cursor":"e.7","data":1}\n'],
    ["ndjson", '{"cursor":"e.7","gap":{"missed":"3"}}\n'],
    ["poll", "[]"],
    ["poll", '{"events":[],"cursor":7}'],
    ["poll", '{"events":[{"offset":"7"}],"cursor":"e.7"}'],
    ["long-poll", ""],
  ])("is no batch of %s: %j", async (name, body) => {
    const url = await startServer((_request, response) => {
      response.writeHead(200, { "Content-Type": TYPES[name]!, Cursor: "e.6" }).end(body);
    });
    const { next } = open(name, url);
    const readAll = async () => {
      for (;;) await next();
    };
    await expect(readAll()).rejects.toMatchObject({ code: "protocol_error", canRetry: false });
  });

  test.each([Buffer.from("{}"), "hello", "[]", '{"events":[{}],"cursor":"e.1"}'])(
    "is no batch of websocket: %s",
    async (frame) => {
      const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
      onTestFinished(() => server.close());
      await once(server, "listening");
      server.on("connection", (socket) => socket.send(frame));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await expect(open("websocket", url).next()).rejects.toMatchObject({
        code: "protocol_error",
        canRetry: false,
      });
    },
  );
});

describe("what came before the end", () => {
  test.each([
    ["sse", 'id: e.1\ndata: 1\n\nevent: error\ndata: {"code":"internal","message":"x"}\n\n'],
    ["sse", "id: e.1\ndata: 1\n\nid: e.2\ndata: no JSON\n\n"],
    ["ndjson", '{"cursor":"e.1","offset":1,"data":1}\n{"error":{"code":"internal"}}\n'],
    ["ndjson", '{"cursor":"e.1","offset":1,"data":1}\nno JSON\n'],
  ])("is given by %s, although it came in one piece with it", async (name, body) => {
    const url = await startServer((_request, response) => {
      response.writeHead(200, { "Content-Type": TYPES[name]!, Cursor: "e.0" }).end(body);
    });
    const { next } = open(name, url);
    let batch = await next();
    if (batch.events.length === 0) batch = await next();
    expect(batch).toEqual({ events: [{ offset: 1, data: 1 }], cursor: "e.1" });
    await expect(next()).rejects.toThrow();
  });

  test("a gap in the middle of a piece begins a batch", async () => {
    const gap = { missed: 2, reason: "evicted" };
    const bodies = {
      sse: `id: e.1\ndata: 1\n\nid: e.3\nevent: gap\ndata: ${JSON.stringify(gap)}\n\nid: e.4\nevent: x\ndata: 4\n\n`,
      ndjson: `{"cursor":"e.1","offset":1,"data":1}\n{"cursor":"e.3","gap":${JSON.stringify(gap)}}\n{"cursor":"e.4","offset":4,"name":"x","data":4}\n`,
    };
    for (const [name, body] of Object.entries(bodies)) {
      const url = await startServer((_request, response) => {
        response.writeHead(200, { "Content-Type": TYPES[name]!, Cursor: "e.0" }).end(body);
      });
      const { next } = open(name, url);
      let first = await next();
      if (first.events.length === 0) first = await next();
      expect(first).toEqual({ events: [{ offset: 1, data: 1 }], cursor: "e.1" });
      expect(await next()).toEqual({
        events: [{ offset: 4, name: "x", data: 4 }],
        cursor: "e.4",
        gap,
      });
    }
  });

  test("an SSE stream's `retry:` counts for whatever ends it", async () => {
    const url = await startServer((_request, response) => {
      response.writeHead(200, { "Content-Type": TYPES["sse"]! });
      response.write("retry: 1234\nid: e.0\n\n", () => response.destroy());
    });
    const { next } = open("sse", url);
    await next();
    await expect(next()).rejects.toMatchObject({ code: "connection_lost", retryAfterMs: 1_234 });
  });
});

describe("a reader that takes its time", () => {
  test.each(["sse", "ndjson", "websocket"])("does not fill the memory: %s", async (name) => {
    const server = await startedLocal({ store: { historyEvents: 100_000, historyBytes: 2 ** 30 } });
    const { next, traffic } = open(name, server.url);
    await next();
    const text = "x".repeat(50_000);
    for (let number = 1; number <= 1_000; number += 1) await server.hub.publish("topic", text);
    let before = -1;
    // What sockets and streams hold by themselves arrives; then it stands still.
    await expect
      .poll(
        () => {
          const moved = traffic.bytes !== before;
          before = traffic.bytes;
          return moved;
        },
        { interval: 200 },
      )
      .toBe(false);
    expect(traffic.bytes).toBeLessThan(2_000_000);
    let events = 0;
    while (events < 1_000) events += (await next()).events.length;
    expect(traffic.bytes).toBeGreaterThan(50_000_000);
  });

  test("is cut off where the socket cannot be paused, and may come back", async () => {
    class Unpausable extends WebSocket {
      constructor(url: string, options?: ClientOptions) {
        super(url, options);
        Object.assign(this, { pause: undefined, resume: undefined });
      }
    }
    const server = await startedLocal({ store: { historyEvents: 100_000, historyBytes: 2 ** 30 } });
    const text = "x".repeat(50_000);
    for (let number = 1; number <= 1_000; number += 1) await server.hub.publish("topic", text);
    const stop = new AbortController();
    let bytes = 0;
    const transport = websocket({
      url: `${server.url}/topics/topic`,
      WebSocket: Unpausable,
      onBytes: (count) => (bytes += count),
    });
    const batches = transport.open({ after: "earliest" }, stop.signal)[Symbol.asyncIterator]();
    await batches.next();
    await until(() => server.app.stats().readers === 0);
    await expect(batches.next()).rejects.toMatchObject({ code: "slow_reader", canRetry: true });
    expect(bytes).toBeLessThan(18_000_000);
  });
});

test.each([
  ["polls are not held", '{"events":[],"cursor":"e.0"}'],
  ["nothing takes much room", `{"events":[],"cursor":"e.0","more":"${"x".repeat(200_000)}"}`],
  [
    "each poll is another server's",
    '{"events":[{"offset":1}],"cursor":"e.1","gap":{"missed":null,"reason":"epoch"}}',
  ],
])("long-poll does not ask without a pause where %s", async (_, body) => {
  let asked = 0;
  const url = await startServer((_request, response) => {
    asked += 1;
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(body);
  });
  const { next } = open("long-poll", url);
  await next();
  await next(); // after this one it knows
  const third = next();
  const fourth = third.then(next);
  await until(() => asked >= 3);
  const [before, now] = [performance.now(), asked];
  await fourth;
  expect(now).toBe(3);
  expect(performance.now() - before).toBeGreaterThan(900);
});

test("rpc-poll may come back when its subscription has lapsed, although that one never does", async () => {
  const server = await startedLocal({ limits: { leaseMs: 50 } });
  await server.hub.publish("topic", 1);
  const { next } = open("rpc-poll", server.url, { after: "earliest" });
  await next();
  await until(() => server.app.stats().subscriptions === 0);
  const lapsed = { code: "subscription_not_found", canRetry: true };
  await expect(next()).rejects.toMatchObject(lapsed);
});

test.each(["latest", "earliest"])(
  "rpc-poll loses nothing that the history holds, also from %s on",
  async (after) => {
    const server = await startedLocal({ limits: { subscriptionCapacity: 4 } });
    const { next } = open("rpc-poll", server.url, { after });
    await next();
    for (let number = 1; number <= 20; number += 1) await server.hub.publish("topic", number);
    const batch = await next();
    expect(batch.gap).toBeUndefined();
    expect(batch.events).toHaveLength(20);
  },
);

test("a cursor of one transport is good on every other", async () => {
  const server = await startedLocal();
  await server.hub.publish("topic", 0);
  let after = "earliest";
  for (const [index, name] of [...names, ...names].entries()) {
    await server.hub.publish("topic", index + 1);
    const { next, stop } = open(name, server.url, { after });
    let batch = await next();
    if (batch.events.length === 0) batch = await next();
    expect(batch.events[0]!.data).toBe(index === 0 ? 0 : index + 1);
    after = batch.cursor;
    stop.abort();
  }
});
