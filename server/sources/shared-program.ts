/**
 * One program for everybody: each line it prints is an event of one topic. When it ends the readers
 * are told, and it is started again, later each time it ends soon. Knows nothing of topics: it hands
 * each line to `publish`.
 */
import type { Program } from "../exec/program.ts";
import type { OnError } from "../hub.ts";
import { linesOf, LineSplitter, LineTooLong } from "../lines.ts";
import type { MaybePromise } from "../maybe-promise.ts";

export interface SharedProgramOptions {
  /** Rejects when it cannot be started. */
  start: () => Promise<Program>;
  /** No line is read on before it has answered. Lines are text and have no name. */
  publish: (data: unknown, name?: "exit") => MaybePromise<unknown>;
  /** A program that prints a longer line is ended and started again. */
  maxLineBytes: number;
  /** One line for the operator at each start and end. */
  log: (line: string) => void;
  /** Publishing fails: told once in the life of a process, not at every line. */
  onError: OnError;
  clock?: RestartClock;
}

/** Time, as a parameter. `setTimer` returns what stops it. */
export interface RestartClock {
  now: () => number;
  setTimer: (callback: () => void, delayMs: number) => () => void;
}

/** Data of the event named `exit`, which comes after the last line of a process. */
export interface SharedExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly restartInMs: number;
  /** Why it was ended, or why there was nothing to end. */
  readonly message?: string;
}

const FIRST_MS = 250; // until it is started again; doubles with each end that follows
const LONGEST_MS = 30_000;
const STEADY_MS = 10_000; // who ran for so long does not fail at its start: back to FIRST_MS
const SLICE_MS = 5; // of publishing before others have their turn

/** @returns ends it for good, with no word of it to the readers; may be called twice */
export function runShared(options: SharedProgramOptions): { stop(): Promise<void> } {
  const shared = new SharedProgram(options);
  shared.run().catch((error: unknown) => options.onError(error, "shared program"));
  return { stop: () => shared.stop() };
}

class SharedProgram {
  readonly #options: SharedProgramOptions;
  readonly #clock: RestartClock;
  #started: Promise<Program> | undefined;
  #stopped = false;
  #failing = false;
  #endWait = () => {};

  constructor(options: SharedProgramOptions) {
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
  }

  async run(): Promise<void> {
    for (let restartInMs = FIRST_MS; ; restartInMs = Math.min(2 * restartInMs, LONGEST_MS)) {
      const began = this.#clock.now();
      const ending = await this.#runOnce();
      if (this.#stopped) return;
      if (this.#clock.now() - began > STEADY_MS) restartInMs = FIRST_MS;
      this.#options.log(`${inWords(ending)}; starts again in ${restartInMs} ms`);
      await this.#publish({ ...ending, restartInMs }, "exit");
      if (!this.#stopped) await this.#wait(restartInMs);
      if (this.#stopped) return;
    }
  }

  /** Resolves when none of its processes is left, also while an answer to `publish` is awaited. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endWait();
    const program = await this.#started?.catch(() => undefined);
    await program?.stop();
  }

  /** Leaves nobody behind: the next one must not meet what this one has started. */
  async #runOnce(): Promise<Omit<SharedExit, "restartInMs">> {
    this.#failing = false;
    this.#started = this.#options.start();
    let program: Program;
    try {
      program = await this.#started;
    } catch (error) {
      return { code: null, signal: null, message: (error as Error).message };
    }
    this.#options.log(`started, pid ${program.pid}`);
    // What it leaves behind may hold its output; what has been printed is still read.
    void program.exited.then(() => program.stop());
    const message = await this.#publishLines(program);
    await program.stop();
    return { ...(await program.exited), ...(message !== undefined && { message }) };
  }

  /** @returns why it has to be ended, if it has not ended its output itself */
  async #publishLines(program: Program): Promise<string | undefined> {
    const lines = new LineSplitter(this.#options.maxLineBytes);
    let message: string | undefined;
    try {
      for await (const chunk of program.stdout as AsyncIterable<Buffer>) {
        // Read on, so that no full pipe holds it up while it is told to end.
        if (message !== undefined) continue;
        message = await this.#publishChunk(lines, chunk);
        if (message !== undefined) void program.stop();
      }
      if (message === undefined) await this.#publishBlock(lines.end());
    } catch (error) {
      const isStopped = (error as NodeJS.ErrnoException).code === "ERR_STREAM_PREMATURE_CLOSE";
      if (!isStopped) this.#options.onError(error, "shared program");
    }
    return message;
  }

  async #publishChunk(lines: LineSplitter, chunk: Buffer): Promise<string | undefined> {
    try {
      await this.#publishBlock(lines.push(chunk));
      return undefined;
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      return error.message;
    }
  }

  async #publishBlock(block: Buffer | undefined): Promise<void> {
    let began = performance.now();
    for (const line of block ? linesOf(block) : []) {
      if (this.#stopped) return;
      await this.#publish(line);
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
  }

  async #publish(data: unknown, name?: "exit"): Promise<void> {
    try {
      await this.#options.publish(data, name);
    } catch (error) {
      if (!this.#failing) this.#options.onError(error, "shared program");
      this.#failing = true;
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(resolve, ms);
      this.#endWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

function inWords({ code, signal, message }: Omit<SharedExit, "restartInMs">): string {
  return message ?? (signal === null ? `ended with exit code ${code}` : `ended by ${signal}`);
}

const CLOCK: RestartClock = {
  now: () => performance.now(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
