/** `/topics/:topic` as an HTTP resource: methods, HEAD, old clients, handshakes that are none. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { openFrames, refusedHandshake } from "../../support/frames.ts";
import { type LocalServer, startedLocal, startLocal } from "../../support/server.ts";
import { NDJSON, refusalOf, SSE } from "../../support/topic-requests.ts";
import { ask, openTcp, readUntil } from "../../support/wire.ts";

const FORMS: [string, Record<string, string>, string][] = [
  ["polling", {}, "application/json"],
  ["SSE", SSE, SSE.Accept],
  ["NDJSON", NDJSON, NDJSON.Accept],
];

describe("a method that is not known", () => {
  test.each(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])(
    "%s is a 405 that names the others",
    async (method) => {
      const { url } = await startedLocal();
      for (const [path, allow] of [
        ["/topics/topic", "GET, HEAD, POST"],
        ["/topics/nope", "GET, HEAD, POST"],
        ["/topics", "GET, HEAD"],
      ]) {
        const answer = await ask(url + path, { method });
        expect(refusalOf(answer)).toEqual({ status: 405, code: "method_not_allowed" });
        expect(answer.headers.allow).toBe(allow);
      }
    },
  );

  test("nothing is published to the list of topics", async () => {
    const { url, hub } = await startedLocal();
    const answer = await ask(`${url}/topics`, { method: "POST", body: "1" });
    expect(refusalOf(answer)).toEqual({ status: 405, code: "method_not_allowed" });
    expect(answer.headers.allow).toBe("GET, HEAD");
    expect(hub.stats().published).toBe(0);
  });
});

describe("HEAD", () => {
  test.each(FORMS)(
    "of %s gives the head of a GET and no body, and opens nothing",
    async (_name, headers, type) => {
      const server = await startedLocal();
      const cursor = await server.hub.publish("topic", 1);
      const answer = await ask(`${server.url}/topics/topic`, { method: "HEAD", headers });
      expect(answer).toMatchObject({ status: 200, text: "" });
      expect(answer.headers).toMatchObject({ "content-type": type, "cache-control": "no-store" });
      if (type !== "application/json") expect(answer.headers["x-accel-buffering"]).toBe("no");
      if (type === NDJSON.Accept) expect(answer.headers["cursor"]).toBe(cursor);
      expect(server.app.stats().readers).toBe(0);
    },
  );

  test.each(FORMS)("of %s is refused as a GET is, without a body", async (_name, headers) => {
    const { url, app } = await startedLocal({ limits: { readers: 1 } });
    const head = (path: string) => ask(`${url}/topics/${path}`, { method: "HEAD", headers });
    expect(await head("nope")).toMatchObject({ status: 404, text: "" });
    expect(await head("topic?limit=0")).toMatchObject({ status: 400, text: "" });
    expect(await head("topic?after=x")).toMatchObject({ status: 400, text: "" });
    await openFrames(`${url.replace(/^http/, "ws")}/topics/topic`);
    await expect.poll(() => app.stats().readers).toBe(1);
    const full = await head("topic");
    expect(full).toMatchObject({ status: 503, text: "" });
    expect(full.headers["retry-after"]).toBe("5");
  });

  test("of the list has no body", async () => {
    const { url } = await startedLocal();
    expect(await ask(`${url}/topics`, { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });

  test("leaves its connection good for the next request", async () => {
    const { url } = await startedLocal();
    for (const [, headers, type] of FORMS) {
      const socket = await openTcp(url);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HEAD /topics/topic HTTP/1.1\r\nHost: localhost\r\n${lines.join("")}\r\n`);
      expect(await readUntil(socket, /\r\n\r\n/)).toContain(type);
      socket.write(`GET /topics/topic HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect(await readUntil(socket, /"cursor":/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    }
  });
});

describe("an HTTP/1.0 client", () => {
  test.each([
    ["with Host", "Host: 127.0.0.1\r\n"],
    ["without", ""],
  ])("%s polls", async (_name, host) => {
    const { url } = await startedLocal();
    const socket = await openTcp(url);
    socket.write(`GET /topics/topic HTTP/1.0\r\n${host}\r\n`);
    const text = await toEnd(socket);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/\r\n\r\n{"events":\[\],"cursor":"[\w-]+\.0"}$/);
  });

  test("gets a stream as it is, without chunks, until the server stops", async () => {
    const server = await startedLocal();
    const cursor = await server.hub.publish("topic", 1);
    const socket = await openTcp(server.url);
    socket.write(`GET /topics/topic?last=1 HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n`);
    const all = toEnd(socket);
    await readUntil(socket, /data: 1\n\n/);
    await server.app.close();
    const [head, body] = (await all).split("\r\n\r\n");
    expect(head).not.toMatch(/transfer-encoding/i);
    const place = cursor.replace(/\.1$/, ".0");
    expect(body).toMatch(
      new RegExp(
        `^retry: \\d+\nid: ${place}\n\nid: ${cursor}\ndata: 1\n\nretry: \\d+\nevent: error\ndata: .*\n\n$`,
      ),
    );
  });
});

describe("requests on one connection", () => {
  test("are answered in their order, also those behind a poll that is held", async () => {
    const { url, hub, app } = await startedLocal({ topics: ["a", "b", "c"] });
    const cursors = (await hub.topics()).map(({ cursor }) => cursor);
    const socket = await openTcp(url);
    const get = (path: string) => `GET /topics/${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    socket.write(get("a?wait=30") + get("b") + get("c"));
    await expect.poll(() => app.stats().readers).toBe(1);
    await hub.publish("a", "first");
    const text = await readUntil(socket, /("cursor".*){3}/s);
    const places = [...text.matchAll(/"cursor":"([^"]+)"/g)].map(([, cursor]) => cursor);
    expect(places).toEqual([cursors[0]!.replace(/0$/, "1"), cursors[1], cursors[2]]);
  });

  test("a client that has gone before its pipelined streams begin leaves nothing open", async () => {
    const server = await startedLocal();
    for (let round = 0; round < 20; round += 1) {
      const socket = await openTcp(server.url);
      const get = `GET /topics/topic HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`;
      socket.write(get.repeat(10), () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    await expect.poll(() => server.app.stats().readers).toBe(0);
    await server.hub.publish("topic", 1);
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });

  test("a stream behind a poll that is held begins when that one is answered", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const get = (query: string, accept: string) =>
      `GET /topics/topic${query} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`;
    socket.write(get("?wait=30", "*/*") + get("?after=earliest", "text/event-stream"));
    await expect.poll(() => server.app.stats().readers).toBeGreaterThan(0);
    await server.hub.publish("topic", "both");
    expect(await readUntil(socket, /data: "both"\n\n/)).toMatch(
      /"data":"both"}[^]*data: "both"\n\n/,
    );
  });
});

describe("a handshake", () => {
  const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const FULL = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY];
  const shake = (path: string, lines: string[], method = "GET") =>
    `${method} ${path} HTTP/1.1\r\n${["Host: localhost", ...lines].join("\r\n")}\r\n\r\n`;

  test.each([
    ["without a key", FULL.filter((line) => line !== KEY)],
    ["with an empty key", [...FULL.slice(0, 3), "Sec-WebSocket-Key: "]],
    ["with a short key", [...FULL.slice(0, 3), "Sec-WebSocket-Key: c2hvcnQ="]],
    ["with a key that is no base64", [...FULL.slice(0, 3), `Sec-WebSocket-Key: ${"!".repeat(24)}`]],
    ["without a version", FULL.filter((line) => !line.includes("Version"))],
    ["with another version", FULL.map((line) => line.replace("13", "7"))],
  ])("%s is a 400, and nothing stays open", async (_name, lines) => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    socket.write(shake("/topics/topic", lines));
    expect(await toEnd(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(server.app.stats().readers).toBe(0);
    expect(server.errors).toEqual([]);
  });

  test.each([
    ["an unknown topic", "nope", 404, "topic_not_found"],
    ["a bad cursor", "topic?after=x", 400, "invalid_cursor"],
  ])("for %s is refused before it, in JSON", async (_name, path, status, code) => {
    const { url } = await startedLocal();
    const answer = await refusedHandshake(`${url.replace(/^http/, "ws")}/topics/${path}`);
    expect(refusalOf(answer)).toEqual({ status, code });
  });

  test.each([
    ["refused by us", "/topics/nope", FULL],
    ["refused by the standard", "/topics/topic", FULL.slice(0, 3)],
    ["refused in the API", "/api", [...FULL, "Origin: https://evil.example"]],
  ])("that is %s and whose client stays holds up nobody who stops", async (_name, path, lines) => {
    const server = await startLocal();
    const socket = connect({ port: Number(new URL(server.url).port), allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.write(shake(path, lines));
    await readUntil(socket, /^HTTP\/1\.1 4\d\d/);
    await server.close(); // without a grace, and yet it waits for every connection
  });

  test("that is refused ends its connection, though its client stays", async () => {
    const { url } = await startedLocal();
    const socket = connect({ port: Number(new URL(url).port), allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {}); // the reset that is waited for
    socket.write(shake("/topics/nope", FULL));
    await readUntil(socket, /^HTTP\/1\.1 404/);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const more = setInterval(() => socket.write("?"), 10);
    await closed;
    clearInterval(more);
  });

  test("without `Connection: Upgrade` is none: the topic is polled", async () => {
    const { url } = await startedLocal();
    const socket = await openTcp(url);
    socket.write(shake("/topics/topic", FULL.slice(1)));
    const text = await readUntil(socket, /"cursor":/);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.write(shake("/api", FULL.slice(1)));
    expect(await readUntil(socket, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
  });

  test("to something else is none: the stream begins", async () => {
    const { url } = await startedLocal();
    const socket = await openTcp(url);
    const lines = [
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABk",
    ];
    socket.write(shake("/topics/topic", [...lines, "Accept: text/event-stream"]));
    expect(await readUntil(socket, /retry: /)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test("in a POST is none: it is a POST", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    socket.write(shake("/topics/topic", [...FULL, "Content-Length: 1"], "POST") + "1");
    expect(await readUntil(socket, /"error"/)).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(server.app.stats().readers).toBe(0);
  });

  test("for the list of topics opens no socket", async () => {
    const server = await startedLocal();
    await refusedHandshake(`${server.url.replace(/^http/, "ws")}/topics`);
    expect(server.app.stats().readers).toBe(0);
  });

  test("that brings a frame along is told that it only delivers", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const text = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x41]); // "A", masked with zeros
    socket.write(Buffer.concat([Buffer.from(shake("/topics/topic", FULL)), text]));
    const got = await readUntil(socket, /unsupported_data.*}/s);
    expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(got).toContain(`\u0003\u00eb{"code":"unsupported_data",`); // 1003
    socket.destroy();
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });

  test("that brings a broken frame along is closed, and the server goes on", async () => {
    const server = await startedLocal();
    const socket = await openTcp(server.url);
    const broken = Buffer.from([0xff, 0x81, 0, 0, 0, 0, 0x41]); // reserved bits
    socket.write(Buffer.concat([Buffer.from(shake("/topics/topic", FULL)), broken]));
    expect(await toEnd(socket)).toContain("\u0003\u00ea"); // 1002
    await expect.poll(() => server.app.stats().readers).toBe(0);
    expect((await ask(`${server.url}/topics/topic`)).status).toBe(200);
  });
});

describe("a WebSocket", () => {
  const open = (server: LocalServer, query = "") =>
    openFrames(`${server.url.replace(/^http/, "ws")}/topics/topic${query}`);

  test("begins at once with a batch, also when there is nothing yet", async () => {
    const server = await startedLocal();
    const { next } = await open(server);
    const empty = await next();
    expect(empty).toEqual({ events: [], cursor: expect.stringMatching(/^[\w-]+\.0$/) });
    const cursor = await server.hub.publish("topic", 1);
    expect(await next()).toMatchObject({ events: [{ offset: 1, data: 1 }], cursor });
    expect(await (await open(server, "?after=earliest")).next()).toMatchObject({ cursor });
  });

  test.each([
    ["a text", "hello"],
    ["an empty text", ""],
    ["bytes", Buffer.from([1, 2, 3])],
  ])("is closed with 1003 for %s: it only delivers", async (_name, frame) => {
    const server = await startedLocal();
    const { next, send, closed } = await open(server);
    await next();
    send(frame, frame, frame);
    const { code, reason } = await closed;
    expect(code).toBe(1003);
    expect(JSON.parse(reason)).toEqual({
      code: "unsupported_data",
      message: expect.stringContaining("only delivers"),
    });
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });

  test("is closed with 1009 for a message that is too large", async () => {
    const server = await startedLocal({ limits: { frameBytes: 1_000 } });
    const { next, send, closed } = await open(server);
    await next();
    send("x".repeat(1_001));
    expect((await closed).code).toBe(1009);
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });

  test("is told with 1012 that the server stops, and when to come back", async () => {
    const server = await startedLocal();
    const { next, closed } = await open(server);
    await next();
    await server.app.close({ graceMs: 8_000, random: () => 0.25 });
    const { code, reason } = await closed;
    expect(code).toBe(1012);
    expect(JSON.parse(reason)).toEqual({
      code: "shutting_down",
      message: "the server is stopping",
      retryAfterMs: 2_000,
    });
  });
});

/** Everything until the server has ended the connection. */
async function toEnd(socket: Socket): Promise<string> {
  let text = "";
  for await (const bytes of socket) text += (bytes as Buffer).toString("latin1");
  return text;
}
