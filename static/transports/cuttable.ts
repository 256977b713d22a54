/**
 * A transport whose connection can be cut as if the network were gone: what is open breaks, and what
 * is opened meanwhile waits until it is mended. Whoever reads has to cope, and does not know.
 */
import {
  type Place,
  type TopicBatch,
  type Transport,
  TransportError,
} from "../../client/transport.ts";

export class Cuttable implements Transport {
  readonly name: string;
  readonly #inner: Transport;
  #isCut = false;
  #break = new AbortController();
  #mended = () => {};

  constructor(inner: Transport) {
    this.name = inner.name;
    this.#inner = inner;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    this.#break.abort(new TransportError("connection_lost", "You have cut it", { canRetry: true }));
  }

  /** Callable twice. */
  mend(): void {
    this.#isCut = false;
    this.#mended();
  }

  async *open(place: Place, signal: AbortSignal): AsyncGenerator<TopicBatch, void> {
    while (this.#isCut) await this.#change(signal);
    const broken = new AbortController();
    this.#break = broken;
    const abort = () => broken.abort(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    try {
      yield* this.#inner.open(place, broken.signal);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Rejects with the signal's reason when that comes first. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason as Error);
      signal.addEventListener("abort", abort);
      this.#mended = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      if (signal.aborted) abort();
    });
  }
}
