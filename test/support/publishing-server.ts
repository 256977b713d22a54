/** `test/fixtures/publishing-server.mjs` in a process of its own, ended with the test. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { App } from "../../server/app.ts";
import type { Limits } from "../../server/limits.ts";
import type { MemoryStoreOptions } from "../../server/store/memory-store.ts";

export interface PublishingServer {
  readonly url: string;
  readonly socketUrl: string;
  publish(options: { count: number; bytes: number; perTurn: number }): Promise<void>;
  /** Bytes in use after a garbage collection. */
  memory(): Promise<number>;
  stats(): Promise<ReturnType<App["stats"]>>;
  /** What it has printed as errors, and Node's warnings. */
  complaints(): string;
}

export async function startPublishingServer(options: {
  limits?: Partial<Limits>;
  store?: MemoryStoreOptions;
}): Promise<PublishingServer> {
  const child = fork("test/fixtures/publishing-server.mjs", [JSON.stringify(options)], {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let complaints = "";
  child.stderr!.on("data", (text: Buffer) => (complaints += text.toString()));
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const died = exited.then(() => {
    throw new Error(`the server has ended:\n${complaints}`);
  });
  died.catch(() => {}); // it ends with the test
  const message = async () => (await Promise.race([once(child, "message"), died])) as unknown[];
  const [{ port }] = (await message()) as [{ port: number }];
  let calls = 0;
  const call = async <T>(command: string, commandOptions?: object): Promise<T> => {
    const id = (calls += 1);
    child.send({ id, command, options: commandOptions });
    for (;;) {
      const [given] = (await message()) as [{ id: number; answer: T }];
      if (given.id === id) return given.answer;
    }
  };
  return {
    url: `http://127.0.0.1:${port}`,
    socketUrl: `ws://127.0.0.1:${port}/api`,
    publish: (commandOptions) => call("publish", commandOptions),
    memory: () => call("memory"),
    stats: () => call("stats"),
    complaints: () => complaints,
  };
}
