/** An exec server in this process, over real programs; ended with the test. */
import { onTestFinished } from "vitest";
import { createExecApp, type ExecApp, type ExecOptions } from "../../../server/exec-app.ts";
import { DEFAULT_LIMITS, type Limits } from "../../../server/limits.ts";
import { listen } from "../../../server/listen.ts";
import { startProgram } from "../../../server/sources/process.ts";

export interface StartedExec {
  readonly app: ExecApp;
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** How many programs were started. */
  started(): number;
  /** What reached `onError`. */
  readonly errors: unknown[];
}

interface StartedOptions extends Partial<Omit<ExecOptions, "limits">> {
  limits?: Partial<Limits>;
  /** Programs start when this has resolved. */
  held?: Promise<void>;
}

/** @param script for `sh -c` */
export async function startedExec(
  script: string,
  { limits, held, ...options }: StartedOptions = {},
): Promise<StartedExec> {
  const errors: unknown[] = [];
  let started = 0;
  const path = { PATH: process.env["PATH"]! };
  const app = createExecApp({
    start: async ({ env, input }) => {
      started += 1;
      await held;
      const args = ["-c", script];
      const all = { ...env, ...path };
      return startProgram({ command: "sh", args, env: all, input, onStderr: () => {} });
    },
    binary: false,
    maxProcesses: 64,
    software: "test/1",
    onError: (error) => errors.push(error),
    ...options,
    limits: { ...DEFAULT_LIMITS, ...limits },
  });
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    const closed = server.close({ graceMs: 0 });
    await app.close();
    await closed;
  });
  return { app, address: `127.0.0.1:${server.port}`, started: () => started, errors };
}
