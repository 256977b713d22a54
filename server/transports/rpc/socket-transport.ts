/**
 * Carries one Cap'n Web session over one `ws` socket. What the library's own WebSocket transport
 * leaves open is closed here: it stops reading while the client does not take the answers, bounds
 * what a session may hold, and touches no global (Node 20 has no `WebSocket`).
 */
import type { RpcTransportWithCustomEncoding } from "capnweb";
import type { RawData, WebSocket } from "ws";
import { ERRORS, PushError } from "../../errors.ts";
import type { Limits } from "../../limits.ts";
import type { MaybePromise } from "../../maybe-promise.ts";
import { cutReason } from "../../wire/close-reason.ts";
import { type CallBudget, checkMessage, Demand, MAX_REFERENCES } from "./messages.ts";

export class SocketTransport implements RpcTransportWithCustomEncoding {
  // JSON trees instead of text, so that messages can be counted without parsing them twice.
  readonly encodingLevel = "jsonCompatible";
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  /** How many calls the API may make for one message. */
  readonly #budget: CallBudget;
  readonly #held: HeldResults;
  readonly #inbox: string[] = [];
  #inboxBytes = 0;
  #failure: Error | undefined;
  #wakeReceiver: (() => void) | undefined;
  /** Readers of topics that have a batch and wait for their turn to write it. */
  readonly #writers: (() => void)[] = [];
  #writing = false;

  constructor(socket: WebSocket, limits: Limits, budget: CallBudget) {
    this.#socket = socket;
    this.#limits = limits;
    this.#budget = budget;
    this.#held = new HeldResults(limits);
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("close", (code) => this.fail(new Error(`the client closed the WebSocket (${code})`)));
    // `ws` closes the socket by itself, with the right code (1009 for a frame that is too big).
    socket.on("error", (error) => this.fail(error));
  }

  /** MUST NOT throw: the library would not know which call failed. @returns its size */
  send(message: unknown): number {
    // When it has failed, only its last word still goes out.
    if (this.#failure && (message as unknown[])[0] !== "abort") return 0;
    const text = JSON.stringify(message);
    this.#held.onSend(message, text.length);
    this.#socket.send(text, this.#onWritten);
    // A map answers once for every element, so one message can ask for more than a client takes.
    if (this.#socket.bufferedAmount > this.#limits.sessionBytes) {
      const limit = `Expected the answers to be read: ${this.#limits.sessionBytes} bytes wait`;
      this.fail(new PushError("limit_exceeded", limit));
    }
    this.#endTurn();
    return text.length;
  }

  /**
   * The client's next message. While the socket has no room it waits: a client that does not read
   * its answers gets no more work done.
   * @throws {Error} why the session is over
   */
  async receive(): Promise<unknown> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const text = this.#hasRoom() ? this.#inbox.shift() : undefined;
      if (text !== undefined) return this.#take(text);
      if (this.#inbox.length === 0) {
        this.#inboxBytes = 0;
        if (this.#socket.isPaused) this.#socket.resume();
      }
      await new Promise<void>((resolve) => (this.#wakeReceiver = resolve));
    }
  }

  /** The library calls it last, after it has sent the abort message. */
  abort(reason: unknown): void {
    const { code, message } = reason instanceof PushError ? reason : UNREADABLE;
    this.fail(reason instanceof Error ? reason : UNREADABLE);
    this.#socket.close(ERRORS[code].close, cutReason(message));
    this.#socket.resume(); // a paused socket would not see the peer's close frame
  }

  /** Ends the session: calls and reads that wait get `reason`, and so does the client. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#wakeReceiver?.();
    for (const wake of this.#writers.splice(0)) wake();
  }

  /**
   * A turn to write one batch: while less than `socketBytes` wait in the socket, and one at a time.
   * A hundred readers in one session are all woken by one event; if each looked for room before any
   * had written, all would find it.
   */
  turnToWrite(): MaybePromise<void> {
    if (this.#failure) return undefined;
    if (!this.#writing && this.#hasRoom()) return this.#beginTurn();
    return new Promise((resolve) => this.#writers.push(resolve));
  }

  #beginTurn(): void {
    this.#writing = true;
    // The batch is sent in this turn of the event loop, or never: its reader may have been closed.
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#writing = false;
    this.#nextTurn();
  }

  #nextTurn(): void {
    if (this.#writing || this.#writers.length === 0 || !this.#hasRoom()) return;
    this.#beginTurn();
    this.#writers.shift()!();
  }

  #hasRoom(): boolean {
    return this.#socket.bufferedAmount < this.#limits.socketBytes;
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#failure) return;
    if (isBinary) {
      this.fail(new PushError("unsupported_data", "Expected text frames, got a binary one"));
      return;
    }
    const { inboxMessages, frameBytes } = this.#limits;
    this.#inbox.push((data as Buffer).toString());
    this.#inboxBytes += (data as Buffer).length;
    if (this.#inbox.length >= inboxMessages || this.#inboxBytes >= frameBytes) this.#socket.pause();
    this.#wakeReceiver?.();
  }

  #take(text: string): unknown {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch (error) {
      throw new PushError("protocol_error", `Expected JSON: ${(error as Error).message}`);
    }
    const demand = new Demand();
    checkMessage(message, demand);
    this.#held.onReceive(message, demand, text.length);
    this.#budget.renew({ joined: demand.joinsAnswers });
    return message;
  }

  /** Something has left the socket: there may be room again, for answers and for batches. */
  readonly #onWritten = (): void => {
    if (!this.#hasRoom()) return;
    this.#wakeReceiver?.();
    this.#nextTurn();
  };
}

/**
 * What a client has called and not yet released. The library keeps the parameters and the result of
 * each until then, so without a bound a client could fill the server's memory.
 */
class HeldResults {
  readonly #limits: Limits;
  /** By export id; the client's pushes are 1, 2, 3 … */
  readonly #held = new Map<number, { readonly demand: Demand; bytes: number }>();
  #pushes = 0;
  #calls = 0;
  #references = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @throws {PushError} `limit_exceeded`, which ends the session */
  onReceive(message: unknown, demand: Demand, bytes: number): void {
    if (!Array.isArray(message)) return;
    const [kind, id] = message as unknown[];
    if (kind === "release") this.#release(id as number);
    if (kind !== "push") return;
    this.#held.set((this.#pushes += 1), { demand, bytes });
    this.#calls += Math.max(1, demand.calls);
    this.#references += demand.references;
    this.#bytes += bytes;
    const { sessionCalls, sessionBytes } = this.#limits;
    if (this.#calls > sessionCalls || this.#bytes > sessionBytes) {
      throw new PushError(
        "limit_exceeded",
        `Expected at most ${sessionCalls} calls and ${sessionBytes} bytes that are not released`,
      );
    }
    if (this.#references > MAX_REFERENCES) {
      const limit = `Expected at most ${MAX_REFERENCES} references to results at once`;
      throw new PushError("limit_exceeded", limit);
    }
  }

  onSend(message: unknown, bytes: number): void {
    const [kind, id] = message as unknown[];
    const held = kind === "resolve" || kind === "reject" ? this.#held.get(id as number) : undefined;
    if (!held) return;
    held.bytes += bytes;
    this.#bytes += bytes;
  }

  #release(id: number): void {
    const held = this.#held.get(id);
    if (!held) return;
    this.#calls -= Math.max(1, held.demand.calls);
    this.#references -= held.demand.references;
    this.#bytes -= held.bytes;
    this.#held.delete(id);
  }
}

const UNREADABLE = new PushError("protocol_error", "bad RPC message");
