/** `exec` as websocketd does it: one process for each connection. */
import type { Config } from "../../config.ts";
import { createExecApp } from "../../exec-app.ts";
import { DEFAULT_LIMITS } from "../../limits.ts";
import { serveUntilStopped, version } from "../serving.ts";
import type { Start } from "./command.ts";

interface EachOptions extends Pick<Config, "host" | "port" | "heartbeatMs" | "allowOrigins"> {
  readonly binary: boolean;
  readonly maxProcesses: number;
  readonly maxProcessesPerAddress: number | undefined;
}

export async function serveEach(start: Start, options: EachOptions): Promise<void> {
  const { host, port, heartbeatMs, allowOrigins, binary } = options;
  const { maxProcesses, maxProcessesPerAddress } = options;
  const onError = (error: unknown, stage: string) => console.error(`${stage}:`, error);
  const app = createExecApp({
    start,
    binary,
    maxProcesses,
    maxProcessesPerAddress,
    allowOrigins,
    // A Cap'n Web session may outlive its program, which it still can be asked about.
    limits: { ...DEFAULT_LIMITS, heartbeatMs, sessions: 4 * maxProcesses },
    software: `capnweb-push/${version()}`,
    onError,
  });
  const places = [
    ["one process for each connection", "/"],
    ["the same over Cap'n Web", "/api"],
  ] as const;
  await serveUntilStopped(app, { host, port, places, onError });
  const { processes } = app.stats();
  if (processes === 0) return;
  console.error(`${processes} processes could not be ended: they run on`);
  process.exitCode = 1;
}
