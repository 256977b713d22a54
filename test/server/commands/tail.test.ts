/** `capnweb-push tail` from outside: what it prints, and how it goes on and ends. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { TRANSPORT_NAMES } from "../../../server/commands/reading.ts";
import { tailCommand } from "../../../server/commands/tail.ts";
import { startedFaultProxy } from "../../support/fault-proxy.ts";
import { startedLocal, startedProcess } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { runCommand, startCommand, usageError } from "./child.ts";

interface Line {
  readonly cursor: string;
  readonly offset?: number;
  readonly time?: number;
  readonly name?: string;
  readonly data?: unknown;
  readonly gap?: { readonly missed: number | null; readonly reason: string };
}

const TOKEN = "token";

function tail(url: string, ...args: string[]) {
  const child = startCommand(["tail", `${url}/topics/topic`, ...args]);
  return { ...child, events: () => child.lines.map((line) => JSON.parse(line) as Line) };
}

async function publish(url: string, data: unknown): Promise<void> {
  const { status } = await ask(`${url}/topics/topic`, {
    method: "POST",
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(data),
  });
  expect(status).toBe(201);
}

describe("tail prints", () => {
  test("the lines of the server's NDJSON, whatever carries the events", async () => {
    const server = await startedLocal();
    await server.hub.publish("topic", { a: [1, "ü\n"] }, { name: "näme" });
    const cursor = await server.hub.publish("topic", null);
    const tails = TRANSPORT_NAMES.map((name) => {
      const child = tail(server.url, "--transport", name, "--after", "earliest");
      return { name, ...child };
    });
    const answer = await ask(`${server.url}/topics/topic?after=earliest`);
    const { events } = JSON.parse(answer.text) as { events: { time: number }[] };
    const epoch = cursor.split(".")[0];
    for (const { name, lines } of tails) {
      await until(() => lines.length === 2);
      const time = (index: number) => (name === "sse" ? "" : `"time":${events[index]!.time},`);
      expect(lines).toEqual([
        `{"cursor":"${epoch}.1","offset":1,${time(0)}"name":"näme","data":{"a":[1,"ü\\n"]}}`,
        `{"cursor":"${epoch}.2","offset":2,${time(1)}"data":null}`,
      ]);
    }
  });

  test("what comes from now on, so many events back, or after a cursor", async () => {
    const server = await startedLocal();
    const cursors: string[] = [];
    for (let number = 1; number <= 5; number += 1) {
      cursors.push(await server.hub.publish("topic", number));
    }
    const latest = tail(server.url);
    const last = tail(server.url, "--last", "2");
    const after = tail(server.url, "--after", cursors[1]!);
    await until(() => server.hub.stats().readers === 3);
    await server.hub.publish("topic", 6);
    for (const [child, data] of [
      [latest, [6]],
      [last, [4, 5, 6]],
      [after, [3, 4, 5, 6]],
    ] as const) {
      await until(() => child.lines.length >= data.length);
      expect(child.events().map((event) => event.data)).toEqual(data);
    }
  });

  test("only the data, when that is asked for, and what was lost on stderr", async () => {
    const server = await startedLocal({ store: { historyEvents: 2 } });
    const cursor = await server.hub.publish("topic", 1);
    for (const data of ["two", { three: 3 }, "four"]) await server.hub.publish("topic", data);
    const child = tail(server.url, "--data", "--after", cursor);
    await until(() => child.lines.length === 2);
    expect(child.lines).toEqual(['{"three":3}', '"four"']);
    expect(child.stderr()).toContain("lost 1 events (evicted)\n");
  });

  test("what was lost, as a line of its own with the place after it", async () => {
    const server = await startedLocal({ store: { historyEvents: 2 } });
    const cursor = await server.hub.publish("topic", 1);
    for (let number = 2; number <= 5; number += 1) await server.hub.publish("topic", number);
    for (const name of TRANSPORT_NAMES) {
      const child = tail(server.url, "--transport", name, "--after", cursor);
      await until(() => child.lines.length === 3);
      const [gap, ...events] = child.events();
      const place = cursor.replace(/\.1$/, ".3");
      expect(gap).toEqual({ cursor: place, gap: { missed: 2, reason: "evicted" } });
      expect(events.map(({ offset }) => offset)).toEqual([4, 5]);
      child.process.kill();
    }
  });
});

describe("tail goes on", () => {
  test("over a server that was killed and started again, and tells that its log is another", async () => {
    const flags = ["--publish-token", TOKEN];
    const first = await startedProcess(flags);
    for (let number = 1; number <= 3; number += 1) await publish(first.url, number);
    const tails = TRANSPORT_NAMES.map((name) =>
      tail(first.url, "--transport", name, "--after", "earliest"),
    );
    for (const { lines } of tails) await until(() => lines.length === 3);
    await first.kill("SIGKILL");
    for (const { stderr } of tails) await until(() => /reconnecting in/.test(stderr()));
    const second = await startedProcess([...flags, "--port", `${first.port}`]);
    // The topic is not there before its first event; a reader of its former life waits for it.
    await until(() => tails.some(({ stderr }) => stderr().includes("topic not found")));
    for (let number = 1; number <= 2; number += 1) await publish(second.url, `again ${number}`);
    for (const { lines, events, process } of tails) {
      await until(() => lines.length === 6);
      const [gap, ...rest] = events().slice(3);
      expect(gap!.gap).toEqual({ missed: null, reason: "epoch" });
      expect(rest.map(({ offset, data }) => [offset, data])).toEqual([
        [1, "again 1"],
        [2, "again 2"],
      ]);
      expect(process.exitCode).toBeNull();
    }
  });

  test("over cuts of the connection, without a repeat, a loss or a gap", async () => {
    const server = await startedLocal();
    const proxy = await startedFaultProxy(Number(new URL(server.url).port));
    const tails = TRANSPORT_NAMES.map((name) =>
      tail(proxy.url, "--transport", name, "--after", "earliest"),
    );
    let published = 0;
    const more = async () => {
      for (let count = 0; count < 20; count += 1) {
        await server.hub.publish("topic", (published += 1));
      }
    };
    await more();
    for (let cut = 0; cut < 2; cut += 1) {
      for (const { lines } of tails) await until(() => lines.length === published);
      proxy.cut();
      await more();
    }
    for (const { lines, events } of tails) {
      await until(() => lines.length >= published);
      expect(events().map(({ offset }) => offset)).toEqual(
        Array.from({ length: published }, (_, index) => index + 1),
      );
    }
  });

  test("when its server is not there yet", async () => {
    const former = await startedProcess(["--publish-token", TOKEN]);
    await former.kill("SIGKILL");
    const child = tail(former.url);
    await until(() => /reconnecting in \d\.\d s: The server cannot/.test(child.stderr()));
    await startedProcess(["--port", `${former.port}`]);
    // It answers now: that there is no such topic, and a name that was never there is wrong.
    expect(await child.exit).toBe(1);
  });
});

describe("tail ends", () => {
  test("with 0 and without a word when nobody reads its output any more", async () => {
    const server = await startedLocal();
    await server.hub.publish("topic", 1);
    const child = startCommand(["tail", `${server.url}/topics/topic`, "--after", "earliest"], {
      reading: false,
    });
    const lines = createInterface(child.process.stdout!);
    await new Promise((resolve) => lines.once("line", resolve));
    child.process.stdout!.destroy();
    await server.hub.publish("topic", 2);
    expect(await child.exit).toBe(0);
    expect(child.stderr()).toMatch(/^connected: [^\n]+\n$/);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "with 0 on %s, whatever it is doing",
    async (signal) => {
      const server = await startedLocal({ store: { historyBytes: 2 ** 30 } });
      const reading = tail(server.url);
      const waiting = startCommand(["tail", "http://127.0.0.1:1/topics/topic"]);
      const blocked = startCommand(["tail", `${server.url}/topics/topic`, "--after", "earliest"], {
        reading: false,
      });
      for (let count = 0; count < 500; count += 1) {
        await server.hub.publish("topic", "x".repeat(10_000));
      }
      await until(() => reading.stderr().includes("connected"));
      await until(() => blocked.stderr().includes("connected"));
      await until(() => waiting.stderr().includes("reconnecting"));
      for (const child of [reading, waiting, blocked]) {
        const told = performance.now();
        child.process.kill(signal);
        expect(await child.exit).toBe(0);
        expect(performance.now() - told).toBeLessThan(3_000);
      }
    },
  );

  test.each(TRANSPORT_NAMES)(
    "with 1 and one line over %s when there is no such topic",
    async (name) => {
      const server = await startedLocal({ topics: [] });
      const args = ["tail", `${server.url}/topics/topic`, "--transport", name];
      expect(await runCommand(args)).toEqual({
        code: 1,
        stdout: "",
        stderr: "topic not found: topic (topic_not_found)\n",
      });
    },
  );

  test.each([
    [[], /^Expected one URL, got 0$/],
    [["http://a/", "http://b/"], /^Expected one URL, got 2$/],
    [["nonsense"], /^Expected a URL like .*, got "nonsense"$/],
    [["ftp://a/topics/b"], /^Expected a URL like .*, got "ftp:/],
    [["http://a/", "--transport", "pigeon"], /^Expected `--transport` to be .*, got "pigeon"$/],
    [
      ["http://a/", "--transport", "rpc-tail"],
      /^Expected a topic's URL for RPC.*, got "http:\/\/a/,
    ],
    [["http://a/", "--after", "now"], /^Expected `--after` to be .*, got "now"$/],
    [["http://a/", "--last", "-1"], /^Expected `--last` to be .*, got "-1"$/],
    [["http://a/", "--last"], /^Expected a value after `--last`/],
    [
      ["http://a/", "--last", "1", "--after", "latest"],
      /^Expected `--after` or `--last`, got both$/,
    ],
    [["http://a/", "--data=1"], /^Expected no value after `--data`$/],
    [["http://a/", "--port", "1"], /^Unknown flag "--port"$/],
  ])("at once for %j", async (args, message) => {
    await expect(usageError(tailCommand, ["tail", ...args])).resolves.toMatch(message);
  });

  test("with 2 and how to use it for a wrong flag", async () => {
    const { code, stdout, stderr } = await runCommand(["tail", "http://a/", "--port", "1"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^Unknown flag "--port"\n\nUsage: capnweb-push tail URL/);
  });

  test("with 0 and all its flags for --help", async () => {
    const { code, stdout, stderr } = await runCommand(["tail", "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const word of [...TRANSPORT_NAMES, "--transport", "--after", "--last", "--data"]) {
      expect(stdout).toContain(word);
    }
  });
});

test("tail is held back by a slow reader, in a bounded memory, and gives everything in the end", async (context) => {
  if (process.platform !== "linux") context.skip("reads the memory of a process in /proc");
  const events = 4_000;
  const server = await startedLocal({ store: { historyEvents: events, historyBytes: 2 ** 30 } });
  const text = "x".repeat(50_000);
  for (let count = 0; count < events; count += 1) await server.hub.publish("topic", text);
  for (const name of ["ndjson", "websocket", "sse"]) {
    const child = startCommand(
      ["tail", `${server.url}/topics/topic`, "--after", "earliest", "--transport", name],
      { reading: false },
    );
    const { pid } = child.process;
    let before = "";
    // It works until everything on the way is full, then it stands still.
    await expect
      .poll(
        () => {
          const now = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").slice(13, 15).join();
          const still = child.stderr() !== "" && now === before;
          before = now;
          return still;
        },
        { interval: 300, timeout: 20_000 },
      )
      .toBe(true);
    const [, kibibytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
    expect(Number(kibibytes) / 1024).toBeLessThan(200); // the events are 200 MB
    let bytes = 0;
    child.process.stdout!.on("data", (chunk: Buffer) => (bytes += chunk.length));
    await until(() => bytes > events * text.length);
    child.process.kill();
  }
});
