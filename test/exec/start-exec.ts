/** `capnweb-push exec` as a user starts it, on a free port. */
import { type Listening, startListening } from "../support/listening.ts";
import { PROGRAM } from "../support/server.ts";

/** Not ended with the test. */
export function startExec(
  command: readonly string[],
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Listening> {
  return startListening(
    [process.execPath, PROGRAM, "exec", "--port", "0", ...flags, "--", ...command],
    /http:\/\/localhost:(\d+)\//,
    env,
  );
}
