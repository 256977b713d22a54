/** Who may not come in starts nothing. The program counts how often it was started. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Listening } from "../support/listening.ts";
import { ask, openTcp, readUntil } from "../support/wire.ts";
import { sh } from "./row.ts";
import { startExec } from "./start-exec.ts";
import { refusal, visit } from "./visit.ts";

const STARTS = join(mkdtempSync(join(tmpdir(), "exec-")), "starts");

const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const PROTOCOL = "Sec-WebSocket-Protocol: capnweb,,";

let server: Listening;

beforeAll(async () => {
  server = await startExec(sh('echo started >> "$1"; cat', STARTS));
});

afterAll(async () => {
  await server?.kill("SIGTERM");
});

function starts(): number {
  return existsSync(STARTS) ? readFileSync(STARTS, "utf8").split("\n").length - 1 : 0;
}

interface Asked {
  readonly path?: string;
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
}

describe("nothing is started", () => {
  const PAGE = { Origin: "https://evil.example" };
  const get = (headers: OutgoingHttpHeaders, method = "GET") => ({ headers, method });
  test.each([
    [403, "for a page of a foreign origin", get({ ...PAGE, Accept: "text/event-stream" })],
    [403, "for a sandboxed page", get({ Origin: "null" })],
    [403, "for a foreign page that says no origin", get({ "Sec-Fetch-Site": "cross-site" })],
    [403, "for one of the same site", get({ "Sec-Fetch-Site": "same-site" })],
    [403, "for an image", get({ "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin" })],
    [403, "for a script", get({ "Sec-Fetch-Dest": "script" })],
    [403, "for a frame", get({ "Sec-Fetch-Dest": "iframe", Accept: "text/event-stream" })],
    [403, "for a foreign name of this machine", get({ Host: "evil.example" })],
    [403, "for another address", get({ Host: "192.0.2.1:8000" })],
    [200, "for HEAD", get({}, "HEAD")],
    [200, "for HEAD of a stream", get({ Accept: "text/event-stream" }, "HEAD")],
    [405, "for POST", get({}, "POST")],
    [405, "for PUT", get({}, "PUT")],
    [405, "for DELETE", get({}, "DELETE")],
    [405, "for a method that nobody knows", get({}, "PROPFIND")],
    [404, "for a file that is not there", { ...get({}), path: "/static/nothing.js" }],
    [400, "for a NUL in the path", { ...get({}), path: "/a%00b" }],
    [400, "for a path that is not UTF-8", { ...get({}), path: "/%ff" }],
    [400, "for a path with a % that means nothing", { ...get({}), path: "/%zz" }],
    [426, "for Cap'n Web without a WebSocket", { ...get({}), path: "/api" }],
    [405, "for a batch of Cap'n Web", { ...get({}, "POST"), path: "/api" }],
  ] as const)("%d %s", async (status, _, { path = "/", ...request }: Asked) => {
    const before = starts();
    expect(await ask(`${server.url}${path}`, request)).toMatchObject({ status });
    expect(starts()).toBe(before);
  });

  test.each([
    [403, "of a page of a foreign origin", { headers: PAGE }],
    [403, "of one for Cap'n Web", { headers: PAGE, protocols: ["capnweb"] }],
    [403, "of one at /api", { headers: PAGE, path: "/api" }],
    [403, "for a foreign name of this machine", { headers: { Host: "evil.example" } }],
    [400, "for a NUL in the path", { path: "/a%00b" }],
  ] as const)("%d for a handshake %s", async (status, _, options) => {
    const before = starts();
    expect(await visit(server, options).then(() => "open", refusal)).toBe(status);
    expect(starts()).toBe(before);
  });

  test.each([
    ["without a key", ["Sec-WebSocket-Version: 13"]],
    ["with a key that is none", ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"]],
    ["of a version that nobody speaks", ["Sec-WebSocket-Version: 99", KEY]],
    ["for a protocol that is none", ["Sec-WebSocket-Version: 13", KEY, PROTOCOL]],
  ])("400 for a handshake %s", async (_, lines) => {
    const before = starts();
    const socket = await openTcp(server.url);
    const head = ["GET / HTTP/1.1", `Host: 127.0.0.1:${server.port}`, ...UPGRADE, ...lines, "", ""];
    socket.write(head.join("\r\n"));
    expect(await readUntil(socket, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 400 /);
    expect(starts()).toBe(before);
  });

  test("and of its own origin one is: the count counts", async () => {
    const before = starts();
    const Origin = `http://127.0.0.1:${server.port}`;
    const own = { Origin, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty" };
    expect((await ask(server.url, { headers: own })).status).toBe(200);
    const client = await visit(server, { headers: own });
    client.socket.close();
    await client.closed;
    expect(starts()).toBe(before + 2);
  });
});
