/** `capnweb-push pipe` with somebody at the other end of its pipe, and what a topic holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { onTestFailed, onTestFinished } from "vitest";
import type { PushEvent } from "../../../server/contract.ts";
import type { Hub } from "../../../server/hub.ts";
import { PROGRAM } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";

export const TOKEN = "s3cret";

export interface PipeChild {
  readonly process: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Ended with the test; of a test that failed, what it has printed is shown. */
export function startPipe(
  args: readonly string[],
  { env = {} }: { env?: Record<string, string> } = {},
): PipeChild {
  const child = spawn(process.execPath, [PROGRAM, "pipe", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  child.stdin.on("error", () => {}); // it may end before it has read everything
  const exit = once(child, "close").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
  );
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  onTestFailed(() => console.error(args.join(" "), stdout, stderr));
  const { stdin } = child;
  return { process: child, stdin, stdout: () => stdout, stderr: () => stderr, exit };
}

/** One that publishes to a server that runs. */
export function startPipeTo(url: string, ...args: string[]): PipeChild {
  return startPipe(["topic", "--url", url, ...args], { env: { PUBLISH_TOKEN: TOKEN } });
}

/** One that serves; its URL when it does. */
export async function startedPipe(
  ...args: string[]
): Promise<PipeChild & { readonly url: string; readonly port: number }> {
  const child = startPipe(["topic", "--port", "0", ...args]);
  // The last line of its greeting: the others are there then.
  const port = () => /Cap'n Web +http:\/\/localhost:(\d+)\/api\n/.exec(child.stdout())?.[1];
  await until(() => port() !== undefined || child.process.exitCode !== null);
  return { ...child, url: `http://127.0.0.1:${port()}`, port: Number(port()) };
}

/** Gives it all of its input, and waits for its end. */
export async function runPipe(
  child: PipeChild,
  input: string | Buffer,
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  child.stdin.end(input);
  const code = await child.exit;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

/** Every event that the topic still has, however many those are. */
export async function eventsAt(url: string, topic = "topic"): Promise<PushEvent[]> {
  const all: PushEvent[] = [];
  for (let after = "earliest"; ;) {
    const { status, text } = await ask(`${url}/topics/${topic}?after=${after}&limit=1000`);
    if (status !== 200) return all;
    const { events, cursor } = JSON.parse(text) as { events: PushEvent[]; cursor: string };
    if (events.length === 0) return all;
    all.push(...events);
    after = cursor;
  }
}

export async function dataAt(url: string): Promise<unknown[]> {
  return (await eventsAt(url)).map(({ data }) => data);
}

/** The data of every event in a hub of this process. */
export async function dataIn(hub: Hub, topic = "topic"): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let after = "earliest"; ;) {
    const { events, cursor } = await hub.read(topic, { after });
    if (events.length === 0) return all;
    all.push(...events.map(({ data }) => data));
    after = cursor;
  }
}

/** `seq first last` */
export function seq(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);
}

export function asInput(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
