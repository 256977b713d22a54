/**
 * One program and one client: what the program prints goes to the client as fast as that takes it,
 * and when one of them has gone the other is ended. Nothing is queued: while there is no room the
 * program's output is not read, and a pipe that is full makes it wait.
 *
 *      stdout → whole lines → sink → client          the end of stdout → how it ended → client
 *                  ↑____ wake ____│                  the client leaves → the program is stopped
 */
import { PushError } from "../errors.ts";
import { LineSplitter, LineTooLong } from "../lines.ts";
import type { Exit, Program } from "./program.ts";

/** A transport's half: output → bytes. None of it throws, whatever has become of the client. */
export interface Sink {
  /**
   * @param output whole lines, each with its `\n`; binary, whatever came
   * @returns whether there is room for more; if not, the transport calls `wake` when there is
   */
  write(output: Buffer): boolean;
  /** The last word. */
  end(ending: Ending): void;
}

/** How the program ended; undefined when only its stdout did. Or why it was ended. */
export type Ending = { readonly exit: Exit | undefined } | PushError;

/** What one WebSocket message may have, so that a line is never more than that. */
export const MAX_LINE_BYTES = 1024 * 1024;

// A program that ends closes its stdout first. One that has not ended by then runs on.
const EXIT_MS = 100;

export class Relay {
  /** Resolves when none of the program's processes is left. */
  readonly gone: Promise<void>;
  readonly program: Program;
  readonly #lines: LineSplitter | undefined;
  #sink: Sink | undefined;
  #ending: Ending | undefined;
  /** Nothing is read any more. */
  #over = false;
  #setGone = () => {};

  /** @param binary whether bytes go out as they come, not lines */
  constructor(program: Program, { binary }: { binary: boolean }) {
    this.program = program;
    this.#lines = binary ? undefined : new LineSplitter(MAX_LINE_BYTES);
    this.gone = new Promise((resolve) => (this.#setGone = resolve));
  }

  /** Begins to read; until then the program waits. To be called once. */
  pour(sink: Sink): void {
    this.#sink = sink;
    if (this.#ending) return sink.end(this.#ending);
    if (this.#over) return;
    const { stdout } = this.program;
    stdout.on("data", (chunk: Buffer) => this.#take(chunk));
    stdout.on("error", ignore); // `close` follows
    stdout.once("end", () => void this.#finish());
    stdout.once("close", () => void this.#finish());
    // One that printed nothing may have told its end already, to nobody.
    if (stdout.readableEnded || stdout.closed) void this.#finish();
  }

  /** There is room again. */
  wake(): void {
    if (!this.#over) this.program.stdout.resume();
  }

  /** The client has left. */
  leave(): void {
    if (this.#over) return;
    this.#over = true;
    // What it still says nobody hears; it must not wait for that when it is told to end.
    this.program.stdout.resume();
    void this.#stop();
  }

  /** Ends it, and tells the client why. */
  fail(reason: PushError): void {
    if (this.#over) return;
    this.leave();
    this.#tell(reason);
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    try {
      const output = this.#lines ? this.#lines.push(chunk) : chunk;
      if (output && !this.#sink!.write(output)) this.program.stdout.pause();
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      this.fail(new PushError("too_large", error.message));
    }
  }

  async #finish(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    const last = this.#lines?.end();
    if (last) this.#sink!.write(last);
    // Nothing of ours may end it before that is decided.
    this.program.stdin?.end();
    const exit = await Promise.race([this.program.exited, after(EXIT_MS)]);
    void this.#stop();
    this.#tell({ exit });
  }

  #tell(ending: Ending): void {
    this.#ending = ending;
    this.#sink?.end(ending);
  }

  async #stop(): Promise<void> {
    await this.program.stop();
    this.#setGone();
  }
}

function ignore(): void {}

/** Later than the timer, for one look at what has come when this server itself has stood still. */
function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => setImmediate(resolve, undefined), ms);
  });
}

/** In words, for the client and the log. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null
    ? `the program ended with exit code ${code}`
    : `the program was ended by ${signal}`;
}
