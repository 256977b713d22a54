/**
 * Servers for tests: the program as a user starts it, in a process of its own, and the same app in
 * this process where a test has to publish or to look inside.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { type App, type AppOptions, createApp } from "../../server/app.ts";
import { Hub, type HubOptions } from "../../server/hub.ts";
import { listen } from "../../server/listen.ts";
import type { Limits } from "../../server/limits.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../server/store/memory-store.ts";

export const PROGRAM = "dist/server/main.js";

export interface ServerProcess {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** What it has printed, stdout and stderr together. */
  output(): string;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Starts the built program on a free port and waits until it serves. */
export async function startProcess(args: readonly string[] = []): Promise<ServerProcess> {
  const child = spawn(process.execPath, [PROGRAM, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stderr.on("data", (text: Buffer) => (output += text.toString()));
  const lines = createInterface(child.stdout);
  const port = await new Promise<number>((resolve, reject) => {
    lines.on("line", (line) => {
      output += `${line}\n`;
      const found = /http:\/\/[^:]+:(\d+)\/static/.exec(line);
      if (found) resolve(Number(found[1]));
    });
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    }
    return child.signalCode ?? child.exitCode!;
  };
  return { url: `http://127.0.0.1:${port}`, port, process: child, output: () => output, kill };
}

/** `startProcess`, ended with the test. */
export async function startedProcess(args: readonly string[] = []): Promise<ServerProcess> {
  const server = await startProcess(args);
  onTestFinished(async () => {
    await server.kill("SIGKILL");
  });
  return server;
}

export interface LocalServer {
  readonly hub: Hub;
  readonly app: App;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `ws://127.0.0.1:PORT/api` */
  readonly socketUrl: string;
  /** What reached `onError`. */
  readonly errors: unknown[];
  close(): Promise<void>;
}

export interface LocalServerOptions {
  limits?: Partial<Limits>;
  store?: MemoryStoreOptions;
  app?: AppOptions;
  hub?: HubOptions;
  topics?: readonly string[];
}

/** The same server inside this process. */
export async function startLocal({
  limits = {},
  store: storeOptions = {},
  app: appOptions = {},
  hub: hubOptions = {},
  topics = ["topic"],
}: LocalServerOptions = {}): Promise<LocalServer> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const store = new MemoryStore(storeOptions);
  const hub = new Hub(store, { onError, ...hubOptions, limits });
  for (const topic of topics) await hub.createTopic(topic);
  const app = createApp(hub, appOptions);
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  const close = async () => {
    const closed = server.close({ graceMs: 0 });
    await app.close();
    await closed;
  };
  const address = `127.0.0.1:${server.port}`;
  return { hub, app, url: `http://${address}`, socketUrl: `ws://${address}/api`, errors, close };
}

/** `startLocal`, ended with the test. */
export async function startedLocal(options: LocalServerOptions = {}): Promise<LocalServer> {
  const server = await startLocal(options);
  onTestFinished(() => server.close());
  return server;
}
