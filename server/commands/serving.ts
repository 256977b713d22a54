/**
 * What the commands that are servers share, from the port to the exit: it listens, says where, waits
 * to be told to stop, and stops in reverse order.
 */
import { createRequire } from "node:module";
import type { CloseOptions } from "../door.ts";
import type { OnError } from "../hub.ts";
import { listen, type Listener } from "../listen.ts";

const GRACE_MS = 10_000; // over which clients come back, each at another time
const LEAVE_MS = 9_000; // how long they have to take their leave: containers are killed after 10 s

/** What it serves. */
export interface Serving extends Listener {
  /** Tells every client, and resolves when all are told. */
  close(options: CloseOptions): Promise<void>;
}

export interface ServingOptions {
  readonly host: string;
  readonly port: number;
  /** What is where, a line each: `["live metrics", "/static/serverpush/"]`. */
  readonly places: readonly (readonly [what: string, path: string])[];
  readonly onError: OnError;
  /**
   * Called when it listens and has not said so yet: what goes on in the background begins here. What
   * it returns stops that, and is waited for before any client is told.
   */
  readonly start?: () => () => void | Promise<void>;
}

/**
 * Resolves when it was told to stop (SIGINT, SIGTERM) and has; then nothing holds the process any
 * more. When it cannot listen the process ends with 1, after one line that says why.
 */
export async function serveUntilStopped(
  app: Serving,
  { host, port, places, onError, start }: ServingOptions,
): Promise<void> {
  process.on("unhandledRejection", (error) => onError(error, "unhandled rejection"));
  // A terminal that is closed takes no more lines, and there is nowhere to say so.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
  const server = await listen(app, { host, port }).catch(explain);
  const stopWork = start?.();
  const stopping = stopSignal(); // before anybody can know that it runs
  greet(baseUrl(host, server.port), places);
  const signal = await stopping;
  console.log(`${signal}: telling every client, then stopping`);
  await stopWork?.();
  // The port closes first, so that nobody comes back to this server while it takes its leave.
  const closed = server.close({ graceMs: LEAVE_MS });
  await app.close({ graceMs: GRACE_MS });
  await closed;
}

export function version(): string {
  const require = createRequire(import.meta.url);
  return (require("capnweb-push/package.json") as { version: string }).version;
}

// A terminal that is closed sends SIGHUP; programs that we run are in sessions of their own.
const STOP = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A second signal ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      for (const one of STOP) process.off(one, stop);
      resolve(signal);
    };
    for (const one of STOP) process.on(one, stop);
  });
}

function greet(base: string, places: ServingOptions["places"]): void {
  const width = Math.max(...places.map(([what]) => what.length));
  console.log(`capnweb-push ${version()}`);
  for (const [what, path] of places) console.log(`  ${what.padEnd(width)}  ${base}${path}`);
}

function baseUrl(host: string, port: number): string {
  const named = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${named.includes(":") ? `[${named}]` : named}:${port}`;
}

/** What went wrong in one line; a bug is thrown on. */
function explain(error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    console.error("The port is taken: choose another with --port, or --port 0 for any free one");
  } else if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    console.error(`Cannot listen: ${message}`);
  } else {
    throw error;
  }
  process.exit(1);
}
