/** `COMMAND | capnweb-push pipe TOPIC --url URL` from outside: a filter that publishes elsewhere. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { MAX_LINE_BYTES } from "../../../server/commands/pipe/numbered-lines.ts";
import { startedFaultProxy } from "../../support/fault-proxy.ts";
import { type LocalServerOptions, startedLocal } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { asInput, dataIn, runPipe, seq, startPipe, startPipeTo, TOKEN } from "./pipe-child.ts";

const started = ({ app, store }: LocalServerOptions = {}) =>
  startedLocal({
    app: { publishToken: TOKEN, ...app },
    store: { historyEvents: 200_000, ...store },
  });

describe("pipe --url delivers", () => {
  test("every line once and in order, and prints nothing on stdout", async () => {
    const server = await started();
    const { code, stdout, stderr } = await runPipe(startPipeTo(server.url), asInput(seq(1, 5_000)));
    expect(await dataIn(server.hub)).toEqual(seq(1, 5_000));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: `connected: ${server.url}/\n`,
    });
  });

  test("ten thousand lines as fast as `yes` writes them", async () => {
    const server = await started();
    const lines = Array.from({ length: 10_000 }, () => "y");
    const { code } = await runPipe(startPipeTo(server.url), asInput(lines));
    expect(code).toBe(0);
    expect(await dataIn(server.hub)).toEqual(lines);
  }, 120_000);

  test("each line at once when they come slowly: it is there before the next is written", async () => {
    const server = await started();
    const { stdin, exit } = startPipeTo(server.url);
    for (let count = 1; count <= 10; count += 1) {
      stdin.write(`${count}\n`);
      await until(async () => (await dataIn(server.hub)).length === count);
    }
    stdin.end();
    expect(await exit).toBe(0);
    expect(await dataIn(server.hub)).toEqual(seq(1, 10));
  });

  test("text as it is: empty lines, CR LF, UTF-8 cut in two, and a last line without an end", async () => {
    const server = await started();
    const { stdin, exit } = startPipeTo(server.url);
    const [head, tail] = [Buffer.from("a\r\n\n{}\n€€"), Buffer.from("😀\n")];
    stdin.write(Buffer.concat([head, tail.subarray(0, 2)]));
    await until(async () => (await dataIn(server.hub)).length === 3);
    stdin.end(Buffer.concat([tail.subarray(2), Buffer.from([0xff]), Buffer.from("z")]));
    expect(await exit).toBe(0);
    expect(await dataIn(server.hub)).toEqual(["a", "", "{}", "€€😀", "�z"]);
  });

  test("JSON; what is none, or what Cap'n Web would change, is told and left out", async () => {
    const server = await started();
    const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    const kept = ['{"a":[[],[1.5,null]]}', '"\\ud800"', deep(128), '["remap",1]', "-0", "true"];
    const input = asInput([...kept, "", "{'a'}", '{"a":{"toString":1}}', deep(129), '"end"']);
    const { code, stderr } = await runPipe(startPipeTo(server.url, "--json"), input);
    expect(code).toBe(1);
    const data = await dataIn(server.hub);
    expect(data.map((value) => JSON.stringify(value))).toEqual(
      [...kept, '"end"'].map((text) => JSON.stringify(JSON.parse(text))),
    );
    expect(stderr.split("\n").filter((line) => line.startsWith("line"))).toEqual([
      expect.stringMatching(/^line 8 is left out: Expected JSON: /),
      'line 9 is left out: Expected no key that Cap\'n Web does not carry, got "toString"',
      "line 10 is left out: Expected data of at most 128 levels",
    ]);
  });

  test("events of 64 KiB of JSON and not a byte more", async () => {
    const server = await started();
    const [fewer, most, more] = [65_533, 65_534, 65_535].map((length) => "x".repeat(length));
    const huge = "x".repeat(MAX_LINE_BYTES); // no request could carry it
    const input = asInput([fewer!, most!, more!, huge, "end"]);
    const { code, stderr } = await runPipe(startPipeTo(server.url), input);
    expect(code).toBe(1);
    expect(await dataIn(server.hub)).toEqual([fewer, most, "end"]);
    const told = (line: number, bytes: number) =>
      `line ${line} is left out: Expected an event of at most 65536 bytes, got ${bytes}`;
    expect(stderr.split("\n").toSorted()).toEqual([
      "",
      `connected: ${server.url}/`,
      told(3, 65_537),
      told(4, MAX_LINE_BYTES + 2),
    ]);
  });

  test("requests that the server takes, whatever the lines are made of", async () => {
    const server = await started();
    const arrays = "[".repeat(100) + "]".repeat(100); // the most that Cap'n Web makes longer
    const big = `[${Array.from({ length: 300 }, () => arrays).join()}]`;
    const lines = [
      ...Array.from({ length: 30 }, () => big),
      ...Array.from({ length: 600 }, () => `["${"\\u0001".repeat(200)}"]`),
      ...Array.from({ length: 1_200 }, () => "[]"),
    ];
    const { code, stderr } = await runPipe(startPipeTo(server.url, "--json"), asInput(lines));
    expect([code, stderr]).toEqual([0, `connected: ${server.url}/\n`]);
    expect((await dataIn(server.hub)).map((data) => JSON.stringify(data))).toEqual(lines);
  });

  test("to a server under a path, too", async () => {
    const server = await started();
    const paths: string[] = [];
    const front = createServer((asked, answer) => {
      paths.push(asked.url!);
      const body = asked as unknown as ReadableStream;
      const init = { method: "POST", body, duplex: "half" };
      void fetch(`${server.url}/api`, init as RequestInit)
        .then((given) => given.text())
        .then((text) => answer.end(text));
    }).listen(0, "127.0.0.1");
    await once(front, "listening");
    onTestFinished(() => void front.close());
    const { port } = front.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/behind/a/path/`;
    const { code } = await runPipe(startPipeTo(url), "line\n");
    expect(code).toBe(0);
    expect(new Set(paths)).toEqual(new Set(["/behind/a/path/api"]));
    expect(await dataIn(server.hub)).toEqual(["line"]);
  });

  test("nothing when there is nothing", async () => {
    const server = await started();
    expect((await runPipe(startPipeTo(server.url), "")).code).toBe(0);
    expect(await dataIn(server.hub)).toEqual([]);
  });
});

describe("pipe --url gives up in one line, before any input,", () => {
  const failed = async (url: string, env: Record<string, string>) => {
    const child = startPipe(["topic", "--url", url], { env });
    const code = await child.exit; // its stdin stays open
    return { code, stdout: child.stdout(), stderr: child.stderr() };
  };

  test("when the token is wrong, or the server has none", async () => {
    const server = await started();
    expect(await failed(server.url, { PUBLISH_TOKEN: "wrong" })).toEqual({
      code: 1,
      stdout: "",
      stderr: `${server.url}/api: Expected the publish token (unauthorized)\n`,
    });
    const closed = await startedLocal();
    const { code, stderr } = await failed(closed.url, { PUBLISH_TOKEN: TOKEN });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^[^\n]* \(forbidden\)\n$/)]);
  });

  test("when there is no API at the address, or something else", async () => {
    const server = await started();
    const env = { PUBLISH_TOKEN: TOKEN };
    const { code, stderr } = await failed(`${server.url}/topics`, env);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^http:\S+\/topics\/api: [^\n]*40[45]?[^\n]*\n$|^http:\S+ [^\n]*\n$/),
    ]);
    for (const [status, expected] of [
      [401, "http_401"],
      [403, "http_403"],
      [404, "http_404"],
      [200, "protocol_error"],
    ] as const) {
      const other = createServer((_, answer) => answer.writeHead(status).end("<h1>Hello</h1>"));
      other.listen(0, "127.0.0.1");
      await once(other, "listening");
      onTestFinished(() => void other.close());
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      const outcome = await failed(url, env);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toMatch(new RegExp(`^${url}/api: [^\n]* \\(${expected}\\)\n$`));
    }
  });
});

describe("pipe --url told to stop", () => {
  test("delivers what it has read, and ends with 0", async () => {
    const server = await started();
    const { stdin, process, exit, stderr } = startPipeTo(server.url);
    const lines = seq(1, 20_000).map((number) => number.padEnd(1_000)); // 20 MB
    stdin.write(asInput(lines));
    await until(async () => (await dataIn(server.hub)).length > 0);
    process.kill("SIGTERM");
    expect(await exit).toBe(0);
    const data = await dataIn(server.hub);
    expect(data.length).toBeLessThan(lines.length); // else it was not in the middle
    expect(data).toEqual(lines.slice(0, data.length));
    expect(stderr()).toBe(`connected: ${server.url}/\nSIGTERM: delivering what was read\n`);
  });

  test("says how many lines it could not deliver, and ends with 1", async () => {
    const server = await started();
    const { port } = new URL(server.url);
    const silent = await startedFaultProxy(Number(port), (index) => ({
      afterMs: 0,
      ending: index === 0 ? "reset" : "stall",
    }));
    const { stdin, process, exit, stderr } = startPipeTo(silent.url);
    stdin.write(asInput(seq(1, 5_000))); // far fewer bytes than one read takes
    await until(() => silent.passed.length === 2); // it has read them while it waited
    process.kill("SIGINT");
    expect(await exit).toBe(1);
    const [, told, count] = /\n(SIGINT: .*)\n(\d+) lines were not acknowledged\n$/.exec(stderr())!;
    expect([told, count]).toEqual(["SIGINT: delivering what was read", "5000"]);
    expect(await dataIn(server.hub)).toEqual([]);
  });
});
