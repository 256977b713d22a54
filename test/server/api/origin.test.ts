/** Who may use /api from a browser: the rules over the wire, and their table. */
import { describe, expect, test } from "vitest";
import { checkHost, checkOrigin } from "../../../server/origin.ts";
import { openFrames, refusedHandshake } from "../../support/frames.ts";
import { type LocalServer, startedLocal, startedProcess } from "../../support/server.ts";
import { ask, post, push } from "../../support/wire.ts";

const ALLOWED = "https://pages.example";
const FOREIGN = "https://evil.example";
const BODY = `${push("subscribe", "topic")}\n["pull",1]`;

const start = () => startedLocal({ app: { allowOrigins: [ALLOWED], loopback: true } });

/** Origins that pass at a server of this address, and whether they are named in the answer. */
const passing = ({ url }: LocalServer): [string | undefined, boolean][] => [
  [undefined, false],
  [ALLOWED, true],
  [url, false],
  [url.replace("http:", "https:"), false], // behind a proxy that ends TLS
];

/** Origins that do not pass. */
const failing = ({ url }: LocalServer): string[] => [
  FOREIGN,
  "null",
  "",
  "file://",
  "nonsense",
  "http://pages.example", // the allowed name over plain HTTP
  `${ALLOWED}:8443`,
  `${ALLOWED}/`,
  `${ALLOWED}.evil.example`,
  `${url}.evil.example`,
  `${url}0`, // another port of this machine
  "http://localhost", // and yet another
  `${FOREIGN} ${ALLOWED}`,
];

describe("a POST", () => {
  test("passes without an origin, from this server's own and from an allowed one", async () => {
    const server = await start();
    for (const [origin, named] of passing(server)) {
      const { status, headers } = await post(server.url, BODY, { ...(origin && { origin }) });
      expect({ origin, status }).toEqual({ origin, status: 200 });
      expect(headers["access-control-allow-origin"]).toBe(named ? origin : undefined);
      expect(headers["vary"]).toBe(named ? "Origin" : undefined);
    }
    expect(server.hub.stats().subscriptions).toBe(4);
  });

  test("does not pass from any other, and nothing runs", async () => {
    const server = await start();
    for (const origin of failing(server)) {
      const { status, headers, text } = await post(server.url, BODY, { origin });
      expect({ origin, status }).toEqual({ origin, status: 403 });
      expect(text).toMatch(/^Expected an allowed origin, got /);
      expect(headers).not.toHaveProperty("access-control-allow-origin");
    }
    expect(server.hub.stats().subscriptions).toBe(0);
  });

  test("that fails is named to an allowed origin too, so that the page can read why", async () => {
    const { url } = await start();
    const { status, headers } = await post(url, "{", { origin: ALLOWED });
    expect(status).toBe(400);
    expect(headers["access-control-allow-origin"]).toBe(ALLOWED);
  });

  test("never allows credentials", async () => {
    const { url } = await start();
    const { headers } = await post(url, BODY, { origin: ALLOWED });
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
  });
});

describe("a preflight", () => {
  const preflight = (server: LocalServer, origin: string) =>
    ask(`${server.url}/api`, {
      method: "OPTIONS",
      headers: { origin, "Access-Control-Request-Method": "POST" },
    });

  test("of an allowed origin names it, and what it may do", async () => {
    const { status, headers, text } = await preflight(await start(), ALLOWED);
    expect(status).toBe(204);
    expect(text).toBe("");
    expect(headers["access-control-allow-origin"]).toBe(ALLOWED);
    expect(headers["access-control-allow-methods"]).toBe("GET, HEAD, POST");
    expect(headers["access-control-allow-headers"]).toMatch(/\bContent-Type\b/);
    expect(headers.vary).toBe("Origin");
  });

  test("of any other is refused", async () => {
    const server = await start();
    for (const origin of failing(server)) {
      const { status, headers } = await preflight(server, origin);
      expect({ origin, status }).toEqual({ origin, status: 403 });
      expect(headers).not.toHaveProperty("access-control-allow-origin");
    }
  });
});

describe("a WebSocket handshake", () => {
  test("passes without an origin, from this server's own and from an allowed one", async () => {
    const server = await start();
    for (const [origin] of passing(server)) {
      await openFrames(server.socketUrl, { ...(origin && { headers: { origin } }) });
    }
    expect(server.app.stats().sessions).toBe(4);
  });

  test("does not pass from any other", async () => {
    const server = await start();
    for (const origin of failing(server)) {
      if (origin === "") continue; // the client leaves an empty header out
      const { status } = await refusedHandshake(server.socketUrl, { headers: { origin } });
      expect({ origin, status }).toEqual({ origin, status: 403 });
    }
    expect(server.app.stats().sessions).toBe(0);
  });
});

describe("a host name that is not this machine's", () => {
  const foreign = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil"];

  test("is refused on a loopback server, everywhere, whatever the origin says", async () => {
    const server = await start();
    for (const host of foreign) {
      const headers = { host, origin: `http://${host}` };
      for (const path of ["/api", "/", "/static/serverpush/", "/nope"]) {
        const { status } = await ask(server.url + path, { headers });
        expect({ host, path, status }).toEqual({ host, path, status: 403 });
      }
      expect((await post(server.url, BODY, headers)).status).toBe(403);
      expect((await refusedHandshake(server.socketUrl, { headers })).status).toBe(403);
    }
    expect(server.app.stats()).toMatchObject({ subscriptions: 0, sessions: 0 });
  });

  test("is served by a server that is open to the network", async () => {
    const server = await startedLocal({ app: { loopback: false } });
    for (const host of foreign) {
      expect((await post(server.url, BODY, { host })).status).toBe(200);
    }
  });

  test("is served when it is an allowed origin's: a proxy passes it on", async () => {
    const { url } = await start();
    const headers = { host: "pages.example", origin: ALLOWED };
    expect((await post(url, BODY, headers)).status).toBe(200);
  });
});

test("the program lets in what --allow-origin names, and nobody else", async () => {
  const args = ["--allow-origin", ALLOWED, "--allow-origin", "http://other.example:8080"];
  const { url } = await startedProcess(args);
  for (const origin of [ALLOWED, "http://other.example:8080"]) {
    const { status, headers } = await post(url, push("topics"), { origin });
    expect({ origin, status }).toEqual({ origin, status: 200 });
    expect(headers["access-control-allow-origin"]).toBe(origin);
  }
  expect((await post(url, push("topics"), { origin: FOREIGN })).status).toBe(403);
  expect((await post(url, push("topics"), { host: "evil.example" })).status).toBe(403);
});

describe("checkHost", () => {
  const rules = { loopback: true, allowOrigins: ["https://pages.example", "http://a.example:81"] };
  test.each([
    undefined,
    "localhost",
    "localhost:8000",
    "LOCALHOST:8000",
    "localhost.",
    "sub.localhost:1",
    "127.0.0.1",
    "127.1.2.3:8000",
    "[::1]",
    "[::1]:8000",
    "pages.example",
    "PAGES.example",
    "a.example:81",
  ])("takes %s", (host) => {
    expect(() => checkHost({ host, origin: undefined }, rules)).not.toThrow();
  });

  test.each([
    "",
    "example.com",
    "localhost.example.com",
    "notlocalhost",
    "127.0.0.1.example.com",
    "127.0.0.1.",
    "0.0.0.0",
    "192.168.0.1",
    "[::]",
    "[::2]:80",
    "localhost:x",
    "localhost@evil.example",
    "evil.example#localhost",
    "localhost\nevil",
    ".localhost",
    "pages.example:8443",
    "a.example",
    "sub.pages.example",
  ])("refuses %j", (host) => {
    expect(() => checkHost({ host, origin: undefined }, rules)).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
    expect(() => checkHost({ host, origin: undefined }, {})).not.toThrow();
  });
});

describe("checkOrigin", () => {
  const rules = { allowOrigins: [ALLOWED] };
  const own = "localhost:8000";
  test.each([
    [undefined, own, false],
    [undefined, undefined, false],
    [ALLOWED, own, true],
    ["http://localhost:8000", own, false],
    ["https://localhost:8000", own, false],
    ["http://localhost:8000", "LocalHost:8000", false],
    ["http://[::1]:8000", "[::1]:8000", false],
    ["http://example.com", "example.com", false],
  ])("takes %s at %s; the answer names it: %s", (origin, host, named) => {
    expect(checkOrigin({ origin, host }, rules)).toBe(named);
  });

  test.each([
    ["null", own],
    ["null", undefined],
    ["null", "null"],
    ["", own],
    ["", undefined],
    ["*", own],
    ["about:blank", ""],
    ["about:blank", undefined],
    ["file://", ""],
    ["http://localhost:8001", own],
    ["http://localhost", own],
    ["http://127.0.0.1:8000", own],
    ["http://localhost:8000", undefined],
    ["HTTPS://PAGES.EXAMPLE", own],
    ["http://user@localhost:8000", "evil.example"],
  ])("refuses %j at %j", (origin, host) => {
    expect(() => checkOrigin({ origin, host }, rules)).toThrow(
      expect.objectContaining({ code: "forbidden" }),
    );
  });
});
