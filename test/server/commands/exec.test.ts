import { once } from "node:events";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { UsageError } from "../../../server/command-line.ts";
import { execCommand } from "../../../server/commands/exec.ts";
import { until } from "../../support/until.ts";
import { runCommand, startCommand, type Child } from "./child.ts";

/** Where an exec server listens, when it says so. */
async function urlOf(server: Child): Promise<string> {
  let found: string | undefined;
  await until(() => {
    found = server.lines.map((line) => /http:\/\/localhost:\d+/.exec(line)?.[0]).find(Boolean);
    return found !== undefined;
  });
  return found!.replace("localhost", "127.0.0.1");
}

const exec = (...args: string[]) => startCommand(["exec", "--port", "0", ...args]);

/** The events of a stream of lines, until there are `count`. */
async function events(url: string, count: number): Promise<{ name?: string; data: unknown }[]> {
  const found: { name?: string; data: unknown }[] = [];
  const answer = await fetch(url, { headers: { accept: "application/x-ndjson" } });
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of answer.body!) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    found.push(...lines.filter(Boolean).map((line) => JSON.parse(line) as { data: unknown }));
    if (found.length >= count) break;
  }
  return found
    .slice(0, count)
    .map(({ name, data }) => (name === undefined ? { data } : { name, data }));
}

test.each([
  [[], "Expected `--` and a command after the flags"],
  [["--port", "0"], "Expected `--` and a command after the flags"],
  [["--prot", "0", "--", "ls"], 'Unknown flag "--prot"'],
  [["--max-processes", "0", "--", "ls"], "a whole number of processes 1–100000, got"],
  [["--pass-env", "A B", "--", "ls"], "names of environment variables"],
  [["--origin", "*", "--", "ls"], "never *"],
  [["--shared", "--topic", "a/b", "--", "ls"], "a topic of 1–128"],
  [["--shared", "--binary", "--", "ls"], "Expected `--shared` or `--binary`, got both"],
  [["--topic", "a", "--", "ls"], "Expected no `--topic` without `--shared`"],
  [["--history", "5", "--", "ls"], "Expected no `--history` without `--shared`"],
  [
    ["--shared", "--max-processes", "5", "--", "ls"],
    "Expected no `--max-processes` with `--shared`",
  ],
  [["--same-origin=false", "--", "ls"], "each by `--origin`"],
  [["--maxforks=5", "--", "ls"], 'websocketd\'s "--maxforks=5" is `--max-processes` here'],
  [["--shared=perhaps", "--", "ls"], "Expected no value after `--shared`"],
])("exec %j is wrong", async (args, message) => {
  const error = await execCommand(["exec", ...args]).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message).toContain(message);
});

test("what is wrong is told with the usage, and exit code 2", async () => {
  const { code, stdout, stderr } = await runCommand(["exec", "--prot", "0", "--", "ls"]);
  expect(stderr).toContain('Unknown flag "--prot"');
  expect(stderr).toContain("Usage: capnweb-push exec [flags] -- COMMAND");
  expect([code, stdout]).toEqual([2, ""]);
});

test("--help tells all flags, --version the version; neither needs a command", async () => {
  const { code, stdout } = await runCommand(["exec", "--help"]);
  expect(code).toBe(0);
  for (const flag of ["--shared", "--binary", "--max-processes", "--pass-env", "--origin"]) {
    expect(stdout).toContain(flag);
  }
  expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  expect((await runCommand(["exec", "--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each(["no-such-program-here", "./no-such-script", "./README.md", "/tmp"])(
  "a command that cannot be run is told at once: %s",
  async (command) => {
    const { code, stderr } = await runCommand(["exec", "--port", "0", "--", command]);
    expect(stderr).toBe(`Cannot run ${command}: it was not found, or it may not be run\n`);
    expect(code).toBe(1);
  },
);

test("the flags of the program are its own, with -- and without", async () => {
  for (const dashes of [["--"], []]) {
    const server = exec(...dashes, "echo", "--port", "--help", "a b", "$HOME");
    const answer = await fetch(await urlOf(server));
    expect(await answer.text()).toBe("--port --help a b $HOME\n");
  }
});

test("stderr is logged line by line with the process id", async () => {
  const server = exec("--", "sh", "-c", 'echo "$$"; echo one >&2; printf two >&2');
  const pid = (await (await fetch(await urlOf(server))).text()).trim();
  await until(() => server.stderr().includes("two"));
  expect(server.stderr()).toBe(`pid ${pid}: one\npid ${pid}: two\n`);
});

test("what a program repeats of its input cannot drive the operator's terminal", async () => {
  const server = exec("--", "sh", "-c", "printf 'a\\033[2Jb\\rc\\td\\302\\233\\n' >&2");
  await (await fetch(await urlOf(server))).text();
  await until(() => server.stderr().includes("\n"));
  expect(server.stderr()).toMatch(/^pid \d+: a\\x1b\[2Jb\\x0dc\td\\x9b\n$/);
});

test("--shared: one process for all, its lines a topic with history", async () => {
  const server = exec("--shared", "--topic", "lines", "--", "sh", "-c", "echo $$; exec sleep 60");
  const url = await urlOf(server);
  const [[first], [second]] = await Promise.all([
    events(`${url}/topics/lines?after=earliest`, 1),
    events(`${url}/topics/lines?after=earliest`, 1),
  ]);
  expect(first).toEqual({ data: expect.stringMatching(/^\d+$/) as string });
  expect(second).toEqual(first);
  const home = await fetch(url, { redirect: "manual" });
  expect(home.headers.get("location")).toBe("/static/lines/?topic=lines");
  server.process.kill("SIGTERM");
  expect(await server.exit).toBe(0);
  expect(() => process.kill(Number(first!.data), 0)).toThrow("ESRCH");
});

test("--shared: when it ends the readers are told, and it is started again", async () => {
  const server = exec("--shared", "--", "sh", "-c", "echo a; exit 3");
  const url = await urlOf(server);
  expect(await events(`${url}/topics/sh?after=earliest`, 5)).toEqual([
    { data: "a" },
    { name: "exit", data: { code: 3, signal: null, restartInMs: 250 } },
    { data: "a" },
    { name: "exit", data: { code: 3, signal: null, restartInMs: 500 } },
    { data: "a" },
  ]);
});

test("--shared: a reader that comes back gets what it missed, over another transport", async () => {
  const server = exec("--shared", "--topic", "n", "--", "seq", "1", "100");
  const url = await urlOf(server);
  await events(`${url}/topics/n?after=earliest`, 100);
  const batch = (await (await fetch(`${url}/topics/n?after=earliest&limit=40`)).json()) as {
    cursor: string;
    events: { data: string }[];
  };
  const socket = new WebSocket(`${url.replace("http", "ws")}/topics/n?after=${batch.cursor}`);
  const [message] = (await once(socket, "message")) as [Buffer];
  const rest = (JSON.parse(message.toString()) as typeof batch).events;
  socket.terminate();
  const all = [...batch.events, ...rest].map(({ data }) => data).slice(0, 100);
  expect(all).toEqual(Array.from({ length: 100 }, (_, index) => `${index + 1}`));
});

test("--shared: what it leaves behind does not keep it from being started again", async () => {
  const server = exec("--shared", "--", "sh", "-c", "sleep 60 & echo $!; exit 3");
  const url = await urlOf(server);
  const [first, exit, second] = await events(`${url}/topics/sh?after=earliest`, 3);
  expect(exit).toMatchObject({ name: "exit", data: { code: 3 } });
  expect(second!.data).not.toBe(first!.data);
});

test("a terminal that is closed ends the server and its programs", async () => {
  const server = exec("--", "sh", "-c", "echo $$; exec sleep 60");
  const answer = await fetch(await urlOf(server));
  const reader = answer.body!.getReader();
  const { value } = await reader.read();
  const pid = Number(new TextDecoder().decode(value));
  server.process.kill("SIGHUP");
  expect(await server.exit).toBe(0);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  await reader.cancel().catch(() => {});
});
