/** What /api is as an HTTP resource: methods, sizes, connections that break off. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Batch, Subscribed } from "../../../server/contract.ts";
import type { Hub } from "../../../server/hub.ts";
import { startedLocal } from "../../support/server.ts";
import { ask, call, openTcp, post, push, readUntil } from "../../support/wire.ts";

const CALL = `${push("subscribe", "topic")}\n["pull",1]\n`;

describe("a method that is not POST", () => {
  test.each(["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])(
    "%s is answered with 405 and what is allowed",
    async (method) => {
      const { url } = await startedLocal();
      const { status, headers, text } = await ask(`${url}/api`, { method });
      expect(status).toBe(405);
      expect(headers.allow).toBe("POST");
      expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
      expect(text).toMatch(/^Expected POST/);
    },
  );

  test("GET without Upgrade is answered with 426 and what to upgrade to", async () => {
    const { url } = await startedLocal();
    const { status, headers, text } = await ask(`${url}/api`);
    expect(status).toBe(426);
    expect(headers.upgrade).toBe("websocket");
    expect(text).toBe("Expected a WebSocket or a POST");
  });

  test("a body with another method runs nothing", async () => {
    const { url, hub } = await startedLocal();
    await ask(`${url}/api`, { method: "PUT", body: CALL });
    expect(hub.stats().subscriptions).toBe(0);
  });
});

describe("a body's size", () => {
  const bodyBytes = 100_000;
  const bodyOf = (bytes: number) => CALL + " ".repeat(bytes - CALL.length);

  describe.each([
    ["announced", {}],
    ["chunked", { "Transfer-Encoding": "chunked" }],
  ])("%s", (_name, headers) => {
    test.each([bodyBytes - 1, bodyBytes, bodyBytes + 1])(`%i of ${bodyBytes}`, async (bytes) => {
      const { url, hub } = await startedLocal({ limits: { bodyBytes } });
      const { status, text } = await post(url, bodyOf(bytes), headers);
      const fits = bytes <= bodyBytes;
      expect(status).toBe(fits ? 200 : 413);
      if (!fits) expect(text).toBe(`Expected a body of at most ${bodyBytes} bytes`);
      expect(hub.stats().subscriptions).toBe(fits ? 1 : 0);
    });
  });

  test("by default it is 1 MiB", async () => {
    const { url } = await startedLocal();
    expect((await post(url, bodyOf(1024 * 1024))).status).toBe(200);
    expect((await post(url, bodyOf(1024 * 1024 + 1))).status).toBe(413);
  });

  test("is counted in bytes, not in letters", async () => {
    const { url } = await startedLocal({ limits: { bodyBytes } });
    const body = `${push("read", "ü".repeat(bodyBytes / 2))}\n["pull",1]`;
    expect((await post(url, body)).status).toBe(413);
  });

  test("that is announced as too large is refused before a byte of it has come", async () => {
    const { url } = await startedLocal({ limits: { bodyBytes } });
    const socket = await openTcp(url);
    const answer = readUntil(socket, /at most 100000 bytes$/);
    socket.write(head(url, `Content-Length: ${bodyBytes + 1}`));
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("that grows too large is refused before its end has come", async () => {
    const { url } = await startedLocal({ limits: { bodyBytes } });
    const socket = await openTcp(url);
    const answer = readUntil(socket, /at most 100000 bytes/);
    socket.write(head(url, "Transfer-Encoding: chunked"));
    for (let sent = 0; sent <= bodyBytes; sent += 1000) socket.write(chunk(" ".repeat(1000)));
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("a client that goes on sending after the refusal is cut off", async () => {
    const { url } = await startedLocal({ limits: { bodyBytes } });
    const socket = await openTcp(url);
    // Not `once`: the reset that comes first is no failure here.
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.resume();
    socket.write(head(url, "Transfer-Encoding: chunked"));
    const more = chunk(" ".repeat(1000));
    const send = () => {
      while (!socket.destroyed && socket.write(more));
    };
    socket.on("drain", send);
    send();
    await closed;
  });
});

describe("a connection that breaks off", () => {
  test("in the middle of a body runs nothing and hurts nobody", async () => {
    const { url, hub, errors } = await startedLocal();
    for (const framing of [`Content-Length: ${CALL.length + 1}`, "Transfer-Encoding: chunked"]) {
      const socket = await openTcp(url);
      socket.write(head(url, framing));
      socket.write(framing.startsWith("Content") ? CALL : chunk(CALL));
      socket.destroy();
      await once(socket, "close");
    }
    await call(url, "subscribe", "topic");
    expect(hub.stats().subscriptions).toBe(1);
    expect(errors).toEqual([]);
  });

  test.each([
    ["alone", []],
    ["beside another call", [push("topics")]],
  ])("during a held poll %s ends the wait, and the cursor has not moved", async (_name, more) => {
    const { url, hub, errors } = await startedLocal();
    const { subscriptionId } = await call<Subscribed>(url, "subscribe", "topic");
    const polled = watchPoll(hub);
    const gone = new AbortController();
    const lines = [push("poll", subscriptionId, { waitMs: 30_000 }), ...more, '["pull",1]'];
    const asking = ask(`${url}/api`, {
      method: "POST",
      body: lines.join("\n"),
      signal: gone.signal,
    });
    const { held } = await polled;
    gone.abort();
    await expect(asking).rejects.toThrow("aborted");
    expect((await held).events).toEqual([]);
    await hub.publish("topic", "kept");
    const batch = await call(url, "poll", subscriptionId);
    expect(batch).toMatchObject({ events: [[{ data: "kept" }]] });
    expect(errors).toEqual([]);
  });
});

describe("a wish for another protocol", () => {
  test("h2c is not granted, and a GET is answered as always", async () => {
    const { url } = await startedLocal();
    const { stdout } = await curl(["--http2", "-i", `${url}/api`]);
    expect(stdout).toMatch(/^HTTP\/1\.1 426 /);
    expect(stdout).toMatch(/Expected a WebSocket or a POST$/);
  });

  test("h2c is not granted, and a POST is answered as always", async () => {
    const { url, hub } = await startedLocal();
    const { stdout } = await curl(["--http2", "-i", "--data-binary", CALL, `${url}/api`]);
    expect(stdout).toMatch(/^HTTP\/1\.1 200 /);
    expect(stdout).toMatch(/\["resolve",1,\{"subscriptionId":"topic_/);
    expect(hub.stats().subscriptions).toBe(1);
  });

  test("a POST that asks for a WebSocket gets an answer, and the server lives", async () => {
    const { url, hub } = await startedLocal();
    const socket = await openTcp(url);
    const answer = readUntil(socket, /\r\n\r\n/);
    socket.write(
      head(url, "Connection: Upgrade\r\nUpgrade: websocket", `Content-Length: ${CALL.length}`),
    );
    socket.write(CALL);
    expect(await answer).toMatch(/^HTTP\/1\.1 (?:200|4\d\d) /);
    await call(url, "topics");
    expect(hub.stats().readers).toBe(0);
  });

  test.each([
    ["no key", ""],
    ["a bad key", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13"],
    ["an old version", `Sec-WebSocket-Key: ${"A".repeat(22)}==\r\nSec-WebSocket-Version: 7`],
  ])("a handshake with %s is refused, and opens no session", async (_name, headers) => {
    const { url, app } = await startedLocal();
    const socket = await openTcp(url);
    const answer = readUntil(socket, /\r\n\r\n/);
    const upgrade = `Connection: Upgrade\r\nUpgrade: websocket${headers && `\r\n${headers}`}`;
    socket.write(head(url, upgrade).replace("POST", "GET"));
    expect(await answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(app.stats().sessions).toBe(0);
  });
});

/** Resolves when `hub.poll` has been called, with what it will answer. It works as ever. */
function watchPoll(hub: Hub): Promise<{ held: Promise<Batch> }> {
  const { poll } = hub;
  return new Promise((resolve) => {
    hub.poll = (...args) => {
      const held = poll.apply(hub, args);
      hub.poll = poll;
      resolve({ held });
      return held;
    };
  });
}

function head(url: string, ...headers: string[]): string {
  return `POST /api HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${headers.join("\r\n")}\r\n\r\n`;
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function curl(args: readonly string[]): Promise<{ stdout: string }> {
  return promisify(execFile)("curl", ["--silent", "--show-error", ...args]);
}
