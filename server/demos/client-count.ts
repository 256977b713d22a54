/**
 * `/api/client-count`: how many are connected to this very stream. Everybody is told at each join and
 * leave, the newcomer too.
 */
import type { ServerResponse } from "node:http";
import type { Hub } from "../hub.ts";
import { isStopping } from "./repeat.ts";
import { Sequence } from "./sequence.ts";
import { streamStates } from "./state-stream.ts";

const TOPIC = "client-count";

// A write takes some 15 µs, and each join is one for everybody: 50 million of them for 10,000
// clients. So a crowd is told the newest count now and then: 10,000 every half a second, which is a
// third of one core; and fewer than 20 at every join.
const PAUSE_MS = 0.05; // for each client

export class ClientCount {
  readonly #hub: Hub;
  readonly #told = new Sequence();
  #count = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** @throws {PushError} `limit_exceeded`, `shutting_down`; then nothing has been sent */
  async join(response: ServerResponse): Promise<void> {
    await this.#hub.createTopic(TOPIC);
    await this.#hub.admit(TOPIC); // so that nobody is told of one who is refused
    const leave = () => {
      this.#add(-1).catch((error: unknown) => {
        if (!isStopping(error)) this.#hub.onError(error, "client count");
      });
    };
    try {
      // The newest event will count this client, whoever else joins meanwhile.
      await this.#add(1);
      const pauseMs = () => this.#count * PAUSE_MS;
      const options = { topic: TOPIC, colon: ":", pauseMs, onClose: leave } as const;
      await streamStates(response, this.#hub, options);
    } catch (error) {
      leave();
      throw error;
    }
  }

  #add(difference: number): Promise<unknown> {
    this.#count += difference;
    const news = { Count: this.#count };
    // In their order, whatever the store: the newest event has the newest count.
    return this.#told.add(() => this.#hub.publish(TOPIC, news, { name: "client-count" }));
  }
}
