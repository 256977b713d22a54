/** The program from outside: how it starts, what it says, how it stops. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, onTestFinished, test } from "vitest";
import { serveCommand } from "../../../server/commands/serve.ts";
import type { Subscribed } from "../../../server/contract.ts";
import { openFrames } from "../../support/frames.ts";
import { openSocket } from "../../support/rpc.ts";
import { PROGRAM, type ServerProcess, startedProcess } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { ask, call, openTcp, post, push, readUntil } from "../../support/wire.ts";
import { usageError } from "../commands/child.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

test("is a program: npx starts the file itself", async () => {
  const child = spawn(PROGRAM, ["--version"], { stdio: ["ignore", "ignore", "inherit"] });
  expect(await once(child, "close")).toEqual([0, null]);
});

describe("started", () => {
  test("on any free port, it prints URLs that answer", async () => {
    const server = await startedProcess();
    await until(() => server.output().includes("all the rest"));
    const urls = server.output().match(/http:\S+/g)!;
    expect(urls).toEqual([
      `http://localhost:${server.port}/static/serverpush/`,
      `http://localhost:${server.port}/api`,
      `http://localhost:${server.port}/`,
    ]);
    expect(server.output()).toMatch(new RegExp(`^capnweb-push ${version}\n`));
    const page = await ask(urls[0]);
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    const api = await ask(urls[1]!, { method: "POST", body: `${push("topics")}\n["pull",1]` });
    expect(api.text).toContain('"topic":"system-metrics"');
  });

  test("it listens on both addresses of localhost", async (context) => {
    const { port } = await startedProcess();
    await call(`http://127.0.0.1:${port}`, "topics");
    if (!hasIPv6) context.skip("this machine has no IPv6");
    await call(`http://[::1]:${port}`, "topics");
    await openSocket(`ws://[::1]:${port}/api`);
  });

  test("an id made on one address is good on the other", async (context) => {
    if (!hasIPv6) context.skip("this machine has no IPv6");
    const { port } = await startedProcess();
    const { subscriptionId } = await call<Subscribed>(
      `http://[::1]:${port}`,
      "subscribeSystemMetrics",
    );
    await call(`http://127.0.0.1:${port}`, "unsubscribe", subscriptionId);
  });

  test("it listens to nobody else", async (context) => {
    const { port } = await startedProcess();
    const [address] = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === "IPv4");
    if (!address) context.skip("this machine has no network");
    await expect(ask(`http://${address!.address}:${port}/api`)).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });

  test("with --host it prints that host", async () => {
    const server = await startedProcess(["--host", "127.0.0.1"]);
    expect(server.output()).toContain(`http://127.0.0.1:${server.port}/static/serverpush/`);
  });

  test("settings come from flags and from the environment, and the flag wins", async () => {
    const { port } = await freePort();
    const child = spawn(process.execPath, [PROGRAM, "--metrics-interval", "60"], {
      env: { ...process.env, PORT: `${port}`, METRICS_INTERVAL: "70", METRICS: "simulated" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    let stdout = "";
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    await until(() => stdout.includes(`http://localhost:${port}/api`));
    const { pollInterval } = await call<{ pollInterval: number }>(
      `http://127.0.0.1:${port}`,
      "subscribeSystemMetrics",
    );
    expect(pollInterval).toBe(60);
  });
});

describe("not started", () => {
  test.each(["127.0.0.1", "::1"])(
    "because %s has the port taken, it says so in one line and exits with 1",
    async (address) => {
      if (address === "::1" && !hasIPv6) return;
      const { port } = await freePort(address);
      const { code, stdout, stderr } = await run(["--port", `${port}`]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^[^\n]*port[^\n]* taken[^\n]*--port[^\n]*\n$/);
    },
  );

  test.each([
    [["--nonsense"], 'Unknown flag "--nonsense"'],
    [["--port"], /^Expected a value after `--port`/],
    [["--port", "http"], /^Expected `--port` to be .*, got "http"$/],
    [["--port", "65536"], /^Expected `--port` to be .*, got "65536"$/],
    [["--port=-1"], /^Expected `--port` to be .*, got "-1"$/],
    [["--metrics", "real"], /^Expected `--metrics` to be `system` or `simulated`, got "real"$/],
    [["--allow-origin", "*"], /^Expected `--allow-origin` to be .*, got "\*"$/],
    [["--lease", "0"], /^Expected `--lease` to be .*, got "0"$/],
    [["--heartbeat", "soon"], /^Expected `--heartbeat` to be .*, got "soon"$/],
    [["--version=1"], /^Expected no value after `--version`$/],
    [["frobnicate"], 'Unexpected argument "frobnicate"'],
    [["serve", "twice"], 'Unexpected argument "twice"'],
  ])("because of %j, it knows what is wrong", async (args, message) => {
    await expect(usageError(serveCommand, args)).resolves.toMatch(message);
  });

  test.each([
    [["--port", "http"], /^Expected `--port` to be .*, got "http"\n/],
    [["frobnicate"], /^Unexpected argument "frobnicate"\n/],
  ])("because of %j, it says what is wrong and exits with 2", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\n\nUsage: capnweb-push /);
    expect(stderr).not.toMatch(/\bat \S+:\d+/);
  });

  test("because of a bad variable, it names the variable and exits with 2", async () => {
    const { code, stderr } = await run([], { PORT: "eighty" });
    expect(code).toBe(2);
    expect(stderr).toMatch(/`PORT` to be .*, got "eighty"\n/);
  });

  test("because --help was asked, it lists every flag on stdout and exits with 0", async () => {
    for (const args of [["--help"], ["-h"], ["--nonsense", "--help"]]) {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const flags = "port host metrics metrics-interval heartbeat history subscription-capacity";
      for (const flag of `${flags} lease allow-origin publish-token version help`.split(" ")) {
        expect(stdout).toContain(`--${flag}`);
      }
    }
  });

  test("because --version was asked, it prints the package's and exits with 0", async () => {
    const { code, stdout, stderr } = await run(["--version"]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});

describe.each(["SIGINT", "SIGTERM"] as const)("stopped with %s", (signal) => {
  test("it exits with 0 and says that it stops", async () => {
    const server = await startedProcess();
    expect(await server.kill(signal)).toBe(0);
    expect(server.output()).toContain(`${signal}: telling every client, then stopping\n`);
  });

  test("it tells WebSocket clients, with a time to come back within the grace", async () => {
    const server = await startedProcess();
    const { next, closed } = await openFrames(`ws://127.0.0.1:${server.port}/api`);
    const exit = server.kill(signal);
    const [kind, [, , , stack, details]] = (await next()) as [string, unknown[]];
    expect(kind).toBe("abort");
    expect(stack).toBe(null);
    expect(details).toMatchObject({ code: "shutting_down" });
    const { retryAfterMs } = details as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThanOrEqual(0);
    expect(retryAfterMs).toBeLessThanOrEqual(10_000);
    expect((await closed).code).toBe(1012);
    expect(await exit).toBe(0);
  });

  test("it answers the polls that it holds", async () => {
    const server = await startedProcess(["--metrics-interval", "3600000"]);
    const { subscriptionId } = await call<Subscribed>(server.url, "subscribeSystemMetrics");
    const body = `${push("poll", subscriptionId, { waitMs: 30_000 })}\n["pull",1]`;
    const socket = await openTcp(server.url);
    const answer = readUntil(socket, /\]$/);
    socket.write(
      `POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    // Another poll of that id ends the first; one of an unknown id tells that it has arrived.
    await expect(call(server.url, "poll", "unknown")).rejects.toThrow("subscription not found");
    const exit = server.kill(signal);
    expect(await answer).toMatch(
      /^HTTP\/1\.1 200 [^]*\["reject",1,\["error","Error","the server is stopping",null,\{"code":"shutting_down"/,
    );
    expect(await exit).toBe(0);
  });

  test("it takes no new connection", async () => {
    const server = await startedProcess();
    const { closed } = await openFrames(`ws://127.0.0.1:${server.port}/api`);
    const exit = server.kill(signal);
    await closed; // told, so the port is closed by now
    await expect(post(server.url, push("topics"))).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(await exit).toBe(0);
  });

  test("it exits with 0 although a client has stopped reading", async () => {
    const server = await startedProcess(["--metrics-interval", "10"]);
    const frozen = await openFrames(`ws://127.0.0.1:${server.port}/api`);
    frozen.send(push("tail", "system-metrics", { after: "earliest" }), '["pull",1]');
    await frozen.next();
    frozen.socket.pause();
    expect(await server.kill(signal)).toBe(0);
  });

  test("it exits with 0 although a client's body never ends", async () => {
    const server = await startedProcess();
    const socket = await openTcp(server.url);
    socket.write(`POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[`);
    await call(server.url, "topics");
    expect(await server.kill(signal)).toBe(0);
  });
});

test("told to stop twice, it stops at once", async () => {
  const server: ServerProcess = await startedProcess();
  const frozen = await openFrames(`ws://127.0.0.1:${server.port}/api`);
  frozen.socket.pause();
  const exit = once(server.process, "exit");
  server.process.kill("SIGINT");
  await until(() => server.output().includes("then stopping"));
  server.process.kill("SIGINT");
  expect(await exit).toEqual([null, "SIGINT"]);
});

/** A port that a server of this test has, on this address, or one that nobody has any more. */
async function freePort(taken?: string): Promise<{ port: number }> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, taken ?? "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise((resolve) => void server.close(resolve));
  if (taken === undefined) await close();
  else onTestFinished(async () => void (await close()));
  return { port };
}
