import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  connectionTo,
  failed,
  failure,
  MIN_MS,
  pulled,
  reached,
  SILENCE_MS,
  TIMEOUT_MS,
} from "./opened-connection.ts";
import { startScriptedServer } from "./scripted-server.ts";

describe("a silent server", () => {
  it("is given up when it takes the connection and says nothing, not even to the handshake", async () => {
    let taken = 0;
    const server = createServer((socket) => {
      taken += 1;
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { connection, time } = connectionTo(`ws://127.0.0.1:${port}/api`);
    const outcome = failure(connection.ready());
    await expect.poll(() => taken).toBe(1);
    time.advance(TIMEOUT_MS - 1);
    expect(connection.status.state).toBe("connecting");
    time.advance(1);
    const message = "The server cannot be reached: The server has not answered for 10 s";
    expect(await outcome).toMatchObject({ code: "unreachable", message });
  });

  it("is given up when it does not answer the first call in time", async () => {
    const server = await startScriptedServer();
    server.answering = false;
    const { connection, time } = connectionTo(server.url);
    connection.open();
    await pulled(server, 1);
    time.advance(TIMEOUT_MS);
    await failed(connection);
    expect(connection.status.message).toBe("The server has not answered for 10 s");
  });

  it("is asked for a sign of life, and replaced when it gives none", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    const outcome = failure(connection.api.topics());
    await pulled(server, 2);

    // The timer of the first call, one silence, and the deadline of the question.
    time.advance(TIMEOUT_MS + SILENCE_MS);
    await pulled(server, 3);
    time.advance(TIMEOUT_MS);
    expect(await outcome).toMatchObject({
      code: "may_have_run",
      message: "The server has not answered for 10 s",
    });
    await failed(connection);
    server.answering = true;
    time.advance(MIN_MS);
    await reached(connection, "connected");
  });

  it("is kept as long as it answers when it is asked", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    const api = await connection.ready();
    time.advance(TIMEOUT_MS);
    for (let asked = 1; asked < 8; asked += 2) {
      time.advance(SILENCE_MS);
      await pulled(server, asked + 1);
      await api.topics(); // answered after the question, so the question has been answered
      time.advance(TIMEOUT_MS);
    }
    expect(await connection.ready()).toBe(api);
  });

  it("is replaced too when it left an earlier question open but spoke meanwhile", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
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
    const { connection, time } = connectionTo(server.url);
    const api = await connection.ready();
    for (let call = 0; call < 10; call += 1) {
      await api.topics();
      time.advance(SILENCE_MS);
    }
    expect(server.pulls).toBe(1 + 10);
  });

  it("is asked at once when the machine wakes up, and only once at a time", async () => {
    const server = await startScriptedServer();
    const { connection, time } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    time.wake();
    time.advance(TIMEOUT_MS / 2);
    time.wake();
    time.advance(TIMEOUT_MS / 2);
    await failed(connection);
    expect(connection.status.message).toContain("not answered");
  });
});

describe("a server that does not speak Cap'n Web", () => {
  it.each([
    ["a binary frame", Buffer.from([1, 2, 3]), "binary one"],
    ["what is not JSON", "hello", "Unexpected token"],
    ["an unknown message", '["sing"]', "bad RPC message"],
    ["an end without a reason", '["abort"]', "reason for the end"],
  ])("is left when it sends %s, and what was called may have run", async (_, frame, message) => {
    const server = await startScriptedServer();
    const { connection } = connectionTo(server.url);
    await connection.ready();
    server.answering = false;
    const outcome = failure(connection.api.topics());
    await pulled(server, 2);
    server.sockets[0]?.send(frame);
    expect(await outcome).toMatchObject({ code: "may_have_run" });
    await failed(connection);
    expect(connection.status.message).toContain(message);
  });
});
