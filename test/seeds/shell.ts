/** Runs a line of a document as its reader would, in bash, on the port of the server under test. */
import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { until } from "../support/until.ts";

export interface Shell {
  stdout(): string;
  stderr(): string;
  /** Resolves when stdout is as expected. @throws {Error} when it has ended before */
  prints(expected: RegExp): Promise<string>;
  /** Ctrl-C. Resolves with what it has printed, when it has ended. */
  interrupt(): Promise<string>;
  kill(): void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** Ended with the test. */
export function run(line: string): Shell {
  const shell = start(line);
  onTestFinished(shell.kill);
  return shell;
}

export function start(line: string): Shell {
  const shell = spawn("bash", ["-c", line], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a group of its own, so that a pipe ends with it
  });
  let stdout = "";
  let stderr = "";
  let over = false;
  shell.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  shell.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<number | null>((resolve) => {
    shell.once("close", (code) => {
      over = true;
      resolve(code);
    });
  });
  return {
    ended,
    kill: () => {
      if (!over) process.kill(-shell.pid!, "SIGKILL");
    },
    stdout: () => stdout,
    stderr: () => stderr,
    prints: async (expected) => {
      await until(() => expected.test(stdout) || over);
      if (!expected.test(stdout)) throw new Error(`ended after\n${stdout}\n${stderr}`);
      return stdout;
    },
    interrupt: async () => {
      if (!over) process.kill(-shell.pid!, "SIGINT");
      await ended;
      return stdout;
    },
  };
}
