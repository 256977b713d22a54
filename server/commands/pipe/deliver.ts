/**
 * The lines that wait → a running server, one request at a time, each repeated with the same keys
 * until it is answered.
 *
 * What holds: a line leaves the buffer when the server has said that it is stored, so none is lost,
 * and a repeat is known by its key, so none is stored twice by the same life of the server, for as
 * long as it remembers the key. (A server that keeps its topics in memory and is started again has
 * lost what it had acknowledged, and begins with what it had not.) Order: a line is sent for the
 * first time when all before the request it is in are stored. Within a request the server stores in
 * order; only when it fails one line of it and takes a later one, which no store here does by itself,
 * does the repeated line come after that one.
 */
import { type Clock, clockOf } from "../../../client/clock.ts";
import { Retry } from "../../../client/retry.ts";
import type { TransportError } from "../../../client/transport.ts";
import type { Refuse } from "./input.ts";
import type { Outcome } from "./request.ts";
import type { WaitingLine, WaitingLines } from "./waiting-lines.ts";

/**
 * What one request may hold. The server takes 1 MiB and 2,000 messages; a call is two, its frame
 * some 250 bytes, and arrays, which Cap'n Web writes doubled, can make data twice as long.
 */
const REQUEST = { lines: 500, bytes: 384 * 1024 };

export interface DeliverOptions {
  readonly send: (lines: readonly WaitingLine[], signal: AbortSignal) => Promise<Outcome[]>;
  readonly refuse: Refuse;
  /** Told when it changes, not for each request. */
  readonly onStatus: (status: string) => void;
  /** Ends it at once; rejects with its reason. */
  readonly signal: AbortSignal;
  /** What is not given is the platform's. */
  readonly clock?: Partial<Clock>;
}

export class Delivery {
  readonly #waiting: WaitingLines;
  readonly #options: DeliverOptions;
  readonly #retry: Retry;
  #status = "";

  constructor(waiting: WaitingLines, options: DeliverOptions) {
    this.#waiting = waiting;
    this.#options = options;
    this.#retry = new Retry(clockOf(options.clock));
  }

  /** The next try comes as soon as one may. */
  hurry(): void {
    this.#retry.hurry();
  }

  /**
   * Resolves when the lines have ended and all are stored or refused. It asks once before there is
   * any, so that a wrong token or address is known at once.
   * @throws {TransportError} when trying again cannot help
   */
  async run(): Promise<void> {
    const { send, signal } = this.#options;
    let asked = false;
    for (;;) {
      const lines = this.#waiting.first(REQUEST);
      if (lines.length === 0 && this.#waiting.hasEnded) return;
      if (lines.length === 0 && asked) {
        await this.#waiting.filled();
        continue;
      }
      const failure = this.#settle(lines, await send(lines, signal));
      signal.throwIfAborted();
      if (failure) {
        await this.#pause(failure);
        continue;
      }
      asked = true;
      this.#retry.reset();
      this.#tell("connected");
    }
  }

  /** @returns what the first line that is not done failed with; it and all after it stay */
  #settle(lines: readonly WaitingLine[], outcomes: readonly Outcome[]): Outcome {
    const isOpen = (outcome: Outcome, index: number) =>
      outcome !== undefined && !(lines[index] && isRefusal(outcome));
    const open = outcomes.findIndex(isOpen);
    const done = open === -1 ? outcomes : outcomes.slice(0, open);
    for (const [index, outcome] of done.entries()) {
      if (outcome) this.#options.refuse(lines[index]!.number, outcome.message);
    }
    // Without lines there is an answer too, and lines may have come meanwhile.
    this.#waiting.drop(Math.min(done.length, lines.length));
    return outcomes[open];
  }

  async #pause(failure: TransportError): Promise<void> {
    if (!failure.canRetry) throw failure;
    const delayMs = this.#retry.failed(failure);
    const seconds = (delayMs / 1_000).toFixed(1);
    this.#tell(failure.message, `reconnecting in ${seconds} s: ${failure.message}`);
    await this.#retry.wait(this.#options.signal);
  }

  #tell(status: string, text = status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#options.onStatus(text);
  }
}

/** The line is what is wrong, not the time. */
function isRefusal({ code }: TransportError): boolean {
  return code === "too_large" || code === "invalid_request";
}
