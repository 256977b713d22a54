/** Cap'n Web over WebSocket at /api: the calls, and how a session ends. */
import { createHash } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { ERRORS } from "../../../server/errors.ts";
import { type FrameSocket, openFrames, refusedHandshake } from "../../support/frames.ts";
import { batch, openSocket } from "../../support/rpc.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { push } from "../../support/wire.ts";
import { until } from "../../support/until.ts";

const METRICS = "system-metrics";
const SAMPLE = { cpuUsage: 1, memoryUsage: 2, networkIO: 3, timestamp: 4 };
const ROUND_TRIP = [push("topics"), '["pull",1]'];

/** The frame that ends a session, with the code that the error has. */
function abort(code: string, message: string | RegExp = /./): unknown {
  return ["abort", ["error", "Error", expect.stringMatching(message), null, { code }]];
}

describe("a session", () => {
  test("offers every call", async () => {
    const { socketUrl, hub } = await startedLocal({ topics: ["topic", METRICS] });
    const { api } = await openSocket(socketUrl);
    const { subscriptionId, ...rest } = await api.subscribeSystemMetrics();
    expect(rest).toEqual({
      message: "Subscribed to real-time system metrics",
      status: "active",
      pollInterval: 1000,
    });
    await hub.publish(METRICS, SAMPLE);
    const updates = await api.pollMetricsUpdates(subscriptionId);
    expect(updates).toMatchObject({ subscriptionId, updates: [SAMPLE], hasMore: false, missed: 0 });
    expect(await api.unsubscribe(subscriptionId)).toMatchObject({ status: "inactive" });

    const topics = await api.topics();
    expect(topics.map(({ topic }) => topic)).toEqual(["topic", METRICS]);
    expect(await api.read(METRICS)).toMatchObject({ events: [{ data: SAMPLE }] });
    const subscribed = await api.subscribe("topic");
    const polling = api.poll(subscribed.subscriptionId, { waitMs: 30_000 });
    await hub.publish("topic", "news");
    expect(await polling).toMatchObject({ events: [{ data: "news" }] });
    await expect(api.read("nope")).rejects.toMatchObject({ code: "topic_not_found" });
    await expect(api.poll("nope")).rejects.toMatchObject({ code: "subscription_not_found" });
  });

  test.each(["promise", "request", "response", "blob", "remap", "pipeline", "import", "push"])(
    "takes a topic named %s for a name, not for notation",
    async (topic) => {
      const { socketUrl, hub } = await startedLocal({ topics: [topic] });
      const { api } = await openSocket(socketUrl);
      await hub.publish(topic, 1);
      expect((await api.read(topic)).events).toHaveLength(1);
      const { subscriptionId } = await api.subscribe(topic, { after: "earliest" });
      expect((await api.poll(subscriptionId)).events).toHaveLength(1);
    },
  );

  test("pipelines: one call takes the result of another before that has come", async () => {
    const { socketUrl, hub } = await startedLocal();
    await hub.publish("topic", "old");
    const { api } = await openSocket(socketUrl);
    const subscribed = api.subscribe("topic", { after: "earliest" });
    expect(await api.poll(subscribed.subscriptionId)).toMatchObject({ events: [{ data: "old" }] });
  });

  test("takes the frames that come together with the handshake", async () => {
    const { url } = await startedLocal();
    const { hostname, port } = new URL(url);
    const socket = connectTcp(Number(port), hostname);
    onTestFinished(() => {
      socket.destroy();
    });
    const key = createHash("md5").update(url).digest("base64");
    const handshake =
      `GET /api HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\n` +
      `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
    socket.write(Buffer.concat([Buffer.from(handshake), ...ROUND_TRIP.map(maskedFrame)]));
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    await until(() => text.includes('["resolve",1,[[{"topic":"topic"'));
  });

  test("does not compress: a client that offers it gets none", async () => {
    const { socketUrl } = await startedLocal();
    const { socket } = await openFrames(socketUrl, { perMessageDeflate: true });
    expect(socket.extensions).toBe("");
  });

  test.each(["constructor", "toString", "__proto__", "#open", "#hub", "hub", "poll.call"])(
    "has no call %s",
    async (name) => {
      const { socketUrl } = await startedLocal();
      const { send, next } = await openFrames(socketUrl);
      send(JSON.stringify(["push", ["pipeline", 0, name.split("."), []]]), '["pull",1]');
      const [kind, id, error] = (await next()) as [string, number, unknown[]];
      expect([kind, id, error[0]]).toEqual(["reject", 1, "error"]);
      expect(error[3]).toBe(null); // no stack
      expect(error[4]).toEqual({ code: "invalid_request" });
    },
  );
});

describe("an id", () => {
  test("is good over any transport and survives the connection it was made on", async () => {
    const { url, socketUrl, hub } = await startedLocal();
    const first = await openSocket(socketUrl);
    const { subscriptionId } = await first.api.subscribe("topic");
    await hub.publish("topic", 1);
    expect(await first.api.poll(subscriptionId)).toMatchObject({ events: [{ data: 1 }] });
    first.close();
    await hub.publish("topic", 2);
    expect(await batch(url).poll(subscriptionId)).toMatchObject({ events: [{ data: 2 }] });
    await hub.publish("topic", 3);
    const second = await openSocket(socketUrl);
    expect(await second.api.poll(subscriptionId)).toMatchObject({ events: [{ data: 3 }] });
    await second.api.unsubscribe(subscriptionId);
    await expect(batch(url).poll(subscriptionId)).rejects.toMatchObject({
      code: "subscription_not_found",
    });
  });

  test("loses nothing when the connection goes during a held poll", async () => {
    const { url, socketUrl, hub, app } = await startedLocal();
    const { api, close } = await openSocket(socketUrl);
    const { subscriptionId } = await api.subscribe("topic");
    const polling = api.poll(subscriptionId, { waitMs: 30_000 }) as Promise<unknown>;
    await api.topics(); // by now the poll is held
    close();
    await expect(polling).rejects.toThrow("closed");
    await until(() => app.stats().sessions === 0);
    await hub.publish("topic", "kept");
    expect(await batch(url).poll(subscriptionId)).toMatchObject({ events: [{ data: "kept" }] });
  });
});

describe("a bad frame ends the session, says why, and hurts no other", () => {
  const cases: [string, string | Buffer, string, RegExp][] = [
    ["that is not JSON", "{", "protocol_error", /^Expected JSON: /],
    ["that is empty", "", "protocol_error", /^Expected JSON: /],
    ["that ends with a newline and more", '["pull",0]\n["pull",0]', "protocol_error", /JSON/],
    ["that is JSON and no message", '{"push":1}', "invalid_request", /^bad RPC message: /],
    ["that is null", "null", "invalid_request", /^bad RPC message: /],
    ["that is an unknown message", '["nonsense"]', "invalid_request", /^bad RPC message: /],
    ["that pulls an unknown id", '["pull",7]', "invalid_request", /^no such export ID: 7/],
    ["that releases an unknown id", '["release",7,1]', "invalid_request", /^no such export ID: 7/],
    ["that calls an unknown id", '["push",["pipeline",7,["x"],[]]]', "invalid_request", /^no such/],
    ["that nests too deep", deep(10_000), "protocol_error", /nesting of at most 256/],
    ["that opens a pipe", '["pipe"]', "protocol_error", /^Expected no streams from the client/],
    ["that is binary", Buffer.from('["push"]'), "unsupported_data", /^Expected text frames/],
  ];

  test.each(cases)("%s", async (_name, frame, code, reason) => {
    const server = await startedLocal();
    const bystander = await openSocket(server.socketUrl);
    const { subscriptionId } = await bystander.api.subscribe("topic");
    const polling = bystander.api.poll(subscriptionId, { waitMs: 30_000 });
    const { send, next, closed } = await openFrames(server.socketUrl);
    send(push("subscribe", "topic"), frame);
    expect(await next()).toEqual(abort(code, reason));
    const ending = await closed;
    expect(ending.code).toBe(code === "unsupported_data" ? 1003 : 1002);
    expect(Buffer.byteLength(ending.reason)).toBeLessThanOrEqual(123);
    await until(() => server.app.stats().sessions === 1);
    await server.hub.publish("topic", "for the bystander");
    expect(await polling).toMatchObject({ events: [{ data: "for the bystander" }] });
    expect(server.errors).toEqual([]);
  });

  test("that is not UTF-8 closes with 1007", async () => {
    const server = await startedLocal();
    const { socket, closed } = await openFrames(server.socketUrl);
    socket.send(Buffer.from([0xff]), { binary: false });
    expect((await closed).code).toBe(1007);
    await until(() => server.app.stats().sessions === 0);
  });

  test("and what comes behind it is not waited for", async () => {
    const server = await startedLocal();
    const { send, closed } = await openFrames(server.socketUrl);
    // More than the inbox takes before the server stops reading.
    send("{", ...Array.from({ length: 1_000 }, () => push("subscribe", "topic")));
    // Counted in round trips of others, not in seconds.
    let code: number | undefined;
    const closing = closed.then((ending) => (code = ending.code));
    for (let trips = 0; code === undefined && trips < 2_000; trips += 1) {
      await batch(server.url).topics();
    }
    expect(code).toBe(1002);
    await closing;
    expect(server.hub.stats().subscriptions).toBe(0);
  });

  test("an abort of the client ends the session without a word", async () => {
    const server = await startedLocal();
    const { send, inbox, closed } = await openFrames(server.socketUrl);
    send('["abort",["error","Error","good bye"]]');
    await closed;
    expect(inbox).toEqual([]);
    await until(() => server.app.stats().sessions === 0);
    expect(server.errors).toEqual([]);
  });
});

describe("a frame's size", () => {
  const frameBytes = 10_000;
  test.each([frameBytes - 1, frameBytes, frameBytes + 1])(`%i of ${frameBytes}`, async (bytes) => {
    const server = await startedLocal({ limits: { frameBytes } });
    const bystander = await openFrames(server.socketUrl);
    const { send, next, closed } = await openFrames(server.socketUrl);
    send(push("topics").padEnd(bytes), '["pull",1]');
    if (bytes > frameBytes) {
      expect((await closed).code).toBe(1009);
      await until(() => server.app.stats().sessions === 1);
    } else {
      expect(await next()).toMatchObject(["resolve", 1, {}]);
    }
    await roundTrip(bystander, 1);
    expect(server.errors).toEqual([]);
  });

  test("by default it is 1 MiB", async () => {
    const { socketUrl } = await startedLocal();
    const { send, next, closed } = await openFrames(socketUrl);
    send(push("topics").padEnd(1024 * 1024), '["pull",1]');
    expect(await next()).toMatchObject(["resolve", 1, {}]);
    send(push("topics").padEnd(1024 * 1024 + 1));
    expect((await closed).code).toBe(1009);
  });

  test("a message in pieces is counted as a whole", async () => {
    const { socketUrl } = await startedLocal({ limits: { frameBytes } });
    const { socket, closed } = await openFrames(socketUrl);
    for (let sent = 0; sent <= frameBytes; sent += 1_000) {
      socket.send(" ".repeat(1_000), { fin: false });
    }
    expect((await closed).code).toBe(1009);
  });
});

describe("what a server holds is bounded", () => {
  test.each([1, 2, 3])("sessions: %i of 2", async (count) => {
    const { url, socketUrl, app } = await startedLocal({ limits: { sessions: 2 } });
    const open: FrameSocket[] = [];
    while (open.length < Math.min(2, count)) open.push(await openFrames(socketUrl));
    if (count > 2) {
      const { status, headers } = await refusedHandshake(socketUrl);
      expect(status).toBe(503);
      expect(headers["retry-after"]).toMatch(/^[1-9]\d*$/);
      await batch(url).topics(); // HTTP goes on
      open[0]!.socket.close();
      await until(() => app.stats().sessions === 1);
      await openFrames(socketUrl);
    }
    expect(app.stats().sessions).toBe(Math.min(2, count));
  });

  test("sessions that are opened all at once are not more", async () => {
    const { socketUrl, app } = await startedLocal({ limits: { sessions: 2 } });
    const opened = await Promise.allSettled(
      Array.from({ length: 20 }, () => openFrames(socketUrl)),
    );
    expect(opened.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
    expect(app.stats().sessions).toBe(2);
  });

  test.each([2, 3, 4])("calls that are not released: %i of 3", async (count) => {
    const { socketUrl } = await startedLocal({ limits: { sessionCalls: 3 } });
    const { send, next, closed } = await openFrames(socketUrl);
    for (let id = 1; id <= Math.min(count, 3); id += 1) await roundTrip({ send, next }, id);
    if (count === 4) {
      send(push("topics"));
      expect(await next()).toEqual(abort("limit_exceeded", /^Expected at most 3 calls/));
      expect((await closed).code).toBe(ERRORS.limit_exceeded.close);
    }
  });

  test("calls that are released are forgotten: a thousand, three at a time", async () => {
    const { socketUrl, app } = await startedLocal({ limits: { sessionCalls: 3 } });
    const { api } = await openSocket(socketUrl);
    const before = app.stats().exports;
    for (let count = 0; count < 1_000; count += 1) await api.topics();
    await until(() => app.stats().exports === before);
  });

  test.each(["0", "-1", "0.5"])(
    "a release of %s references does not hide a call from the count",
    async (references) => {
      const { url, socketUrl, app } = await startedLocal({ limits: { sessionCalls: 10 } });
      const { socket, send, closed } = await openFrames(socketUrl);
      for (let id = 1; id <= 100 && socket.readyState === socket.OPEN; id += 1) {
        send(push("topics"), `["release",${id},${references}]`);
      }
      send('["pull",100]');
      // Other requests are the clock: by then the server has taken all of it up.
      for (let trip = 0; trip < 100; trip += 1) await batch(url).topics();
      expect(app.stats().exports).toBeLessThanOrEqual(11);
      expect([1002, 1013]).toContain((await closed).code);
    },
  );

  test("parameters that are not released: bytes", async () => {
    const { socketUrl } = await startedLocal({ limits: { sessionBytes: 10_000 } });
    const { send, next, closed } = await openFrames(socketUrl);
    for (let id = 1; id <= 20; id += 1) {
      send(push("read", "x".repeat(1_000)));
    }
    expect(await next()).toEqual(abort("limit_exceeded", /10000 bytes that are not released/));
    expect((await closed).code).toBe(1013);
  });

  test("answers that are not released: bytes", async () => {
    const { socketUrl, hub } = await startedLocal({ limits: { sessionBytes: 10_000 } });
    await hub.publish("topic", "x".repeat(4_000));
    const { send, next, closed } = await openFrames(socketUrl);
    for (let id = 1; id <= 3; id += 1) {
      send(push("read", "topic"), `["pull",${id}]`);
      expect(await next()).toMatchObject(["resolve", id, {}]);
    }
    send(push("topics"));
    expect(await next()).toEqual(abort("limit_exceeded", /10000 bytes that are not released/));
    expect((await closed).code).toBe(1013);
  });

  test.each([1, 2, 3])("polls held at once: %i of 2", async (count) => {
    const { socketUrl, hub } = await startedLocal({ limits: { sessionWaits: 2 } });
    const { api } = await openSocket(socketUrl);
    const ids: string[] = [];
    while (ids.length < count) ids.push((await api.subscribe("topic")).subscriptionId);
    const polls = ids.map((id) => api.poll(id, { waitMs: 30_000 }) as Promise<unknown>);
    if (count > 2) {
      await expect(polls[2]).rejects.toMatchObject({
        code: "limit_exceeded",
        message: "Expected at most 2 polls at once",
      });
    } else {
      await api.topics();
    }
    await hub.publish("topic", "for all");
    for (const poll of polls.slice(0, 2)) {
      expect(await poll).toMatchObject({ events: [{ data: "for all" }] });
    }
    // And there is room again.
    expect(await api.poll(ids[0]!)).toMatchObject({ events: [] });
  });
});

describe("a client that does not read", () => {
  test("gets no more work done, and everything once it reads again", async () => {
    const limits = { socketBytes: 64 * 1024, inboxMessages: 16, sessionBytes: 2 ** 30 };
    const server = await startedLocal({ limits });
    await server.hub.publish("topic", "x".repeat(60_000));
    const { socket, send, inbox } = await openFrames(server.socketUrl);
    const neighbour = await openFrames(server.socketUrl);
    socket.pause();
    const calls = 1_000; // 60 MB of answers, far more than the kernel's buffers take
    for (let id = 1; id <= calls; id += 1) send(push("read", "topic"), `["pull",${id}]`);
    // The neighbour's round trips are the clock: the server has had all the turns it wanted.
    let trips = 0;
    const held = await settled(server, async () => roundTrip(neighbour, (trips += 1)));
    expect(held).toBeLessThan(calls / 2);
    socket.resume();
    await until(() => inbox.length === calls);
    expect(inbox.map((message) => (message as unknown[])[1])).toEqual(
      Array.from({ length: calls }, (_, index) => index + 1),
    );
  });

  test("is told of the end when it reads again", async () => {
    const server = await startedLocal({ limits: { socketBytes: 1024 } });
    await server.hub.publish("topic", "x".repeat(60_000));
    const { socket, send, inbox, closed } = await openFrames(server.socketUrl);
    socket.pause();
    for (let id = 1; id <= 200; id += 1) send(push("read", "topic"), `["pull",${id}]`);
    let trips = 0;
    const neighbour = await openFrames(server.socketUrl);
    await settled(server, async () => roundTrip(neighbour, (trips += 1)));
    const closing = server.app.close();
    socket.resume();
    expect((await closed).code).toBe(1012);
    expect(inbox.at(-1)).toEqual([
      "abort",
      ["error", "Error", "the server is stopping", null, expect.objectContaining({})],
    ]);
    await closing;
  });
});

describe("pings", () => {
  test("drop a peer that does not answer them", async () => {
    const server = await startedLocal({ limits: { pingMs: 10, pongMs: 20 } });
    const { closed } = await openFrames(server.socketUrl, { autoPong: false });
    expect((await closed).code).toBe(1006);
    await until(() => server.app.stats().sessions === 0);
  });

  test("end the held poll and the streams of a peer that was dropped", async () => {
    const server = await startedLocal({ limits: { pingMs: 10, pongMs: 20 } });
    const { send, closed } = await openFrames(server.socketUrl, { autoPong: false });
    send(push("tail", "topic"), '["pull",1]');
    await closed;
    await until(() => server.app.stats().readers === 0 && server.app.stats().sessions === 0);
  });

  test("leave a peer alone that answers them", async () => {
    const { socketUrl } = await startedLocal({ limits: { pingMs: 20, pongMs: 1_000 } });
    const client = await openFrames(socketUrl);
    // Twice as long as one unanswered ping would be suffered.
    for (let pings = 0; pings < 100; pings += 1) {
      const ping = new Promise((resolve) => void client.socket.once("ping", resolve));
      expect(await Promise.race([ping, client.closed])).not.toHaveProperty("code");
    }
    await roundTrip(client, 1);
  });
});

describe("a server that stops", () => {
  test("tells each session when to come back, spread over the grace", async () => {
    const { app, hub, socketUrl } = await startedLocal();
    const sockets = [await openFrames(socketUrl), await openFrames(socketUrl)];
    const numbers = [0.25, 0.5, 0.75];
    await app.close({ graceMs: 8_000, random: () => numbers.shift()! });
    const told: unknown[] = [];
    for (const { next, closed } of sockets) {
      const [kind, error] = (await next()) as [string, unknown[]];
      expect([kind, error[2]]).toEqual(["abort", "the server is stopping"]);
      told.push(error[4]);
      expect((await closed).code).toBe(1012);
    }
    expect(told).toEqual([
      { code: "shutting_down", retryAfterMs: 2_000 },
      { code: "shutting_down", retryAfterMs: 4_000 },
    ]);
    expect(hub.stats()).toMatchObject({ subscriptions: 0, readers: 0 });
  });

  test("refuses a handshake and a batch, and says when to come back", async () => {
    const { app, url, socketUrl } = await startedLocal();
    await app.close({ graceMs: 8_000, random: () => 0.5 });
    expect(await refusedHandshake(socketUrl)).toMatchObject({
      status: 503,
      headers: { "retry-after": "4" },
    });
    const response = await fetch(`${url}/api`, { method: "POST", body: push("topics") });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("4");
    expect(await response.text()).toBe("the server is stopping");
  });

  test("may be told to stop twice", async () => {
    const { app, socketUrl } = await startedLocal();
    const { closed } = await openFrames(socketUrl);
    await Promise.all([app.close(), app.close()]);
    await app.close();
    expect((await closed).code).toBe(1012);
  });
});

/** A call and its answer; `id` is the number of this call in its session. */
async function roundTrip({ send, next }: Pick<FrameSocket, "send" | "next">, id: number) {
  send(push("topics"), `["pull",${id}]`);
  expect(await next()).toMatchObject(["resolve", id, {}]);
}

/**
 * Makes round trips until the server has taken nothing else in for a hundred of them.
 * @returns how many results its sessions hold, without those of the round trips
 */
async function settled({ app }: LocalServer, trip: () => Promise<void>): Promise<number> {
  let held = app.stats().exports;
  let trips = 0;
  for (let same = 0; same < 100; same += 1) {
    await trip();
    trips += 1;
    const now = app.stats().exports - trips;
    if (now !== held) same = 0;
    held = now;
  }
  return held;
}

function deep(depth: number): string {
  return `["push",["pipeline",0,["read"],[${"[[".repeat(depth)}${"]]".repeat(depth)}]]]`;
}

/** A text frame of a client, RFC 6455 §5.2. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]!);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]);
}
