/**
 * One client of the chat. What it says is acknowledged and published, one message at a time; what
 * others say it reads from the log, as fast as its socket takes it. Neither way anything piles up.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { RawData, WebSocket } from "ws";
import { ERRORS, PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { parseCursor } from "../store/cursor.ts";
import type { Subscription } from "../subscription.ts";
import { closeReason } from "../wire/close-reason.ts";
import { keepPinging } from "../wire/ping.ts";

export interface ChatClientOptions {
  /** The largest message, as UTF-8. */
  maxBytes: number;
  /** Publishes what the client says, when there is room for it. */
  say: (text: string) => Promise<void>;
}

const ACK = '{"type":"ack"}';
const MAX_WAITING = 256; // messages, in the socket and in the log; then the client is too slow
const BATCH = 128; // of them at once to the socket

export class ChatClient {
  readonly #socket: WebSocket;
  readonly #hub: Hub;
  readonly #options: ChatClientOptions;
  /** Received and not yet published: the rest of one chunk, as the socket is paused meanwhile. */
  readonly #inbox: string[] = [];
  #acknowledged: Promise<void> = Promise.resolve();
  /** Sent and not yet taken by the operating system. */
  #unsent = 0;
  #whenSent: (() => void)[] = [];

  constructor(socket: WebSocket, hub: Hub, options: ChatClientOptions) {
    this.#socket = socket;
    this.#hub = hub;
    this.#options = options;
  }

  /** Resolves when the client has left, or was told to. Never rejects. */
  async serve(subscribe: () => Promise<Subscription>): Promise<void> {
    const socket = this.#socket;
    keepPinging(socket, this.#hub.limits);
    socket.on("error", () => {}); // `close` follows, with the right code
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    let subscription: Subscription | undefined;
    socket.once("close", () => {
      subscription?.close(); // wakes the loop
      this.#wake();
    });
    try {
      subscription = await subscribe();
      if (socket.readyState !== socket.CLOSED) await this.#deliver(subscription);
    } catch (error) {
      this.#leave(error);
    } finally {
      subscription?.close();
    }
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (!this.#isOpen) return; // it was told to leave
    if (isBinary) return this.#leave(BINARY);
    const { maxBytes } = this.#options;
    const { length } = data as Buffer;
    if (length > maxBytes) {
      const limit = `Expected a message of at most ${maxBytes} bytes, got ${length}`;
      return this.#leave(new PushError("too_large", limit));
    }
    this.#inbox.push((data as Buffer).toString());
    if (!this.#socket.isPaused) this.#publishInbox().catch((error) => this.#leave(error));
  }

  async #publishInbox(): Promise<void> {
    this.#socket.pause(); // what else it says waits on its side
    while (this.#inbox.length > 0) {
      // Acknowledgements to a client that does not read them would pile up.
      if (!this.#hasRoom) await new Promise<void>((resolve) => this.#whenSent.push(resolve));
      const text = this.#inbox.shift();
      if (text === undefined) break; // it was told to leave meanwhile
      this.#acknowledged = this.#options.say(text).then(() => this.#send(ACK));
      await this.#acknowledged;
    }
    this.#socket.resume();
  }

  async #deliver(subscription: Subscription): Promise<void> {
    for (;;) {
      const after = parseCursor(subscription.cursor);
      if (!this.#hasRoom) await this.#waitForRoom(subscription);
      const { events, gap } = await subscription.next({ after, limit: BATCH });
      if (gap) throw TOO_SLOW;
      await this.#acknowledged; // before its own message comes back
      for (const { data } of events) this.#send(data as string);
    }
  }

  /** Until then what comes is only counted; it is read again afterwards. */
  async #waitForRoom(subscription: Subscription): Promise<void> {
    await turn(); // a client that keeps up has taken everything by now
    if (this.#hasRoom) return;
    const room = new AbortController();
    this.#whenSent.push(() => room.abort());
    let inLog = 0;
    while (!room.signal.aborted) {
      const { events, gap } = await subscription.next({ signal: room.signal });
      inLog += events.length;
      if (gap || this.#unsent + inLog > MAX_WAITING) throw TOO_SLOW;
    }
  }

  #send(text: string): void {
    if (!this.#isOpen) return;
    this.#unsent += 1;
    this.#socket.send(text, () => {
      this.#unsent -= 1;
      if (this.#unsent === 0) this.#wake();
    });
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  get #hasRoom(): boolean {
    return this.#unsent === 0 || !this.#isOpen;
  }

  #wake(): void {
    for (const wake of this.#whenSent.splice(0)) wake();
  }

  #leave(error: unknown): void {
    const told = error instanceof PushError ? error : new PushError("internal", "internal error");
    if (told !== error) this.#hub.onError(error, "chat");
    if (this.#isOpen) this.#inbox.length = 0; // what it still had to say is not heard
    this.#socket.close(ERRORS[told.code].close, closeReason(told));
    this.#socket.resume(); // a paused socket would not see the peer's close frame
  }
}

const BINARY = new PushError("unsupported_data", "Expected a text message, got a binary one");
const TOO_SLOW = new PushError(
  "limit_exceeded",
  `Expected at most ${MAX_WAITING} messages to wait: read faster`,
);
