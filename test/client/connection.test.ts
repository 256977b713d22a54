import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Connection } from "../../client/connection.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import { startedLocal } from "../support/server.ts";
import {
  connectionTo,
  failed,
  failure,
  MIN_MS,
  NOWHERE,
  pulled,
  reached,
  TIMEOUT_MS,
} from "./opened-connection.ts";
import { turn } from "./manual-time.ts";
import { startScriptedServer } from "./scripted-server.ts";

describe("Connection", () => {
  it("opens nothing before it is used, and then knows the server by its http address too", async () => {
    const server = await startedLocal({ topics: ["a"] });
    const { connection, time } = connectionTo(`${server.url}/api`);
    expect(connection.status).toEqual({ state: "disconnected", message: "Not connected" });
    expect(time.waiting + time.sleeping).toBe(0);
    expect(await connection.api.topics()).toMatchObject([{ topic: "a" }]);
    await connection.ready();
    expect(connection.status.state).toBe("connected");
  });

  it("replaces a session that the server has dropped, after a wait", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    const first = await connection.ready();
    server.sockets[0]?.close(1012, "restarting");
    await failed(connection);
    expect(connection.status).toMatchObject({
      message: "The server closed the connection (restarting)",
      retryInMs: MIN_MS,
    });
    time.advance(MIN_MS - 1);
    expect(server.sockets).toHaveLength(1);
    time.advance(1);
    await reached(connection, "connected");
    expect(await connection.ready()).not.toBe(first);
    expect(await connection.api.topics()).toEqual([]);
    expect(server.sockets).toHaveLength(2);
  });

  it("goes on backing off when each new session dies young, and forgets after a stable one", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url, { random: () => 0.5 });
    const delayAfter = async (lifeMs: number) => {
      await reached(connection, "connected");
      time.advance(lifeMs);
      server.sockets.at(-1)?.terminate();
      await failed(connection);
      const delay = connection.status.retryInMs!;
      time.advance(delay);
      return delay;
    };
    connection.open();
    const young = [await delayAfter(10), await delayAfter(10), await delayAfter(10)];
    expect(young).toEqual([750, 1_250, 2_250]);
    expect(await delayAfter(10_000)).toBe(750);
  });

  it("waits at least as long as a server that is stopping has asked for", async () => {
    const server = await startedLocal();
    const { connection, time } = connectionTo(server.socketUrl);
    await connection.ready();
    await server.app.close({ graceMs: 5_000, random: () => 0.8 });
    await failed(connection);
    expect(connection.status).toMatchObject({
      message: "the server is stopping",
      retryInMs: 4_000,
    });
    time.advance(1_000);
    time.wake();
    time.advance(2_999);
    await turn();
    expect(connection.status.retryInMs).toBe(4_000);
    time.advance(1);
    await expect.poll(() => connection.status.retryInMs).toBeUndefined();
  });

  it("tries again as soon as the network is back, or the user asks", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url, { random: () => 0.999 });
    await connection.ready();
    for (const hurry of [() => time.wake(), () => connection.open()]) {
      server.sockets.at(-1)?.terminate();
      await failed(connection);
      const retryInMs = connection.status.retryInMs!;
      time.advance(100);
      hurry();
      time.advance(MIN_MS - 100 - 1); // not below the minimum
      await turn();
      expect(connection.status.retryInMs).toBe(retryInMs);
      time.advance(1 + 500);
      expect(time.now()).toBeLessThan(retryInMs * 2);
      await reached(connection, "connected");
    }
  });

  it("reports a WebSocket that cannot even be made as a failure, and tries on", async () => {
    let tries = 0;
    const Forbidden = function refuse() {
      tries += 1;
      throw new Error("refused by the page's policy");
    } as unknown as typeof WebSocket;
    const { connection, time } = connectionTo(NOWHERE, { WebSocket: Forbidden });
    const message = "The server cannot be reached: refused by the page's policy";
    expect(await failure(connection.ready())).toMatchObject({ code: "unreachable", message });
    expect(connection.status).toEqual({ state: "reconnecting", message, retryInMs: MIN_MS });
    connection.open();
    time.advance(MIN_MS);
    await expect.poll(() => tries).toBe(2);
  });

  it("refuses what is no address of a server", () => {
    expect(() => new Connection(new URL("file:///etc"))).toThrow("Not a server's URL: file:///etc");
  });
});

describe("a superseded session", () => {
  /** Like a browser's on a dead network: close() waits for an answer that does not come. */
  const lingering = () => {
    const old: WebSocket[] = [];
    class Lingering extends WebSocket {
      override close(): void {
        old.push(this);
      }
    }
    return { old, Lingering };
  };

  it("does not harm its successor when it fails late", async () => {
    const { old, Lingering } = lingering();
    const server = await startScriptedServer();
    server.answering = false;
    const { connection, time } = connectionTo(server.url, { WebSocket: Lingering });
    connection.open();
    await pulled(server, 1);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    server.answering = true;
    time.advance(MIN_MS);
    await reached(connection, "connected");
    const api = await connection.ready();

    const statuses: ConnectionStatus[] = [];
    connection.onStatus((status) => statuses.push(status));
    const closed = once(old[0]!, "close");
    server.sockets[0]?.send(JSON.stringify(["abort", ["error", "Error", "too late"]]));
    server.sockets[0]?.terminate();
    await closed;
    await api.topics();
    expect(statuses).toEqual([]);
    expect(await connection.ready()).toBe(api);
    for (const socket of old) socket.terminate();
  });

  it("is not taken up again when its socket opens late", async () => {
    const { old, Lingering } = lingering();
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url, { WebSocket: Lingering });
    connection.open();
    time.advance(TIMEOUT_MS); // before the handshake can have come back
    await failed(connection);
    const answer = connection.api.read("a");
    await expect.poll(() => old[0]!.readyState).toBe(WebSocket.OPEN);
    await turn();
    expect(connection.status.retryInMs).toBe(MIN_MS);
    time.advance(MIN_MS);
    await answer;
    expect(server.calls.filter((name) => name === "read")).toHaveLength(1);
    for (const socket of old) socket.terminate();
  });
});

describe("close", () => {
  it("rejects outstanding calls, leaves nothing behind and may be called twice", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    const outcome = failure(connection.api.topics());
    connection.close();
    connection.close();
    expect(await outcome).toMatchObject({ code: "closed", message: "The connection is closed" });
    expect(connection.status.state).toBe("disconnected");
    expect(time.waiting + time.sleeping).toBe(0);
    expect(await failure(connection.api.topics())).toMatchObject({ code: "closed" });
    await once(server.sockets[0]!, "close");
  });

  it("ends the waiting for the next attempt, and for the one under way", async () => {
    const { connection, time } = connectionTo(NOWHERE);
    const first = failure(connection.ready());
    connection.close();
    expect(await first).toMatchObject({ code: "closed" });
    connection.open();
    await failed(connection);
    connection.close();
    expect(time.waiting + time.sleeping).toBe(0);
  });

  it("refuses calls also when it never was open", async () => {
    const { connection, time } = connectionTo(NOWHERE);
    connection.close();
    expect(await failure(connection.api.topics())).toMatchObject({ code: "closed" });
    expect(time.waiting).toBe(0);
  });

  it("may come from a listener of the call that opens it", async () => {
    const { connection, time } = connectionTo(NOWHERE);
    connection.onStatus(({ state }) => state === "connecting" && connection.close());
    expect(await failure(connection.api.topics())).toMatchObject({ code: "closed" });
    expect(await failure(connection.api.topics())).toMatchObject({ code: "closed" });
    expect(time.waiting + time.sleeping).toBe(0);
  });

  it("can be followed by open", async () => {
    const server = await startScriptedServer();
    const { connection } = connectionTo(server.url);
    await connection.ready();
    connection.close();
    connection.open();
    expect(connection.status.state).toBe("connecting");
    expect(await connection.api.topics()).toEqual([]);
  });

  it.each(["connecting", "connected", "reconnecting"])(
    "may come from a listener: %s",
    async (at) => {
      const server = await startScriptedServer();
      const { connection, time } = connectionTo(server.url);
      connection.onStatus(({ state }) => state === at && connection.close());
      const told: string[] = [];
      connection.onStatus(({ state }) => told.push(state));
      connection.open();
      if (at === "reconnecting") {
        await reached(connection, "connected");
        server.sockets[0]?.terminate();
      }
      await reached(connection, "disconnected");
      expect(time.waiting + time.sleeping).toBe(0);
      expect(told.at(-1)).toBe("disconnected");
    },
  );
});

describe("onStatus", () => {
  it("tells no one who has unsubscribed", async () => {
    const server = await startScriptedServer();
    const { connection } = connectionTo(server.url);
    const told: string[] = [];
    const stop = connection.onStatus(({ state }) => told.push(state));
    await connection.ready();
    stop();
    connection.close();
    expect(told).toEqual(["connecting", "connected"]);
  });
});
