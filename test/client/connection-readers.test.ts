import { describe, expect, it } from "vitest";
import type { Connection } from "../../client/connection.ts";
import {
  connectionTo,
  failed,
  failure,
  MIN_MS,
  network,
  NOWHERE,
  reached,
} from "./opened-connection.ts";
import { turn } from "./manual-time.ts";
import { startScriptedServer } from "./scripted-server.ts";

describe("ready", () => {
  it("stops waiting when its signal is aborted", async () => {
    const { connection } = connectionTo(NOWHERE);
    const stop = new AbortController();
    const outcome = failure(connection.ready(stop.signal));
    stop.abort(new Error("enough"));
    expect(await outcome).toMatchObject({ message: "enough" });
    await expect(connection.ready(stop.signal)).rejects.toThrow("enough");
  });

  it("does not bring the next attempt forward, however many want it, but tells its time", async () => {
    const { connection, time } = connectionTo(NOWHERE, { random: () => 0.5 });
    const first = await failure(connection.ready());
    expect(first).toMatchObject({ code: "unreachable", retryAfterMs: 750 });
    time.advance(300);
    for (let reader = 0; reader < 20; reader += 1) {
      const waiting = await failure(connection.ready());
      expect(waiting).toMatchObject({ code: "not_connected", canRetry: true, retryAfterMs: 450 });
    }
    time.advance(449);
    await turn();
    expect(connection.status.retryInMs).toBe(750);
    time.advance(1);
    expect(await failure(connection.ready())).toMatchObject({ code: "unreachable" });
  });
});

describe("a connection that only readers have opened", () => {
  it("rests when it does not get through, and tries when one of them asks, not before its time", async () => {
    const { connection, time } = connectionTo(NOWHERE, { random: () => 0.5 });
    const tries: number[] = [];
    connection.onStatus(({ state }) => state === "connecting" && tries.push(time.now()));
    await failure(connection.ready());
    time.advance(60_000);
    await reached(connection, "disconnected");
    expect(time.waiting + time.sleeping).toBe(0);
    expect(await failure(connection.ready())).toMatchObject({ code: "unreachable" });
    expect(tries).toEqual([0, 60_000]);
    expect(connection.status.retryInMs).toBe(1_250); // it has not forgotten the first failure
    connection.close();
    expect(await failure(connection.api.topics())).toMatchObject({ code: "closed" });
  });

  it.each([
    ["its user has opened it", (connection: Connection) => connection.open()],
    ["a call waits", (connection: Connection) => void failure(connection.api.topics())],
    ["it has worked before", undefined],
  ])("goes on when %s", async (_, use) => {
    const server = await startScriptedServer();
    const net = network();
    net.isOn = use === undefined;
    const { connection, time } = connectionTo(server.url, { WebSocket: net.WebSocket });
    await failure(connection.ready());
    use?.(connection);
    server.sockets[0]?.terminate();
    net.isOn = true;
    await failed(connection);
    time.advance(MIN_MS);
    await reached(connection, "connected");
  });

  it("goes to the next call when it rests", async () => {
    const server = await startScriptedServer();
    const net = network();
    const { connection, time } = connectionTo(server.url, { WebSocket: net.WebSocket });
    await failure(connection.ready());
    time.advance(MIN_MS);
    await reached(connection, "disconnected");
    net.isOn = true;
    expect(await connection.api.topics()).toEqual([]);
  });
});
