/** Real programs for a test; whatever it does with them, none outlives it. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import type { Program } from "../../server/exec/program.ts";
import { type ProgramOptions, startProgram } from "../../server/sources/process.ts";

export interface StartedProgram extends Program {
  /** Its lines so far. */
  readonly stderr: readonly string[];
}

/** Enough for any machine: a test that waits for it has found that something does not end. */
export const FOR_EVER = { intMs: 3_600_000, termMs: 3_600_000, killMs: 3_600_000 };
export const IMPATIENT = { intMs: 1, termMs: 1, killMs: 1 };
/** PATH, as it is for the test. */
export const PATH_ONLY = { PATH: process.env["PATH"]! };

export async function start(
  command: string,
  args: readonly string[] = [],
  options: Partial<ProgramOptions> = {},
): Promise<StartedProgram> {
  const stderr: string[] = [];
  const onStderr = (line: string) => stderr.push(line);
  const given = { command, args, env: PATH_ONLY, input: true, onStderr, ...options };
  const program = await startProgram(given);
  onTestFinished(() => {
    // Whatever the test found: its patience may be long, and it may have stopped it already.
    try {
      process.kill(-program.pid, "SIGKILL");
    } catch {
      // nobody is left
    }
    return program.stop();
  });
  return Object.assign(program, { stderr });
}

export function sh(script: string, options?: Partial<ProgramOptions>): Promise<StartedProgram> {
  return start("sh", ["-c", script], options);
}

export function node(script: string, options?: Partial<ProgramOptions>): Promise<StartedProgram> {
  return start(process.execPath, ["--eval", script], options);
}

/** Its lines, one by one; undefined after the last. */
export function linesOf(stdout: Readable): () => Promise<string | undefined> {
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    return done ? undefined : value;
  };
}

/** All that is to come. */
export async function textOf(stdout: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
