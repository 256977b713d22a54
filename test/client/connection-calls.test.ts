import { describe, expect, it } from "vitest";
import { startedLocal } from "../support/server.ts";
import {
  connectionTo,
  failed,
  failure,
  MIN_MS,
  network,
  NOWHERE,
  pulled,
  reached,
} from "./opened-connection.ts";
import { startScriptedServer } from "./scripted-server.ts";

const CALL_WAIT_MS = 30_000;

describe("a call that no connection is there for", () => {
  it("waits for the next session and runs once, pipelined calls too", async () => {
    const server = await startedLocal({ app: { publishToken: "secret" }, topics: ["a"] });
    const net = network();
    const { connection, time } = connectionTo(server.socketUrl, { WebSocket: net.WebSocket });
    const published = connection.api.authenticate("secret").publish("a", "before");
    await failed(connection);
    const second = connection.api.authenticate("secret").publish("a", "between two tries");
    time.advance(MIN_MS);
    await reached(connection, "reconnecting");
    await failed(connection);
    net.isOn = true;
    time.advance(MIN_MS);
    const [{ cursor }, later] = await Promise.all([published, second]);
    expect([cursor, later.cursor].map((text) => text.split(".")[1])).toEqual(["1", "2"]);
    const { events } = await server.hub.read("a", { after: "earliest" });
    expect(events.map(({ data }) => data)).toEqual(["before", "between two tries"]);
  });

  it("waits also after a session was there, and goes to the new one", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    const { api } = connection;
    await api.topics();
    server.sockets[0]?.terminate();
    await failed(connection);
    const called = server.calls.length;
    const answer = api.read("a");
    time.advance(MIN_MS);
    expect(await answer).toEqual([]);
    expect(server.sockets).toHaveLength(2);
    expect(server.calls.slice(called).filter((name) => name === "read")).toEqual(["read"]);
  });

  it("is given up after a while, and then has not run", async () => {
    const server = await startScriptedServer();
    const net = network();
    const { connection, time } = connectionTo(server.url, {
      WebSocket: net.WebSocket,
      callWaitMs: CALL_WAIT_MS,
    });
    const outcome = failure(connection.api.read("a"));
    while (time.now() < CALL_WAIT_MS - MIN_MS) {
      await failed(connection);
      time.advance(MIN_MS);
      await expect.poll(() => connection.status.retryInMs).toBeUndefined();
    }
    await failed(connection);
    time.advance(CALL_WAIT_MS - time.now() - 1);
    expect(await Promise.race([outcome, Promise.resolve("it waits")])).toBe("it waits");
    time.advance(1);
    expect(await outcome).toMatchObject({
      code: "unreachable",
      message: "The server cannot be reached: no connection for 30 s",
    });
    net.isOn = true;
    const next = connection.api.topics();
    await expect.poll(() => (time.advance(MIN_MS), connection.status.state)).toBe("connected");
    await next;
    expect(server.calls).not.toContain("read");
  });

  it("is one of many, and when they grow beyond 16 Mi characters none of them runs", async () => {
    const server = await startScriptedServer();
    const net = network();
    const { connection, time } = connectionTo(server.url, { WebSocket: net.WebSocket });
    const calls = (count: number, topic: string) =>
      Promise.all(Array.from({ length: count }, () => failure(connection.api.read(topic))));
    connection.open();
    await failed(connection);
    const tooMany = await calls(17, "a".repeat(1024 * 1024));
    for (const error of tooMany) {
      expect(error).toMatchObject({
        code: "unreachable",
        message: expect.stringContaining("too many"),
      });
    }
    const enough = calls(1_000, "a");
    net.isOn = true;
    time.advance(MIN_MS);
    expect(new Set(await enough)).toEqual(new Set(["no error"]));
    expect(server.calls.filter((name) => name === "read")).toHaveLength(1_000);
  });
});

describe("a call that was sent", () => {
  it("is rejected when its session breaks before the answer, and never repeated", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    const outcome = failure(connection.api.read("a"));
    const pipelined = failure(connection.api.authenticate("t").publish("a", 1));
    await pulled(server, 3);
    server.sockets[0]?.terminate();
    expect(await outcome).toMatchObject({
      code: "may_have_run",
      canRetry: true,
      message: "The connection was lost",
    });
    expect(await pipelined).toMatchObject({ code: "may_have_run" });
    await failed(connection);
    server.answering = true;
    time.advance(MIN_MS);
    await reached(connection, "connected");
    await connection.api.topics();
    expect(server.calls.filter((name) => name !== "topics")).toEqual([
      "read",
      "authenticate",
      "publish",
    ]);
  });

  it("may have run too when it had waited and the socket ended as soon as it was open", async () => {
    const server = await startScriptedServer();
    server.answering = false;
    const { connection } = connectionTo(server.url);
    const outcome = failure(connection.api.read("a"));
    await pulled(server, 2); // the call, and the question whether anybody is there
    server.sockets[0]?.close(1011);
    expect(await outcome).toMatchObject({ code: "may_have_run" });
    expect(server.calls.filter((name) => name === "read")).toHaveLength(1);
  });

  it("is told when to come back by a server that stops", async () => {
    const server = await startedLocal({ topics: ["a"] });
    const { connection } = connectionTo(server.socketUrl);
    const { subscriptionId } = await connection.api.subscribe("a");
    const outcome = failure(connection.api.poll(subscriptionId, { waitMs: 30_000 }));
    await connection.api.topics(); // the server has the poll
    await server.app.close({ graceMs: 5_000, random: () => 0.8 });
    const told = await outcome;
    expect(["may_have_run", "shutting_down"]).toContain((told as { code: string }).code);
    await failed(connection);
    expect(connection.status.retryInMs).toBe(4_000);
  });

  it("keeps the reason of the server's last word", async () => {
    const server = await startScriptedServer();
    const { connection } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    const outcome = failure(connection.api.read("a"));
    await pulled(server, 2);
    const words = { code: "shutting_down", retryAfterMs: 7_000 };
    server.sockets[0]?.send(
      JSON.stringify(["abort", ["error", "Error", "the server is stopping", null, words]]),
    );
    expect(await outcome).toMatchObject({
      code: "may_have_run",
      message: "the server is stopping",
      retryAfterMs: 7_000,
      cause: { code: "shutting_down" },
    });
    await failed(connection);
    expect(connection.status.retryInMs).toBe(7_000);
  });

  it("is rejected by the server's own error, which leaves the session alone", async () => {
    const server = await startedLocal({ topics: ["a"] });
    const { connection } = connectionTo(server.socketUrl);
    const api = await connection.ready();
    expect(await failure(connection.api.read("b"))).toMatchObject({ code: "topic_not_found" });
    expect(await connection.ready()).toBe(api);
  });
});

describe("client.api as an object", () => {
  it("may be awaited and disposed of, which calls nothing and ends nothing", async () => {
    const server = await startScriptedServer();
    const { connection } = connectionTo(server.url);
    const api = await connection.ready();
    const awaited = await (connection.api as unknown as Promise<typeof api>);
    connection.api[Symbol.dispose]();
    expect(JSON.stringify({ api: connection.api })).toBe("{}");
    expect(await awaited.topics()).toEqual([]);
    expect(await connection.ready()).toBe(api);
    expect(new Set(server.calls)).toEqual(new Set(["topics"]));
  });

  it("is no function", () => {
    const { connection } = connectionTo(NOWHERE);
    expect(() => (connection.api as unknown as () => void)()).toThrow(TypeError);
    expect(connection.status.state).toBe("disconnected");
  });
});
