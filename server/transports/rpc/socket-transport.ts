/**
 * Carries one Cap'n Web session over one `ws` socket. What the library's own WebSocket transport
 * leaves open is closed here: it stops reading while the client does not take the answers, bounds
 * what a session may hold, and touches no global (Node 20 has no `WebSocket`).
 */
import type { Socket } from "node:net";
import type { RpcTransportWithCustomEncoding } from "capnweb";
import type { RawData, WebSocket } from "ws";
import { ERRORS, PushError } from "../../errors.ts";
import type { Limits } from "../../limits.ts";
import { cutReason } from "../../wire/close-reason.ts";
import type { Upgraded } from "../../wire/upgrade.ts";
import { errorIn, isAnswer, plainReturn } from "./answers.ts";
import { HeldResults } from "./held-results.ts";
import { Ids } from "./ids.ts";
import { Lanes } from "./lanes.ts";
import { type CallBudget, checkMessage, Demand } from "./messages.ts";
import { Translator } from "./translator.ts";

export class SocketTransport implements RpcTransportWithCustomEncoding {
  // JSON trees instead of text, so that messages can be counted without parsing them twice.
  readonly encodingLevel = "jsonCompatible";
  /** What goes to the client without the library. */
  readonly lanes: Lanes;
  readonly translator: Translator;
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #limits: Limits;
  /** How many calls the API may make for one message. */
  readonly #budget: CallBudget;
  readonly #held: HeldResults;
  readonly #inbox: string[] = [];
  #inboxBytes = 0;
  #failure: Error | undefined;
  #wakeReceiver: (() => void) | undefined;
  #awaitsRoom = false;

  constructor(upgraded: Upgraded, limits: Limits, budget: CallBudget) {
    const { socket, connection } = upgraded;
    const ids = new Ids();
    this.lanes = new Lanes(upgraded, ids);
    this.translator = new Translator(ids);
    this.#socket = socket;
    this.#connection = connection;
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
    const outgoing = this.translator.outgoing(message as unknown[]);
    if (!outgoing) {
      this.#wakeReceiver?.(); // it may have been answered here
      return 0;
    }
    const text = JSON.stringify(outgoing);
    this.#held.onSend(outgoing, text.length);
    this.#socket.send(text);
    // A map answers once for every element, so one message can ask for more than a client takes.
    if (this.#socket.bufferedAmount > this.#limits.sessionBytes) {
      const limit = `Expected the answers to be read: ${this.#limits.sessionBytes} bytes wait`;
      this.fail(new PushError("limit_exceeded", limit));
    }
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
      const answer = this.translator.nextAnswer();
      if (answer !== undefined) return answer;
      const text = this.#hasRoom() ? this.#inbox.shift() : undefined;
      if (text !== undefined) return this.#take(text);
      if (this.#inbox.length === 0) {
        this.#inboxBytes = 0;
        if (this.#socket.isPaused) this.#socket.resume();
      } else this.#awaitRoom();
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
  }

  #hasRoom(): boolean {
    const { writableNeedDrain, writableLength } = this.#connection;
    return !writableNeedDrain || writableLength < this.#limits.socketBytes;
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.#failure) return;
    if (isBinary) {
      this.fail(new PushError("unsupported_data", "Expected text frames, got a binary one"));
      return;
    }
    const text = (data as Buffer).toString();
    // Nearly all that comes while batches go out. Nothing in it could be wrong, or cost anything.
    const answer = plainReturn(text);
    if (answer && this.lanes.onReturn(answer.id, answer)) return;
    const { inboxMessages, frameBytes } = this.#limits;
    this.#inbox.push(text);
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
    return this.translator.incoming(this.#toLane(message));
  }

  /** What a lane is answered is news to the library, but may hold references to be released. */
  #toLane(message: unknown): unknown {
    if (!isAnswer(message)) return message;
    const [kind, id, value] = message;
    if (kind === "resolve") this.lanes.onReturn(id, { isVoid: false });
    else if (!this.lanes.onFailure(id, () => errorIn(value))) return message;
    return ["resolve", id, value];
  }

  /** There is room again for the answers to what waits here. */
  #awaitRoom(): void {
    if (this.#awaitsRoom) return;
    this.#awaitsRoom = true;
    this.#connection.once("drain", () => {
      this.#awaitsRoom = false;
      this.#wakeReceiver?.();
    });
  }
}

const UNREADABLE = new PushError("protocol_error", "bad RPC message");
