/** The one command of an `exec`, ready to be started as often as it takes. */
import type { Program } from "../../exec/program.ts";
import { startProgram } from "../../sources/process.ts";

export interface StartOptions {
  /** Besides PATH and what is passed from this process's own. */
  env: Readonly<Record<string, string>>;
  /** Whether it gets any; without, its stdin is empty. */
  input: boolean;
}

export type Start = (options: StartOptions) => Promise<Program>;

/**
 * Its stderr goes to ours, each line with its process id.
 * @param passed names of variables it gets from this process, besides PATH
 */
export function starter(
  command: string,
  args: readonly string[],
  passed: readonly string[],
): Start {
  const base: Record<string, string> = {};
  for (const name of ["PATH", ...passed]) {
    const value = process.env[name];
    if (value !== undefined) base[name] = value;
  }
  return async ({ env, input }) => {
    let pid = 0;
    const program = await startProgram({
      command,
      args,
      env: { ...env, ...base },
      input,
      onStderr: (line) => console.error(`pid ${pid}: ${printable(line)}`),
    });
    pid = program.pid;
    return program;
  };
}

/** What a program repeats of its client's input must not drive the operator's terminal. */
function printable(line: string): string {
  return line.replaceAll(CONTROL, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

// C0 but for the tab, DEL and C1 (ECMA-48).
// eslint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
