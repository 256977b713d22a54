import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { connect, Connection, type ConnectOptions } from "../../client/connection.ts";
import { startedLocal } from "../support/server.ts";
import { ManualTime } from "./manual-time.ts";
import { type ScriptedServer, startScriptedServer } from "./scripted-server.ts";

const SILENCE_MS = 10_000;
const TIMEOUT_MS = 10_000;
const MIN_DELAY_MS = 250;

type State = Connection["status"]["state"];

/** A connection ended with the test, its time in the test's hands, its jitter the smallest. */
function open(url: string, options: ConnectOptions = {}) {
  const time = new ManualTime();
  let wake = () => {};
  const onWake = (callback: () => void) => {
    wake = callback;
    return () => (wake = () => {});
  };
  const { now, setTimer } = time;
  const connection = connect(url, {
    WebSocket,
    now,
    setTimer,
    onWake,
    random: () => 0,
    silenceMs: SILENCE_MS,
    timeoutMs: TIMEOUT_MS,
    ...options,
  });
  onTestFinished(() => connection.close());
  return { connection, time, wake: () => wake() };
}

/** Resolves when the connection is in this state, and meanwhile waits for the next attempt. */
function reached(connection: Connection, state: State, waiting = false): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const { status } = connection;
      if (status.state !== state || (waiting && status.retryInMs === undefined)) return;
      stop();
      resolve();
    };
    const stop = connection.onStatus(look);
    look();
  });
}

/** Resolves when the server has been asked this many things. */
const pulled = (server: ScriptedServer, count: number) =>
  expect.poll(() => server.pulls, { timeout: 10_000, interval: 5 }).toBe(count);

/** The message of the error that it comes to. Listens at once, so nothing is left unhandled. */
const failure = (call: PromiseLike<unknown>) =>
  call.then(
    () => "no error",
    (error: unknown) => (error as Error).message,
  );

const failed = (connection: Connection) => reached(connection, "reconnecting", true);

describe("Connection", () => {
  it("connects to a server and calls it, also by its http address", async () => {
    const server = await startedLocal({ topics: ["a"] });
    const { connection } = open(`${server.url}/api`);
    expect(connection.status.state).toBe("connecting");
    expect(connection.api).toBeUndefined();
    const api = await connection.ready();
    expect(connection.status.state).toBe("connected");
    expect(connection.api).toBe(api);
    expect(await api.topics()).toMatchObject([{ topic: "a" }]);
  });

  it("replaces a session that the server has dropped, after a wait", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    const first = await connection.ready();
    server.sockets[0]?.close(1012, "restarting");
    await failed(connection);
    expect(connection.status).toMatchObject({
      message: "The server closed the connection (restarting)",
      retryInMs: MIN_DELAY_MS,
    });
    expect(connection.api).toBeUndefined();

    time.advance(MIN_DELAY_MS - 1);
    expect(connection.status.retryInMs).toBeDefined();
    time.advance(1);
    expect(await connection.ready()).not.toBe(first);
    expect(server.sockets).toHaveLength(2);
  });

  it("tries for ever, never sooner than the minimum, up to half a minute apart", async () => {
    const server = await startScriptedServer();
    await server.close();
    const delays: number[] = [];
    const { connection, time } = open(server.url, { random: () => 0.999 });
    connection.onStatus(({ retryInMs }) => retryInMs !== undefined && delays.push(retryInMs));
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await failed(connection);
      time.advance(connection.status.retryInMs ?? 0);
    }
    await startScriptedServer(server.port);
    await failed(connection);
    time.advance(connection.status.retryInMs ?? 0);
    await connection.ready();
    expect(Math.min(...delays)).toBeGreaterThan(MIN_DELAY_MS);
    expect(Math.max(...delays)).toBeLessThan(MIN_DELAY_MS + 30_000);
    expect(delays.at(-1)).toBeGreaterThan(delays[0]! * 10);
  });

  it("goes on backing off when each new session dies young, and forgets after a stable one", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url, { random: () => 0.5 });
    const delayAfter = async (lifeMs: number) => {
      await connection.ready();
      time.advance(lifeMs);
      server.sockets.at(-1)?.terminate();
      await failed(connection);
      const delay = connection.status.retryInMs ?? 0;
      time.advance(delay);
      return delay;
    };
    const young = [await delayAfter(10), await delayAfter(10), await delayAfter(10)];
    expect(young).toEqual([750, 1_250, 2_250]);
    expect(await delayAfter(SILENCE_MS)).toBe(750);
  });

  it("waits at least as long as a server that is stopping has asked for", async () => {
    const server = await startedLocal();
    const { connection, time, wake } = open(server.socketUrl);
    await connection.ready();
    await server.app.close({ graceMs: 5_000, random: () => 0.8 });
    await failed(connection);
    expect(connection.status).toMatchObject({
      message: "the server is stopping",
      retryInMs: 4_000,
    });

    time.advance(1_000);
    wake();
    expect(connection.status.retryInMs).toBe(3_000);
  });

  it("tries again as soon as the network is back", async () => {
    const server = await startScriptedServer();
    const { connection, time, wake } = open(server.url, { random: () => 0.999 });
    await connection.ready();
    server.sockets[0]?.terminate();
    await failed(connection);
    time.advance(100);
    wake();
    expect(connection.status.retryInMs).toBe(MIN_DELAY_MS - 100);
    time.advance(MIN_DELAY_MS - 100);
    await connection.ready();
  });

  it("connects at once when the user asks", async () => {
    const server = await startScriptedServer();
    const { connection } = open(server.url, { random: () => 0.999 });
    await connection.ready();
    server.sockets[0]?.terminate();
    await failed(connection);
    connection.open();
    await connection.ready();
    expect(server.sockets).toHaveLength(2);
  });

  it("reports a WebSocket that cannot even be made as a failure, and tries on", () => {
    const Forbidden = function refuse() {
      throw new Error("refused by the page's policy");
    } as unknown as typeof WebSocket;
    const { connection } = open("ws://127.0.0.1:1/api", { WebSocket: Forbidden });
    expect(connection.status).toMatchObject({
      state: "reconnecting",
      message: "refused by the page's policy",
      retryInMs: MIN_DELAY_MS,
    });
  });

  it("refuses what is no address of a WebSocket", () => {
    expect(() => new Connection("nonsense", { WebSocket })).toThrow(TypeError);
    expect(() => new Connection("file:///etc", { WebSocket })).toThrow("Not a WebSocket address");
  });
});

describe("a silent server", () => {
  it("is given up when it does not answer the first call in time", async () => {
    const server = await startScriptedServer();
    server.answering = false;
    const { connection, time } = open(server.url);
    await pulled(server, 1);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    expect(connection.status.message).toBe("The server has not answered for 10 s");
  });

  it("is asked for a sign of life, and replaced when it gives none", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    const api = await connection.ready();
    server.answering = false;
    const outcome = failure(api.topics());
    await pulled(server, 2);

    // The timer of the first call, one silence, and the deadline of the question.
    time.advance(TIMEOUT_MS + SILENCE_MS);
    await pulled(server, 3);
    time.advance(TIMEOUT_MS);
    expect(await outcome).toBe("The server has not answered for 10 s");
    await failed(connection);
    server.answering = true;
    time.advance(MIN_DELAY_MS);
    await connection.ready();
  });

  it("is kept as long as it answers when it is asked", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    const api = await connection.ready();
    time.advance(TIMEOUT_MS);
    for (let asked = 1; asked < 8; asked += 2) {
      time.advance(SILENCE_MS);
      await pulled(server, asked + 1);
      await api.topics(); // answered after the question, so the question has been answered
      time.advance(TIMEOUT_MS);
    }
    expect(connection.api).toBe(api);
  });

  it("is replaced too when it left an earlier question open but spoke meanwhile", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    await connection.ready();
    server.answering = false;
    time.advance(TIMEOUT_MS + SILENCE_MS);
    await pulled(server, 2);
    const read = once(server.sockets[0]!, "pong");
    server.sockets[0]?.send(JSON.stringify(["resolve", 99, "a late answer to nobody"]));
    server.sockets[0]?.ping(); // its pong comes when the frame before it has been read
    await read;
    time.advance(TIMEOUT_MS + SILENCE_MS);
    await pulled(server, 3);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    expect(connection.status.message).toContain("not answered");
  });

  it("is not asked while it speaks", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    const api = await connection.ready();
    for (let call = 0; call < 10; call += 1) {
      await api.topics();
      time.advance(SILENCE_MS);
    }
    expect(server.pulls).toBe(1 + 10);
  });

  it("is asked at once when the machine wakes up, and only once at a time", async () => {
    const server = await startScriptedServer();
    const { connection, time, wake } = open(server.url);
    await connection.ready();
    server.answering = false;
    wake();
    time.advance(TIMEOUT_MS / 2);
    wake();
    time.advance(TIMEOUT_MS / 2);
    await failed(connection);
    expect(connection.status.message).toContain("not answered");
  });
});

describe("a superseded session", () => {
  it("does not harm its successor when it fails late", async () => {
    const old: WebSocket[] = [];
    /** Like a browser's on a dead network: close() waits for an answer that does not come. */
    class Lingering extends WebSocket {
      override close(): void {
        old.push(this);
      }
    }
    const server = await startScriptedServer();
    server.answering = false;
    const { connection, time } = open(server.url, { WebSocket: Lingering });
    await pulled(server, 1);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    server.answering = true;
    time.advance(MIN_DELAY_MS);
    const api = await connection.ready();

    const statuses: State[] = [];
    connection.onStatus(({ state }) => statuses.push(state));
    const closed = once(old[0]!, "close");
    server.sockets[0]?.send(JSON.stringify(["abort", ["error", "Error", "too late"]]));
    server.sockets[0]?.terminate();
    await closed;
    await api.topics();
    expect(statuses).toEqual([]);
    expect(connection.api).toBe(api);
    for (const socket of old) socket.terminate();
  });

  it("is closed when the user asks for a new attempt while it still opens", async () => {
    const server = await startScriptedServer();
    server.answering = false;
    const { connection, time } = open(server.url);
    await pulled(server, 1);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    connection.open();
    await pulled(server, 2);
    server.answering = true;
    const abandoned = once(server.sockets[1]!, "close");
    connection.open();
    const api = await connection.ready();
    await abandoned;
    await api.topics();
    expect(connection.api).toBe(api);
  });
});

describe("close", () => {
  it("rejects outstanding calls, leaves nothing behind and may be called twice", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    const api = await connection.ready();
    server.answering = false;
    const outcome = failure(api.topics());
    connection.close();
    connection.close();
    expect(await outcome).toBe("The connection is closed");
    expect(connection.status.state).toBe("disconnected");
    expect(connection.api).toBeUndefined();
    expect(time.waiting).toBe(0);
    await expect(connection.ready()).rejects.toThrow("The connection is closed");
    await once(server.sockets[0]!, "close");
  });

  it("ends the waiting for the next attempt", async () => {
    const server = await startScriptedServer();
    await server.close();
    const { connection, time } = open(server.url);
    await failed(connection);
    const outcome = failure(connection.ready());
    connection.close();
    expect(await outcome).toBe("The connection is closed");
    expect(time.waiting).toBe(0);
  });

  it("can be followed by open", async () => {
    const server = await startScriptedServer();
    const { connection } = open(server.url);
    await connection.ready();
    connection.close();
    connection.open();
    expect(connection.status.state).toBe("connecting");
    await connection.ready();
  });

  it("may come from a listener", async () => {
    const server = await startScriptedServer();
    const { connection, time } = open(server.url);
    connection.onStatus(({ state }) => state === "connected" && connection.close());
    await reached(connection, "disconnected");
    expect(time.waiting).toBe(0);
  });
});

describe("ready and onStatus", () => {
  it("stops waiting when its signal is aborted", async () => {
    const { connection } = open("ws://127.0.0.1:1/api");
    const stop = new AbortController();
    const outcome = failure(connection.ready(stop.signal));
    stop.abort(new Error("enough"));
    expect(await outcome).toBe("enough");
    await expect(connection.ready(stop.signal)).rejects.toThrow("enough");
  });

  it("tells no one who has unsubscribed", async () => {
    const server = await startScriptedServer();
    const { connection } = open(server.url);
    const told: State[] = [];
    const stop = connection.onStatus(({ state }) => told.push(state));
    await connection.ready();
    stop();
    connection.close();
    expect(told).toEqual(["connected"]);
  });
});

describe("a server that does not speak Cap'n Web", () => {
  it.each([
    ["a binary frame", Buffer.from([1, 2, 3]), "binary frame"],
    ["what is not JSON", "hello", "Unexpected token"],
    ["an unknown message", '["sing"]', "bad RPC message"],
  ])("is left when it sends %s", async (_, frame, message) => {
    const server = await startScriptedServer();
    const { connection } = open(server.url);
    await connection.ready();
    server.sockets[0]?.send(frame);
    await failed(connection);
    expect(connection.status.message).toContain(message);
  });
});
