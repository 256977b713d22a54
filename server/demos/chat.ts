/**
 * `/ws/chat`: every message goes to everybody. The chat is one topic of a hub of its own, and each
 * client is one reader of it: what waits for a client is its distance from the end of the log.
 */
import type { WebSocket } from "ws";
import type { PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import type { Limits } from "../limits.ts";
import { ChatClient } from "./chat-client.ts";

const TOPIC = "chat";
const MESSAGE_BYTES = 512 * 1024; // UTF-8, of one message

/** For the chat's store. */
export const CHAT_LOG = {
  topics: 1,
  // More than may wait for one client, because with many clients each turn of the event loop
  // reaches only some of them (store/doorbell.ts), and none may lose anything by that.
  historyEvents: 4_096,
  // Shared by all clients. Of the largest messages 64 can wait, of those up to 128 KiB all 256. In
  // memory it may be twice that: one character beyond Latin-1 makes two bytes of each.
  historyBytes: 32 * 1024 * 1024,
};

/** For the chat's hub. */
export const CHAT_LIMITS: Partial<Limits> = {
  eventBytes: 6 * MESSAGE_BYTES + 2, // as JSON, where a control character is six
  readers: 10_000, // open sockets; as many as there may be Cap'n Web sessions
};

// What all clients together may say in one turn of the event loop. The readers need turns too:
// without this a flood that arrives in one turn would push those out who would have kept up.
const TURN_BYTES = 256 * 1024;
const LEAST_BYTES = 4 * 1024; // what even a short message counts for: so at most 64 in a turn

export class Chat {
  readonly #hub: Hub;
  #budget = TURN_BYTES;
  #nextTurn: Promise<void> | undefined;

  /** @param hub of its own, over a store with `CHAT_LOG`, with `CHAT_LIMITS` */
  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** How many are in the chat. */
  get size(): number {
    return this.#hub.stats().readers;
  }

  /**
   * To be asked before the handshake.
   * @returns where the client's reading begins, for `join`
   * @throws {PushError} `limit_exceeded`, `shutting_down`
   */
  async admit(): Promise<string> {
    await this.#hub.createTopic(TOPIC);
    return this.#hub.admit(TOPIC);
  }

  /** Resolves when the socket is closed. Never rejects: what is wrong is told in the close frame. */
  join(socket: WebSocket, after: string): Promise<void> {
    const client = new ChatClient(socket, this.#hub, {
      maxBytes: MESSAGE_BYTES,
      say: (text) => this.#say(text),
    });
    return client.serve(() => this.#hub.subscribe(TOPIC, { after }));
  }

  /** Tells every client why, and when to come back. */
  close(reason: () => PushError): Promise<void> {
    return this.#hub.close(reason);
  }

  async #say(text: string): Promise<void> {
    while (this.#budget <= 0) {
      this.#nextTurn ??= new Promise((resolve) => {
        setImmediate(() => {
          this.#budget = TURN_BYTES;
          this.#nextTurn = undefined;
          resolve();
        });
      });
      await this.#nextTurn;
    }
    this.#budget -= Math.max(LEAST_BYTES, text.length);
    await this.#hub.publish(TOPIC, text);
  }
}
