/** `capnweb-push load` from outside: whether its figures are true, and what it finds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { loadCommand } from "../../../server/commands/load.ts";
import { TRANSPORT_NAMES } from "../../../server/commands/reading.ts";
import { PROGRAM, startedLocal, startedProcess } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { type Child, runCommand, startCommand, usageError } from "./child.ts";

function load(url: string, ...args: string[]): Child {
  return startCommand(["load", "-url", url, ...args]);
}

/** The rows of the totals: the number that each begins with, or its text. */
function rows(lines: readonly string[]): Record<string, string> {
  const found = lines.flatMap((text) => {
    const [, name, value] = /^(\S[a-z ]{0,12}\S) {2,}(\S.*)$/.exec(text) ?? [];
    return name === undefined ? [] : [[name, value!] as const];
  });
  return Object.fromEntries(found);
}

const lastLine = ({ lines }: Child) => lines.at(-1) ?? "";
const connected = (child: Child, clients: number) =>
  until(() => lastLine(child).includes(` ${clients}/${clients} connected`));
const received = (child: Child, messages: number) =>
  until(() => lastLine(child).includes(` ${messages} messages`));

/** Ends it, and gives its totals. */
async function end(child: Child): Promise<{ code: unknown; totals: Record<string, string> }> {
  child.process.kill("SIGINT");
  const code = await child.exit;
  return { code, totals: rows(child.lines) };
}

const CLEAN = {
  reconnects: "0",
  errors: "0",
  gaps: "0, 0 events missed",
  duplicates: "0",
  "out of order": "0",
  lost: "0 without a gap",
  misplaced: expect.stringMatching(/^0 /),
};

describe("the figures of a run are true", () => {
  test.each(TRANSPORT_NAMES)("over %s", async (transport) => {
    const server = await startedLocal();
    const url = `${server.url}/topics/topic`;
    const child = load(url, "-clients", "20", "-transport", transport, "-stats");
    await connected(child, 20);
    for (let number = 1; number <= 50; number += 1) {
      await server.hub.publish("topic", { number, text: "x".repeat(100) });
      if (number % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await received(child, 1_000);
    const { code, totals } = await end(child);
    expect(code).toBe(0);
    expect(totals).toMatchObject({
      ...CLEAN,
      clients: expect.stringMatching(new RegExp(`^20 over ${transport} from ${url}, `)),
      connected: "20 now, 20 at most, 0 never",
      messages: expect.stringMatching(/^1000 \(/),
    });
    const [, p50, max] = /^p50 (\d+) ms, .* max (\d+) ms$/.exec(totals["delay"]!)!.map(Number);
    expect(max).toBeGreaterThanOrEqual(p50!);
    expect(max).toBeLessThan(20_000);
    expect(Number(totals["bytes"])).toBeGreaterThan(1_000 * 100);
  });

  test("for history too, which has no delay", async () => {
    const server = await startedLocal();
    for (let number = 1; number <= 30; number += 1) await server.hub.publish("topic", number);
    for (const transport of ["sse", "websocket"]) {
      const args = ["-clients", "3", "-after", "earliest", "-stats", "-transport", transport];
      const child = load(`${server.url}/topics/topic`, ...args);
      await received(child, 90);
      const { code, totals } = await end(child);
      expect(code).toBe(0);
      expect(totals).toMatchObject({ ...CLEAN, delay: "none measured" });
    }
  });

  test("for heartbeats", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 100 } });
    for (const transport of ["sse", "websocket", "ndjson", "rpc-tail"]) {
      const args = ["-clients", "5", "-stats", "-transport", transport];
      const child = load(`${server.url}/topics/topic`, ...args);
      await until(() => Number(/ (\d+) heartbeats/.exec(lastLine(child))?.[1] ?? 0) >= 10);
      const { totals } = await end(child);
      expect(totals["messages"]).toMatch(/^0 /);
    }
    const url = await startStream("text/event-stream", (response) => {
      response.write(`id: e.0\n\n${": heartbeat\n\n".repeat(3)}`);
    });
    const child = load(url, "-clients", "5", "-stats");
    await until(() => lastLine(child).includes(" 15 heartbeats"));
    expect((await end(child)).totals["heartbeats"]).toBe("15");
  });

  test("for the delay, by the time that the server says", async () => {
    const late = 400;
    const url = await startStream("application/x-ndjson", (response) => {
      const time = Date.now() + 50; // after the client knows that it is connected
      setTimeout(() => response.write(line(1, time)), 50 + late);
    });
    const child = load(url, "-transport", "ndjson", "-stats");
    await received(child, 1);
    const { totals } = await end(child);
    const [, max] = /max (\d+) ms/.exec(totals["delay"]!)!.map(Number);
    expect(max).toBeGreaterThanOrEqual(late - 5);
    expect(max).toBeLessThan(late + 5_000);
  });

  test("for a thousand clients over sse", async () => {
    const server = await startedLocal();
    const child = load(`${server.url}/topics/topic`, "--clients", "1000", "--stats");
    await connected(child, 1_000);
    await until(() => server.hub.stats().readers === 1_001); // and the one that tells the times
    for (let number = 1; number <= 20; number += 1) {
      await server.hub.publish("topic", number);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await received(child, 20_000);
    const { code, totals } = await end(child);
    expect(code).toBe(0);
    expect(totals).toMatchObject({
      ...CLEAN,
      connected: "1000 now, 1000 at most, 0 never",
      messages: expect.stringMatching(/^20000 \(/),
      delay: expect.stringMatching(/^p50 \d+ ms, p95 \d+ ms, p99 \d+ ms, max \d+ ms$/),
    });
    await until(() => server.hub.stats().readers === 0);
  });

  test("for gaps that the server tells, and for a server that comes back", async () => {
    const first = await startedProcess(["--metrics-interval", "50"]);
    for (const transport of ["sse", "websocket"]) {
      const child = load(
        `${first.url}/topics/system-metrics`,
        ...["-clients", "10", "-transport", transport, "-stats"],
      );
      await connected(child, 10);
      await until(() => !lastLine(child).includes(" 0 messages"));
      await first.kill("SIGKILL");
      await until(() => lastLine(child).includes(" 0/10 connected"));
      Object.assign(
        first,
        await startedProcess(["--metrics-interval", "50", "--port", `${first.port}`]),
      );
      await until(() => lastLine(child).includes(" 10 reconnects"));
      await until(() => lastLine(child).includes(" 10 gaps"));
      const { code, totals } = await end(child);
      expect(code).toBe(0);
      expect(totals).toMatchObject({
        ...CLEAN,
        reconnects: "10",
        gaps: "10, 0 events missed", // how many, nobody knows
        errors: expect.stringMatching(/^[1-9]\d*$/),
      });
    }
  });
});

describe("a server that breaks the order is found out", () => {
  const cases: [string, number[], object][] = [
    ["repeats one", [1, 2, 3, 3, 4], { duplicates: "1" }],
    ["skips one", [1, 2, 4, 5], { lost: "1 without a gap" }],
    ["skips three", [1, 2, 6], { lost: "3 without a gap" }],
    ["gives one too late", [1, 3, 2, 4], { "out of order": "1" }],
    ["begins again", [1, 2, 3, 1, 2, 3], { duplicates: "3" }],
  ];

  test.each(cases)("when it %s: exactly that, and exit 1", async (_, offsets, wrong) => {
    const sse = await startStream("text/event-stream", (response) => {
      response.write(`id: e.0\n\n${offsets.map((offset) => block(offset)).join("")}`);
    });
    const ndjson = await startStream("application/x-ndjson", (response) => {
      response.write(offsets.map((offset) => line(offset, Date.now())).join(""));
    });
    const websocket = await startSocket(offsets);
    const children = Object.entries({ sse, ndjson, websocket }).map(
      ([transport, url]) => [transport, load(url, "-transport", transport, "-stats")] as const,
    );
    for (const [transport, child] of children) {
      await received(child, offsets.length);
      const { code, totals } = await end(child);
      expect({ transport, ...totals }).toMatchObject({ transport, ...CLEAN, ...wrong });
      expect(code).toBe(1);
      expect(child.lines.some((text) => /^ +client 1: e\.\d+ came after \d+ /.test(text))).toBe(
        true,
      );
    }
  });

  test("for each of its clients", async () => {
    const url = await startStream("text/event-stream", (response) => {
      response.write([1, 2, 2, 4].map((offset) => block(offset)).join(""));
    });
    const child = load(url, "-clients", "7", "-stats");
    await received(child, 28);
    const { code, totals } = await end(child);
    expect(code).toBe(1);
    expect(totals).toMatchObject({ ...CLEAN, duplicates: "7", lost: "7 without a gap" });
  });

  test("across a reconnect", async () => {
    let asked = 0;
    const url = await startStream("text/event-stream", (response) => {
      asked += 1;
      response.write(asked === 1 ? `retry: 1\n\n${block(1)}${block(2)}` : block(2));
      if (asked === 1) setImmediate(() => response.destroy());
    });
    const child = load(url, "-stats");
    await received(child, 3);
    const { code, totals } = await end(child);
    expect(code).toBe(1);
    expect(totals).toMatchObject({ ...CLEAN, reconnects: "1", errors: "1", duplicates: "1" });
  });

  test("when a gap does not fit, and not when it does", async () => {
    const gap = (place: number, missed: number) =>
      `id: e.${place}\nevent: gap\ndata: {"missed":${missed},"reason":"evicted"}\n\n`;
    const url = await startStream("text/event-stream", (response) => {
      response.write(`${block(1)}${gap(4, 3)}${block(5)}${gap(9, 3)}${block(10)}`);
    });
    const child = load(url, "-stats");
    await received(child, 3);
    const { code, totals } = await end(child);
    expect(code).toBe(1);
    const misplaced = expect.stringMatching(/^1 /);
    expect(totals).toMatchObject({ ...CLEAN, gaps: "2, 6 events missed", misplaced });
  });
});

describe("a stream without ids", () => {
  test("is read all the same, and what cannot be known is said", async () => {
    const url = await startStream("text/event-stream", (response) => {
      response.write('data: {"a":1}\n\nevent: error\ndata: just a name\n\n: heartbeat\n\n');
    });
    const child = load(url, "-clients", "2", "-stats", "-debug");
    await received(child, 4);
    const { code, totals } = await end(child);
    expect(code).toBe(0);
    expect(totals).toMatchObject({
      messages: expect.stringMatching(/^4 /),
      heartbeats: "2",
      order: expect.stringContaining("not numbered"),
      delay: expect.stringContaining("unknown"),
    });
    expect(child.stderr()).toBe(
      "These events are not numbered: order and delay cannot be checked\n",
    );
    for (const client of [1, 2]) {
      expect(child.lines).toContain(`client ${client}: connected`);
      expect(child.lines).toContain(`client ${client}: message {"a":1}`);
      expect(child.lines).toContain(`client ${client}: message just a name`);
      expect(child.lines).toContain(`client ${client}: heartbeat`);
    }
  });

  test("may be the seed's: its own command works as it is, but for the port", async () => {
    const server = await startedProcess();
    const child = load(`${server.url}/dashboard/stream`, "-clients", "1", "-debug");
    await until(() => child.lines.some((text) => text.startsWith('client 1: message {"system_')));
    const { code, totals } = await end(child);
    expect(code).toBe(0);
    expect(totals["connected"]).toBe("1 now, 1 at most, 0 never");
  });
});

describe("a run ends", () => {
  test("after its time", async () => {
    const server = await startedLocal();
    const child = load(`${server.url}/topics/topic`, "--duration", "0.5", "--clients=3");
    expect(await child.exit).toBe(0);
    expect(rows(child.lines)["connected"]).toBe("3 now, 3 at most, 0 never");
  });

  test.each(["sse", "websocket", "ndjson"])(
    "with 1 over %s when every client was refused for good",
    async (transport) => {
      const server = await startedLocal({ topics: [] });
      const args = ["-clients", "3", "-transport", transport];
      const child = load(`${server.url}/topics/topic`, ...args);
      expect(await child.exit).toBe(1);
      expect(rows(child.lines)).toMatchObject({ errors: "3, 3 clients gave up" });
      expect(child.lines).toContain(
        `${" ".repeat(14)}3 × topic not found: topic (topic_not_found)`,
      );
    },
  );

  test("with 1 when no client was ever connected, however often it was tried", async () => {
    const child = load("http://127.0.0.1:1/stream", "-clients", "2", "-duration", "1", "-debug");
    expect(await child.exit).toBe(1);
    const totals = rows(child.lines);
    expect(totals["connected"]).toBe("0 now, 0 at most, 2 never");
    expect(child.lines.some((text) => /^client 2: error The server cannot/.test(text))).toBe(true);
    // The minimum is a quarter of a second.
    expect(Number(totals["errors"])).toBeLessThanOrEqual(2 * 5);
  });

  test("without a word when nobody reads its output any more", async () => {
    const server = await startedLocal();
    const child = load(`${server.url}/topics/topic`, "-stats", "-debug");
    await until(() => child.lines.length > 0);
    child.process.stdout!.destroy();
    expect(await child.exit).toBe(0);
    expect(child.stderr()).toBe("");
  });
});

describe("the command line", () => {
  test.each([
    ["-clients", "0"],
    ["-clients=0"],
    ["--clients=0"],
    ["--clients=-1"],
    ["--clients=abc"],
    ["--clients=1.5"],
    ["--clients="],
    ["--clients=1e3"],
  ])("wants at least one client, not %s %s", async (...flags) => {
    const { code, stdout, stderr } = await runCommand(["load", "-url", "http://a/", ...flags]);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr: "Number of clients must be at least 1\n",
    });
  });

  test.each([
    [[], "Expected one `--url URL`"],
    [["-url", "http://a/", "http://b/"], "Expected one `--url URL`"],
    [["-url", "nonsense"], /^Expected a URL like .*, got "nonsense"$/],
    [["-url"], /^Expected a value after `--url`/],
    [["-url", "-debug"], /^Expected a value after `--url`/],
    [["-url", "http://a/", "-transport", "x"], /^Expected `--transport` to be .*, got "x"$/],
    [["-url", "http://a/", "-duration", "0"], /^Expected `--duration` to be .*, got "0"$/],
    [["-url", "http://a/", "-after", "now"], /^Expected `--after` to be .*, got "now"$/],
    [["-url", "http://a/", "-debug=7"], /^Expected no value after `--debug`$/],
    [["-url", "http://a/", "-verbose"], /^Unknown flag/],
  ])("is judged: %j", async (args, message) => {
    await expect(usageError(loadCommand, ["load", ...args])).resolves.toMatch(message);
  });

  test("tells what is wrong with it, how to use it, and exits with 2", async () => {
    const { code, stdout, stderr } = await runCommand(["load", "-verbose"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^Unknown flag "-v"\n\nUsage: capnweb-push load --url URL/);
  });

  test("has a help with all its flags", async () => {
    const { code, stdout, stderr } = await runCommand(["load", "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const flags = "url clients transport after duration debug stats".split(" ");
    for (const word of [...TRANSPORT_NAMES, ...flags.map((flag) => `--${flag}`)]) {
      expect(stdout).toContain(word);
    }
  });

  test("says when the system allows too few connections", async (context) => {
    if (process.platform === "win32") context.skip("has no such limit");
    const run = `ulimit -n 200 && exec "$0" "$@"`;
    const args = [PROGRAM, "load", "-url", "http://127.0.0.1:1/", "-clients", "300"];
    const child = spawn("sh", ["-c", run, process.execPath, ...args, "-duration", "0.1"]);
    let stderr = "";
    child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
    await once(child, "close");
    expect(stderr).toMatch(
      /^This process may open 200 files, too few for 300 clients: .*ulimit -Hn/,
    );
  });
});

function block(offset: number): string {
  return `id: e.${offset}\ndata: ${offset}\n\n`;
}

function line(offset: number, time: number): string {
  return `${JSON.stringify({ cursor: `e.${offset}`, offset, time, data: offset })}\n`;
}

/** A server with one stream, which answers each request for its type as a test says. */
async function startStream(
  type: string,
  begin: (response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    const wanted = request.headers.accept === type;
    response.writeHead(wanted ? 200 : 406, { "Content-Type": type, Cursor: "e.0" });
    if (!wanted) return void response.end();
    response.flushHeaders();
    begin(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
}

/** A WebSocket server that sends each event as a batch of its own. */
async function startSocket(offsets: readonly number[]): Promise<string> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  server.on("connection", (socket) => {
    for (const offset of offsets) {
      const events = [{ offset, time: Date.now(), data: offset }];
      socket.send(JSON.stringify({ events, cursor: `e.${offset}` }));
    }
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
}
