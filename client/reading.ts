/** One try over one transport: its batches, until it fails or has said nothing for too long. */
import type { SetTimer } from "./clock.ts";
import { lost } from "./failures.ts";
import { orAborted } from "./wait.ts";
import type { Place, TopicBatch, Transport } from "./transport.ts";

export interface ReadingOptions {
  /** How long the server may take to answer, in milliseconds. */
  readonly openMs: number;
  /** How long it may say nothing after that. */
  readonly silenceMs: number;
  readonly setTimer: SetTimer;
}

export class Reading {
  readonly transport: Transport;
  /** Where it began. */
  readonly place: Place;
  readonly #stop = new AbortController();
  readonly #batches: AsyncIterator<TopicBatch>;
  readonly #options: ReadingOptions;
  #patienceMs: number;

  constructor(transport: Transport, place: Place, options: ReadingOptions) {
    this.transport = transport;
    this.place = place;
    this.#options = options;
    this.#patienceMs = options.openMs;
    this.#batches = transport.open(place, this.#stop.signal)[Symbol.asyncIterator]();
  }

  /** One at a time. Rejects with why it ended. */
  async next(): Promise<TopicBatch> {
    const ms = this.#patienceMs;
    // Only while something is waited for: a reader may take its time with what it got.
    const cancel = this.#options.setTimer(() => {
      this.end(lost(`The server has said nothing for ${ms / 1_000} s`));
    }, ms);
    const next = orAborted(this.#batches.next(), this.#stop.signal);
    const result = await next.finally(cancel);
    if (result.done) throw lost("The transport has ended");
    this.#patienceMs = this.#options.silenceMs;
    return result.value;
  }

  /** Closes its connection. May be called twice; only the first reason counts. */
  end(reason: unknown = lost("The reader has left")): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(reason);
    this.#batches.return?.().catch(() => {}); // it has ended, or does so now, for a reason of ours
  }
}
