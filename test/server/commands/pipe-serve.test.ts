/** `COMMAND | capnweb-push pipe TOPIC` from outside: a server whose topic stdin feeds. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { TopicInfo } from "../../../server/contract.ts";
import { PROGRAM } from "../../support/server.ts";
import { openNdjson } from "../../support/topic-clients.ts";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { asInput, dataAt, eventsAt, runPipe, seq, startedPipe, startPipe } from "./pipe-child.ts";

describe("pipe serves", () => {
  test("a topic that is there before its first line, and says where it and its page are", async () => {
    const { url, port, stdout } = await startedPipe();
    expect(stdout()).toContain(`http://localhost:${port}/topics/topic\n`);
    expect(stdout()).toContain(`http://localhost:${port}/static/lines/?topic=topic\n`);
    expect(await eventsAt(url)).toEqual([]);
    expect((await ask(`${url}/topics/topic`)).status).toBe(200);
    const { status, headers } = await ask(`${url}/`);
    expect([status, headers.location]).toEqual([302, "/static/lines/?topic=topic"]);
  });

  test("each line as an event, as soon as it comes", async () => {
    const { url, stdin } = await startedPipe();
    const client = await openNdjson(url, "topic");
    for (const line of ["one", "", '{"not":"parsed"}', "ünï"]) {
      stdin.write(`${line}\n`);
      expect((await client.next()).data).toBe(line);
    }
    client.close();
  });

  test("and when stdin has ended an event that says so, and the history until it is told to stop", async () => {
    const { url, stdin, stdout, process, exit } = await startedPipe();
    stdin.end("1\n2\nlast");
    await until(() => stdout().includes("stdin has ended"));
    const events = (await eventsAt(url)).map(({ name, data }) => ({ name, data }));
    expect(events).toEqual([
      { data: "1" },
      { data: "2" },
      { data: "last" },
      { name: "end", data: null },
    ]);
    process.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  test("JSON when that is asked for; what is none is told and left out, and the exit code is 1", async () => {
    const { url, stdin, stdout, stderr, process, exit } = await startedPipe("--json");
    stdin.end('{"a":[1,{}]}\n\nnone\n{"constructor":{}}\n');
    await until(() => stdout().includes("stdin has ended"));
    const [first, second] = await dataAt(url);
    expect(JSON.stringify([first, second])).toBe('[{"a":[1,{}]},{"constructor":{}}]');
    expect(stderr()).toMatch(/^line 3 is left out: Expected JSON: .*"none".*\n$/);
    process.kill("SIGINT");
    expect(await exit).toBe(1);
  });

  test("events of 64 KiB of JSON and not a byte more", async () => {
    const { url, stdin, stdout, stderr } = await startedPipe();
    // Two quotes are part of it.
    const [fewer, most, more] = [65_533, 65_534, 65_535].map((length) => "x".repeat(length));
    stdin.end(`${fewer}\n${most}\n${more}\nend\n`);
    await until(() => stdout().includes("stdin has ended"));
    expect(await dataAt(url)).toEqual([fewer, most, "end", null]);
    const why = "line 3 is left out: Expected an event of at most 65536 bytes, got 65537\n";
    expect(stderr()).toBe(why);
  });

  test("others while its stdin never ends and never pauses", async () => {
    const { url, stdin } = await startedPipe();
    const flood = Buffer.from("y\n".repeat(500_000));
    const write = () => {
      if (stdin.writable) stdin.write(flood, write); // until the child ends
    };
    write();
    const newest = async () => {
      const [topic] = JSON.parse((await ask(`${url}/topics`)).text) as TopicInfo[];
      return Number(topic!.cursor.split(".")[1]);
    };
    for (let asked = 0, before = 0; asked < 20; asked += 1) {
      await until(async () => (await newest()) > before); // it is answered, and goes on
      before = await newest();
    }
  });

  test("and publishes what it had read before a signal, without an end", async () => {
    const { url, stdin, process, exit } = await startedPipe();
    const client = await openNdjson(url, "topic");
    stdin.write("1\n2\n");
    expect([(await client.next()).data, (await client.next()).data]).toEqual(["1", "2"]);
    process.kill("SIGTERM");
    await expect(client.next()).rejects.toThrow("shutting_down");
    expect(await exit).toBe(0);
  });

  test("with the flags of a server that make sense", async () => {
    const args = ["--history", "3", "--heartbeat", "5", "--allow-origin", "https://a.example"];
    const { url, stdin, stdout } = await startedPipe(...args, "--publish-token=t0ken");
    stdin.end(asInput(seq(1, 10)));
    await until(() => stdout().includes("stdin has ended"));
    expect(await dataAt(url)).toEqual(["9", "10", null]);
    const headers = { Authorization: "Bearer t0ken", Origin: "https://a.example" };
    const answer = await ask(`${url}/topics/topic`, { method: "POST", headers, body: '"more"' });
    expect(answer.status).toBe(201);
    expect(answer.headers["access-control-allow-origin"]).toBe("https://a.example");
  });

  test("what a shell pipes into it", async () => {
    const script = `seq 1 10 | "$0" "$1" pipe count --port 0 & echo "pid $!"`;
    const shell = execFile("/bin/sh", ["-c", script, process.execPath, PROGRAM]);
    let stdout = "";
    shell.stdout!.on("data", (text: string) => (stdout += text));
    await until(() => stdout.includes("stdin has ended"));
    const [, url] = /(http:\S+)\/topics\/count/.exec(stdout)!;
    const events = await eventsAt(url!, "count");
    expect(events.map(({ data }) => data)).toEqual([...seq(1, 10), null]);
    process.kill(Number(/pid (\d+)/.exec(stdout)![1]));
    await once(shell, "close");
  });
});

describe("pipe refuses", () => {
  test.each([
    [[], "Expected one topic, got 0"],
    [["a", "b"], "Expected one topic, got 2"],
    [
      ["../a"],
      'Expected a topic of 1–128 letters, digits and ._~- that begins with a letter, a digit or _, got "../a"',
    ],
    [["a", "--metrics", "system"], 'Unknown flag "--metrics"'],
    [["a", "--port", "x"], 'Expected `--port` to be a whole number 0–65535, got "x"'],
    [["a", "--json=1"], "Expected no value after `--json`"],
    [["a", "--url"], "Expected a value after `--url`; write `--url=…` if it begins with a dash"],
    [["a", "--url", "http://a", "--port", "1"], "Expected `--port` or `--url`, got both"],
    [["a", "--url", "http://a"], "Expected `--publish-token` or PUBLISH_TOKEN with `--url`"],
    [
      ["a", "--publish-token=t", "--url", "a:1"],
      'Expected `--url` to be like http://localhost:8000, got "a:1"',
    ],
    [
      ["a", "--publish-token=t", "--url", "http://u:p@a"],
      'Expected `--url` to be like http://localhost:8000, got "http://u:p@a"',
    ],
    [
      ["a", "--publish-token=t", "--url", "http://a/?b"],
      'Expected `--url` to be like http://localhost:8000, got "http://a/?b"',
    ],
  ])("%j with usage and exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await runPipe(startPipe(args), "line\n");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `${message}\n\nUsage: COMMAND | capnweb-push pipe TOPIC [flags]\nRun \`capnweb-push pipe --help\` for all flags.\n`,
    );
  });

  test("a port that is taken, in one line", async () => {
    const { port } = await startedPipe();
    const { code, stderr } = await runPipe(startPipe(["topic", "--port", `${port}`]), "");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^The port is taken[^\n]*\n$/)]);
  });
});

test("tells its version", async () => {
  const { code, stdout } = await runPipe(startPipe(["--version"]), "");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test("its help names every flag, in 90 columns", async () => {
  const { code, stdout } = await runPipe(startPipe(["--help"]), "");
  expect(code).toBe(0);
  for (const flag of ["json", "url", "port", "host", "history", "heartbeat", "allow-origin"]) {
    expect(stdout).toContain(`\n  --${flag} `);
  }
  expect(stdout).toContain("\n  --publish-token ");
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(90);
});
