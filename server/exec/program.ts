/** A program that runs, as those see it who feed it and read it. Imports nothing but Node's types. */
import type { Readable, Writable } from "node:stream";

/** How it ended: with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whoever starts one calls `stop()` in the end, also when it has ended by itself. */
export interface Program {
  readonly pid: number;
  /**
   * Paused until it is read, and the program with it: what it prints waits in its pipe. Its end is
   * the end of the output, not of the process: either may come first.
   */
  readonly stdout: Readable;
  /** Undefined when the program was started without input. Writing to one that ended is no error. */
  readonly stdin: Writable | undefined;
  /** Resolves when the process has ended; others that it started may still run. Never rejects. */
  readonly exited: Promise<Exit>;
  /**
   * Ends the program and all that it started. Resolves when none is left and `stdout` is closed:
   * who is reading it gets the rest, what nobody reads is thrown away. May be called twice.
   */
  stop(): Promise<void>;
}
