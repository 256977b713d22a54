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
  onTestFinished(async () => {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  let calls = 0;
  const call = async <T>(command: string, commandOptions?: object): Promise<T> => {
    const id = (calls += 1);
    child.send({ id, command, options: commandOptions });
    for (;;) {
      const [message] = (await once(child, "message")) as [{ id: number; answer: T }];
      if (message.id === id) return message.answer;
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
