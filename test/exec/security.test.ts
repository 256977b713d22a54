/** What the network says is told to the program, and is never a part of what is run. */
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Listening } from "../support/listening.ts";
import { openTcp, readUntil } from "../support/wire.ts";
import { startExec } from "./start-exec.ts";

const folder = mkdtempSync(join(tmpdir(), "exec-"));
const STARTS = join(folder, "starts");
const OWNED = join(folder, "owned"); // what an attack would leave
const REPORT = "test/support/programs/report.sh";
const ARGUMENTS = [STARTS, `$(touch ${OWNED})`, "two words", "--help", "", "'\""];

let server: Listening;

beforeAll(async () => {
  server = await startExec([REPORT, ...ARGUMENTS], ["--pass-env", "WANTED"], {
    WANTED: "this one",
    SECRET: "not this one",
  });
});

afterAll(async () => {
  await server?.kill("SIGTERM");
});

/** How often the program was started so far. */
function starts(): number {
  return existsSync(STARTS) ? readFileSync(STARTS, "utf8").split("\n").length - 1 : 0;
}

interface Report {
  readonly commandLine: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A request as its bytes are. */
async function send(target: string, headers: readonly string[] = []): Promise<string> {
  const socket = await openTcp(server.url);
  const host = headers.some((line) => /^host:/i.test(line))
    ? []
    : [`Host: 127.0.0.1:${server.port}`];
  const head = [`GET ${target} HTTP/1.1`, ...host, "Connection: close", ...headers, "", ""];
  socket.write(head.join("\r\n"), "latin1");
  return readUntil(socket, /\r\n0\r\n\r\n$|^HTTP\/1\.1 4\d\d .*?\r\n\r\n/s);
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

/** What the program said of itself. */
function reportIn(answer: string): Report {
  const [, body] = /\r\n\r\n(.*)$/s.exec(answer)!;
  const text = body!.replace(/[\da-f]+\r\n(.*?)\r\n/gs, "$1"); // the chunks' heads
  const [commandLine, environment] = text.split("\n").map(parts) as [string[], string[]];
  const entries = environment.map((line) => /^([^=]*)=(.*)$/s.exec(line)!.slice(1));
  return { commandLine, environment: Object.fromEntries(entries) as Record<string, string> };
}

function parts(base64: string): string[] {
  return Buffer.from(base64, "base64").toString("latin1").split("\0").slice(0, -1);
}

async function report(target: string, headers: readonly string[] = []): Promise<Report> {
  return reportIn(await send(target, headers));
}

const EVIL = `$(touch ${OWNED})`;

describe("the command line is the one that was given", () => {
  test.each([
    [`/;touch%20${OWNED}`, []],
    [`/${EVIL.replace(" ", "%20")}?${EVIL.replace(" ", "%20")}`, []],
    [`/\`id\`|id&id>x`, []],
    ["/%0aid%0d%0aid?%0aid", []],
    ["/--version", []],
    ["/-c?-c+id", []],
    ["/../../bin/sh", []],
    ["//evil.example/x", []],
    [`/?${"x".repeat(8_000)}`, []],
    ["/", [`X-Command: ${EVIL}`, "X-Arguments: ; id", `Cookie: ${EVIL}`, "Range: -1"]],
    ["/", [`User-Agent: () { :; }; touch ${OWNED}`]], // CVE-2014-6271
  ])("for %s %s", async (target, headers) => {
    const before = starts();
    const { commandLine } = await report(target, headers);
    expect(commandLine).toEqual(["/bin/sh", REPORT, ...ARGUMENTS]);
    expect(starts()).toBe(before + 1);
    expect(existsSync(OWNED)).toBe(false);
  });
});

describe("the environment is what is documented", () => {
  const DOCUMENTED = `PATH WANTED
    AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING
    REMOTE_ADDR REMOTE_HOST REMOTE_IDENT REMOTE_PORT REMOTE_USER REQUEST_METHOD REQUEST_URI
    SCRIPT_NAME SERVER_NAME SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE UNIQUE_ID
    HTTP_HOST HTTP_CONNECTION`.split(/\s+/);
  // The shell that runs the script puts nothing into what the kernel has of it.
  const names = async (headers: readonly string[]) => {
    const { environment } = await report("/", headers);
    return Object.keys(environment).filter((name) => !DOCUMENTED.includes(name));
  };

  test("without headers of its own: every documented name, and no other", async () => {
    const { environment } = await report("/");
    expect(Object.keys(environment).sort()).toEqual(DOCUMENTED.sort());
    expect(environment).toMatchObject({ WANTED: "this one", PATH: process.env["PATH"] });
  });

  test("a header is HTTP_ and its name, and nothing else can be named", async () => {
    const added = await names(["Path: x", "Ld-Preload: x", "Remote-User: x", "constructor: x"]);
    const headers = ["HTTP_CONSTRUCTOR", "HTTP_LD_PRELOAD", "HTTP_PATH", "HTTP_REMOTE_USER"];
    expect(added.sort()).toEqual(headers);
  });

  test.each([
    "Proxy: http://evil.example", // CVE-2016-5385
    "PROXY: http://evil.example",
    "LD_PRELOAD: /tmp/x.so",
    "X_Forwarded_For: 1", // would look like X-Forwarded-For
    "X.Y: 1",
    "X!Y: 1",
    "__proto__: 1",
    "HTTP_PROXY: 1",
  ])("%s is no variable", async (line) => {
    expect(await names([line])).toEqual([]);
  });

  test("what comes twice is one variable, and a header is not one of CGI's own", async () => {
    const lines = ["X-Twice: one", "x-twice: two", "Content-Type: text/x", "Query-String: evil"];
    const { environment } = await report("/?mine", lines);
    expect(environment).toMatchObject({
      HTTP_X_TWICE: "one, two",
      CONTENT_TYPE: "text/x",
      QUERY_STRING: "mine",
      HTTP_QUERY_STRING: "evil",
    });
    expect(environment).not.toHaveProperty("HTTP_CONTENT_TYPE");
  });

  test.each([
    ["a newline that folds", "X-A: one\r\n EVIL=1"],
    ["a bare newline", "X-A: one\nEVIL=1"],
    ["a bare return", "X-A: one\rEVIL=1"],
    ["a NUL", "X-A: one\0EVIL=1"],
    ["a NUL in its name", "X\0EVIL=1: x"],
    ["an = in its name", "EVIL=1: x"],
    ["a space in its name", "X EVIL: 1"],
    ["no name", ": EVIL=1"],
    ["other control characters", "X-A: \x01\x1b[31m"],
    ["bytes that are not UTF-8", "X-A: \xff\xfe"],
    ["no value at all", "X-A:"],
  ])("a header with %s adds nothing", async (_, line) => {
    const before = starts();
    const answer = await send("/", [line]);
    if (statusOf(answer) === 400) return expect(starts()).toBe(before);
    expect(statusOf(answer)).toBe(200);
    const { environment } = reportIn(answer);
    const added = Object.keys(environment).filter((name) => !DOCUMENTED.includes(name));
    expect(added).toEqual(["HTTP_X_A"]);
    expect(environment["HTTP_X_A"]).not.toMatch(/[\r\n]/);
  });
});
