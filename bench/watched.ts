/** A server in a process of its own, whose memory and event loop can be asked for. */
import { Child } from "./child.ts";
import type { EveryPeer } from "./peers/every-peer.ts";
import type { Held } from "./processes/hub.ts";
import type { Turns, WatchedQuestion, WatchedStarted } from "./processes/watched-server.ts";

export class WatchedServer {
  readonly #process: Child;

  /** @param bytes what `bytes` greets each of its clients with */
  constructor(kind: EveryPeer, { bytes = 0 }: { bytes?: number } = {}) {
    this.#process = new Child("watched-server", [kind, String(bytes)]);
  }

  start(): Promise<WatchedStarted> {
    return this.#ask({ kind: "start" });
  }

  /** What it holds after a collection, in bytes; of another program than Node only the RSS. */
  memory(): Promise<Held> {
    return this.#ask({ kind: "memory" });
  }

  /** Since this was asked last. */
  turns(): Promise<Turns> {
    return this.#ask({ kind: "turns" });
  }

  /** What a byte on its control port publishes from now on; `bytes` of JSON each, at least 200. */
  async burst(events: number, { bytes = 0 }: { bytes?: number } = {}): Promise<void> {
    await this.#ask({ kind: "burst", events, bytes });
  }

  /** One after the other, as fast as it goes. */
  async publish(events: number): Promise<void> {
    await this.#ask({ kind: "publish", events });
  }

  /** Single events at equal distances. */
  async steady(events: number, perSecond: number): Promise<void> {
    await this.#ask({ kind: "steady", events, perSecond });
  }

  close(): void {
    this.#process.close();
  }

  #ask<T>(question: WatchedQuestion): Promise<T> {
    return this.#process.ask(question);
  }
}
