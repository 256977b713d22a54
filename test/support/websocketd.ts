/** The real websocketd, which `exec` is measured against. */
import { freePort } from "./free-port.ts";
import { type Listening, startListening } from "./listening.ts";
import { until } from "./until.ts";

/** Not ended with the test. */
export async function startWebsocketd(
  command: readonly string[],
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Listening> {
  const file = process.env["WEBSOCKETD_PATH"]!;
  for (;;) {
    // To it port 0 is port 80, and it says that it starts before it knows whether it can.
    const port = await freePort();
    const args = ["--address=127.0.0.1", `--port=${port}`, ...flags, ...command];
    const server = await startListening(
      [file, ...args],
      /Starting WebSocket server +: ws:\/\/127\.0\.0\.1:(\d+)\//,
      env,
    );
    if (await answers(server)) return server;
  }
}

/** @returns false when it has ended, because the port was taken meanwhile */
async function answers({ process: child, url }: Listening): Promise<boolean> {
  let answered = false;
  await until(async () => {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    answered = answer !== undefined;
    return answered || child.exitCode !== null;
  });
  return answered && child.exitCode === null;
}
