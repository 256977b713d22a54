/**
 * A process of its own for everything that is measured, so that one side's heap, compiled code and
 * garbage never count for another. One question at a time, answered over Node's IPC channel.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

export class Child {
  readonly #process: ChildProcess;

  /** @param file one of `processes/`, which calls `answer` */
  constructor(file: string, args: readonly string[] = []) {
    const url = new URL(`./processes/${file}.js`, import.meta.url);
    // `node --cpu-prof dist/bench/run.js` profiles every side. No other flag is passed on: with `-e`
    // each child would run its parent's code again, and fork again, without an end.
    const profile = process.execArgv.filter((flag) => flag.startsWith("--cpu-prof"));
    this.#process = fork(url, args, { execArgv: [...profile, "--expose-gc"] });
  }

  async ask<T>(question: object): Promise<T> {
    const ended = new AbortController();
    const died = once(this.#process, "exit", ended).then(([code]) => {
      throw new Error(`a measured process ended with ${code} before it had answered`);
    });
    died.catch(() => {}); // aborting it is how it ends well
    const answered = once(this.#process, "message", ended);
    this.#process.send(question);
    try {
      const [given] = (await Promise.race([answered, died])) as [T];
      return given;
    } finally {
      ended.abort();
      answered.catch(() => {});
    }
  }

  close(): void {
    if (this.#process.connected) this.#process.disconnect();
  }
}

/** In the child: answers each question, and ends with its parent. */
export function answer<Question>(handle: (question: Question) => unknown): void {
  process.on("disconnect", () => process.exit());
  process.on("message", (question: Question) => {
    void Promise.resolve(handle(question)).then((value) => process.send!(value ?? null));
  });
}
