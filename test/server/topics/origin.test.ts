/** Who may use `/topics` from a browser, on every transport and for publishing. */
import { describe, expect, test } from "vitest";
import { openChunks } from "../../support/chunks.ts";
import { openFrames, refusedHandshake } from "../../support/frames.ts";
import type { LocalServer } from "../../support/server.ts";
import {
  NDJSON,
  postEvent,
  refusalOf,
  SSE,
  startedPublishing,
} from "../../support/topic-requests.ts";
import { type Answer, ask } from "../../support/wire.ts";

const ALLOWED = "https://pages.example";
const FOREIGN = ["https://evil.example", "null", `${ALLOWED}.evil.example`, "http://pages.example"];

const start = () => startedPublishing({ app: { allowOrigins: [ALLOWED], loopback: true } });

type Knock = (server: LocalServer, headers: Record<string, string>) => Promise<Answer>;

const get =
  (path: string, more: Record<string, string> = {}, method = "GET"): Knock =>
  ({ url }, headers) =>
    ask(url + path, { method, headers: { ...more, ...headers } });

/** What is over when it is answered. */
const ANSWERED: [string, Knock][] = [
  ["a poll", get("/topics/topic")],
  ["a held poll", get("/topics/topic?wait=0.01")],
  ["a HEAD", get("/topics/topic", SSE, "HEAD")],
  ["the list", get("/topics")],
  ["a publication", (server, headers) => postEvent(server, "1", { headers })],
  ["a 404", get("/topics/nope", SSE)],
  ["a 400", get("/topics/topic?after=x", NDJSON)],
  ["a 401", (server, headers) => postEvent(server, "1", { token: "wrong", headers })],
  ["a 413", (server, headers) => postEvent(server, "x".repeat(65_537), { headers })],
  ["a 405", get("/topics/topic", {}, "PUT")],
];

const STREAMS: [string, Record<string, string>][] = [
  ["SSE", SSE],
  ["NDJSON", NDJSON],
];

describe("an allowed origin", () => {
  test.each(ANSWERED)("is named in the answer of %s", async (_name, knock) => {
    const server = await start();
    const { status, headers } = await knock(server, { Origin: ALLOWED });
    expect(status).not.toBe(403);
    expect(headers).toMatchObject({ "access-control-allow-origin": ALLOWED, vary: "Origin" });
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
  });

  test.each(STREAMS)("is named in the head of %s", async (_name, accept) => {
    const server = await start();
    const headers = { ...accept, Origin: ALLOWED };
    const answer = await openChunks(`${server.url}/topics/topic`, headers);
    answer.socket.destroy();
    expect(answer.headers).toMatchObject({
      "access-control-allow-origin": ALLOWED,
      vary: "Origin",
    });
    // Where the answer begins, which a page has to read.
    expect(answer.headers["access-control-expose-headers"]).toMatch(/\bCursor\b/);
  });

  test("is named in the head of a stream that begins while the server stops", async () => {
    const server = await start();
    await server.app.close();
    const answer = await openChunks(`${server.url}/topics/topic`, { ...SSE, Origin: ALLOWED });
    answer.socket.destroy();
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ "access-control-allow-origin": ALLOWED });
  });

  test("may open a WebSocket", async () => {
    const { url } = await start();
    const { next } = await openFrames(`${url.replace(/^http/, "ws")}/topics/topic`, {
      headers: { Origin: ALLOWED },
    });
    expect(await next()).toMatchObject({ events: [] });
  });

  test.each([
    ["POST", "authorization, content-type, idempotency-key"],
    ["GET", "last-event-id"],
  ])("may %s with %s: its preflight says so", async (method, asked) => {
    const server = await start();
    const { status, headers, text } = await ask(`${server.url}/topics/topic`, {
      method: "OPTIONS",
      headers: {
        Origin: ALLOWED,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked,
      },
    });
    expect({ status, text }).toEqual({ status: 204, text: "" });
    expect(headers).toMatchObject({ "access-control-allow-origin": ALLOWED, vary: "Origin" });
    expect(headers["access-control-allow-methods"]!.split(/, */)).toContain(method);
    const allowed = headers["access-control-allow-headers"]!.toLowerCase().split(/, */);
    expect(allowed).toEqual(expect.arrayContaining(asked.split(", ")));
  });
});

describe("this server's own origin, and none", () => {
  test.each(ANSWERED)("pass unnamed in %s", async (_name, knock) => {
    const server = await start();
    for (const headers of [{ Origin: server.url }, {}]) {
      const answer = await knock(server, headers as Record<string, string>);
      expect(answer.status).not.toBe(403);
      expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
    }
  });
});

describe("any other origin is refused", () => {
  test.each([
    ...ANSWERED,
    ["SSE", get("/topics/topic", SSE)],
    ["NDJSON", get("/topics/topic", NDJSON)],
    ["a preflight", get("/topics/topic", { "Access-Control-Request-Method": "GET" }, "OPTIONS")],
  ] satisfies [string, Knock][])("in %s", async (name, knock) => {
    const server = await start();
    for (const origin of FOREIGN) {
      const answer = await knock(server, { Origin: origin });
      if (name === "a HEAD") expect(answer).toMatchObject({ status: 403, text: "" });
      else expect(refusalOf(answer)).toEqual({ status: 403, code: "forbidden" });
      expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
    }
    expect(server.app.stats()).toMatchObject({ readers: 0, published: 0 });
  });

  test("in a handshake", async () => {
    const server = await start();
    for (const origin of FOREIGN) {
      const answer = await refusedHandshake(`${server.url.replace(/^http/, "ws")}/topics/topic`, {
        headers: { Origin: origin },
      });
      expect(refusalOf(answer)).toEqual({ status: 403, code: "forbidden" });
    }
    expect(server.app.stats().readers).toBe(0);
  });
});

test("a host name that is not this machine's is refused on every transport", async () => {
  const server = await start();
  const Host = "evil.example";
  for (const [, knock] of ANSWERED) {
    expect((await knock(server, { Host, Origin: `http://${Host}` })).status).toBe(403);
  }
  for (const [, accept] of STREAMS) {
    expect((await ask(`${server.url}/topics/topic`, { headers: { ...accept, Host } })).status).toBe(
      403,
    );
  }
  const url = `${server.url.replace(/^http/, "ws")}/topics/topic`;
  expect(refusalOf(await refusedHandshake(url, { headers: { Host } })).status).toBe(403);
  expect(server.app.stats()).toMatchObject({ readers: 0, published: 0 });
});
