/** A command of the built program in a process of its own, as a shell runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFailed, onTestFinished } from "vitest";
import { UsageError } from "../../../server/command-line.ts";
import { PROGRAM } from "../../support/server.ts";

export interface Child {
  readonly process: ChildProcess;
  /** Of stdout, so far. */
  readonly lines: readonly string[];
  readonly stderr: () => string;
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>;
}

/** Ended with the test; of a test that failed, what it has printed is shown. */
export function startCommand(
  args: readonly string[],
  { reading = true }: { reading?: boolean } = {},
): Child {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  if (reading) createInterface(child.stdout).on("line", (line) => lines.push(line));
  // `close` comes when all of its output is there; unread output never is.
  const exit = once(child, reading ? "close" : "exit").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
  );
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  onTestFailed(() => console.error(args.join(" "), lines, stderr));
  return { process: child, lines, stderr: () => stderr, exit };
}

/** Runs it to its end. */
export async function runCommand(
  args: readonly string[],
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const { lines, stderr, exit } = startCommand(args);
  const code = await exit;
  return { code, stdout: lines.map((line) => `${line}\n`).join(""), stderr: stderr() };
}

/**
 * What a command says of a command line that it refuses before it begins: the code that a process
 * would run, in this one. What becomes of a `UsageError` is `server/main.ts`, the same for all.
 */
export async function usageError(
  command: (argv: readonly string[]) => Promise<void>,
  argv: readonly string[],
): Promise<string> {
  const error: unknown = await command(argv).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UsageError)) throw new Error("It is not refused", { cause: error });
  return error.message;
}
