/** `pipe --url` through bad networks and dying servers: no line lost, none twice, none too many kept. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { publishLines } from "../../../server/commands/pipe/request.ts";
import { type Fault, startedFaultProxy } from "../../support/fault-proxy.ts";
import { startHttpFaultProxy } from "../../support/fault-proxy-http.ts";
import { seeded } from "../../support/seeded.ts";
import { startedLocal, startedProcess } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { asInput, dataAt, dataIn, runPipe, seq, startPipeTo, TOKEN } from "./pipe-child.ts";

const started = () =>
  startedLocal({ app: { publishToken: TOKEN }, store: { historyEvents: 100_000 } });
const FLAGS = ["--publish-token", TOKEN, "--history", "100000"];

describe("every line comes once and in order", () => {
  test("through cuts, resets and answers of a proxy that has lost its server", async () => {
    const { seed, random } = seeded();
    onTestFailed(() => console.error({ seed }));
    const server = await started();
    const { port } = new URL(server.url);
    let requests = 0;
    const badGateway = () => ({ badGateway: (requests += 1) === 2 || random() < 0.1 });
    const http = await startHttpFaultProxy(Number(port), badGateway);
    onTestFinished(() => http.close());
    // An answer to 500 lines has some 20 KB.
    const faultOf = (): Fault => {
      const afterBytes = Math.floor(random() * 150_000);
      return { afterBytes, ending: random() < 0.5 ? "cut" : "reset" };
    };
    const proxy = await startedFaultProxy(Number(new URL(http.url).port), faultOf);
    const child = startPipeTo(proxy.url);
    const { code, stdout, stderr } = await runPipe(child, asInput(seq(1, 10_000)));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(await dataIn(server.hub)).toEqual(seq(1, 10_000));
    expect(stderr).toContain("The server answered 502");
    expect(proxy.passed.length).toBeGreaterThan(2); // connections, all but the last cut
  });

  test("when a server says nothing any more", async () => {
    const server = await started();
    const { port } = new URL(server.url);
    const faultOf = (index: number): Fault =>
      index === 0 ? { afterBytes: 0, ending: "stall" } : {};
    const proxy = await startedFaultProxy(Number(port), faultOf);
    const url = new URL(`${proxy.url}/api`);
    const destination = { url, topic: "t", token: TOKEN, run: "r", deadlineMs: 50 };
    const line = { number: 1, data: "a", bytes: 3 };
    const { signal } = new AbortController();
    const [silence] = await publishLines([line], destination, signal);
    expect(silence).toMatchObject({ message: "No answer within 0.05 s", canRetry: true });
    const [stored] = await publishLines([line], { ...destination, deadlineMs: 30_000 }, signal);
    expect(stored).toBeUndefined();
    expect((await server.hub.read("t")).events.map(({ data }) => data)).toEqual(["a"]);
  });

  test("when the answer is lost each time at first: what was stored is not stored again", async () => {
    const server = await started();
    const { port } = new URL(server.url);
    const faultOf = (index: number): Fault => (index < 3 ? { afterBytes: index * 100 } : {});
    const proxy = await startedFaultProxy(Number(port), faultOf);
    const { code } = await runPipe(startPipeTo(proxy.url), asInput(seq(1, 300)));
    expect(code).toBe(0);
    expect(await dataIn(server.hub)).toEqual(seq(1, 300));
  });

  test("when the server does not take some of it now: from the first such line on it is repeated", async () => {
    const server = await started();
    const publish = server.hub.publish.bind(server.hub);
    let tries = 0;
    server.hub.publish = (topic, data, options) => {
      if (data === "40") tries += 1;
      if (Number(data) < 40 || tries > 3) return publish(topic, data, options);
      throw new Error("the store is away");
    };
    const { code, stderr } = await runPipe(startPipeTo(server.url), asInput(seq(1, 100)));
    expect(code).toBe(0);
    expect(await dataIn(server.hub)).toEqual(seq(1, 100));
    expect(stderr).toMatch(/\nreconnecting in \d\.\d s: internal error\nconnected: /);
    expect(stderr.match(/reconnecting/g)).toHaveLength(1); // once per change, not per try
  });

  test("or late, when the server fails one line and takes those after it, but once all the same", async () => {
    const server = await started();
    const publish = server.hub.publish.bind(server.hub);
    let failed = false;
    server.hub.publish = (topic, data, options) => {
      if (data !== "40" || failed) return publish(topic, data, options);
      failed = true;
      throw new Error("the store is away");
    };
    const { code } = await runPipe(startPipeTo(server.url), asInput(seq(1, 100)));
    expect(code).toBe(0);
    expect(await dataIn(server.hub)).toEqual([...seq(1, 39), ...seq(41, 100), "40"]);
  });
});

test("waits as long as the server asks, and no shorter than the minimum", async () => {
  const asked: number[] = [];
  const busy = createServer((request, answer) => {
    request.resume();
    asked.push(performance.now());
    const status = [429, 503, 500, 401][asked.length - 1]!;
    answer.writeHead(status, status === 503 ? { "Retry-After": "2" } : {}).end();
  }).listen(0, "127.0.0.1");
  await once(busy, "listening");
  onTestFinished(() => void busy.close());
  const url = `http://127.0.0.1:${(busy.address() as AddressInfo).port}`;
  const { code } = await runPipe(startPipeTo(url), "line\n");
  expect(code).toBe(1);
  const waits = asked.slice(1).map((at, index) => at - asked[index]!);
  expect(waits).toHaveLength(3);
  for (const [index, atLeast] of [250, 2_000, 250].entries()) {
    expect(waits[index]).toBeGreaterThanOrEqual(atLeast - 2); // timers round down
  }
});

describe("a server that is killed and started again", () => {
  test("gets every line that the former one has not acknowledged, once and in order", async () => {
    const first = await startedProcess(FLAGS);
    const child = startPipeTo(first.url);
    const { stdin, exit, stderr } = child;
    stdin.write(asInput(seq(1, 1_000)));
    await until(async () => (await dataAt(first.url)).length === 1_000);
    // Frozen, so that what comes now is under way when it dies.
    first.process.kill("SIGSTOP");
    stdin.write(asInput(seq(1_001, 1_600)));
    await first.kill("SIGKILL");
    await until(() => stderr().includes("reconnecting in"));
    stdin.write(asInput(seq(1_601, 2_000)));
    const second = await startedProcess([...FLAGS, "--port", `${first.port}`]);
    stdin.end(asInput(seq(2_001, 3_000)));
    expect(await exit).toBe(0);
    // The last lines of the former life may be here too: their acknowledgement may have been lost.
    const data = await dataAt(second.url);
    const begin = Number(data[0]);
    expect(begin).toBeLessThanOrEqual(1_001);
    expect(begin).toBeGreaterThan(500); // what waits is at most 1,000 lines, a request 500
    expect(data).toEqual(seq(begin, 3_000));
  });

  test("may stop in good order too, in the middle of the input", async () => {
    const first = await startedProcess(FLAGS);
    const { stdin, exit, stderr } = startPipeTo(first.url);
    let [written, writing] = [0, true];
    const write = () => {
      written += 1;
      if (writing) stdin.write(`${written}\n`, write);
      else stdin.end(`${written}\n`);
    };
    write();
    await until(async () => (await dataAt(first.url)).length > 100);
    const stopped = first.kill("SIGTERM");
    await until(() => stderr().includes("reconnecting in"));
    expect(await stopped).toBe(0);
    const second = await startedProcess([...FLAGS, "--port", `${first.port}`]);
    await until(async () => (await dataAt(second.url)).length > 100);
    writing = false;
    expect(await exit).toBe(0);
    const data = await dataAt(second.url);
    const begin = Number(data[0]);
    expect(begin).toBeGreaterThan(1);
    expect(data).toEqual(seq(begin, written));
  });
});

test("a server that stands still stops the pipe: what is kept is bounded, and nothing is lost", async () => {
  const server = await startedProcess(FLAGS);
  const child = startPipeTo(server.url);
  await until(() => child.stderr().startsWith("connected"));
  server.process.kill("SIGSTOP");
  const count = 16_000; // 16 MiB
  const lineOf = (number: number) => `${number} `.padEnd(1_023, "x");
  let accepted = 0;
  const write = () => {
    if (accepted === count) return void child.stdin.end();
    child.stdin.write(`${lineOf(accepted + 1)}\n`, (error) => {
      if (error) return;
      accepted += 1;
      write();
    });
  };
  write();
  // Until nothing more is taken; a slow machine can only make it less.
  for (let before = -1; before !== accepted || accepted < 1_000;) {
    before = accepted;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  // 1 MiB of lines, what the stream had read ahead, and the kernel's buffer.
  expect(accepted).toBeLessThan(3 * 1_024);
  server.process.kill("SIGCONT");
  expect(await child.exit).toBe(0);
  expect(accepted).toBe(count);
  const data = await dataAt(server.url);
  expect(data).toEqual(Array.from({ length: count }, (_, index) => lineOf(index + 1)));
}, 120_000);
