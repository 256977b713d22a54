/** A program shared as `exec --shared` does it, but for the topic and the time between two runs. */
import { onTestFinished } from "vitest";
import type { Program } from "../../server/exec/program.ts";
import { runShared, type SharedProgramOptions } from "../../server/sources/shared-program.ts";
import { ManualTime } from "../client/manual-time.ts";
import { sh } from "./started-program.ts";

export interface ShareOptions extends Partial<SharedProgramOptions> {
  /** Before each start. */
  onStart?: () => void | Promise<void>;
  /** What cannot be stored. */
  refuse?: (data: unknown) => boolean;
}

/** What it publishes is in `events`, each as `[data]` or `[data, name]`. */
export function share(script: string, { onStart, refuse, ...options }: ShareOptions = {}) {
  const time = new ManualTime();
  const events: [data: unknown, name?: string][] = [];
  const log: string[] = [];
  const programs: Program[] = [];
  const shared = runShared({
    start: async () => {
      await onStart?.();
      const program = await sh(script);
      programs.push(program);
      return program;
    },
    publish: (data, name) => {
      if (refuse?.(data)) throw new Error(`refused ${String(data)}`);
      events.push(name === undefined ? [data] : [data, name]);
    },
    maxLineBytes: 10,
    log: (line) => log.push(line),
    onError: (error) => {
      throw error;
    },
    clock: time,
    ...options,
  });
  onTestFinished(() => shared.stop());
  return { shared, events, log, programs, time };
}
