/**
 * Which transport to read over: the first that works, in order of preference. What stands in the way
 * of one (a proxy that knows no WebSocket, or holds back what is not finished) is found by trying; so
 * a better one is tried again after a good while, beside the one that works.
 */
import type { Transport, TransportError } from "./transport.ts";

const BETTER_AFTER_MS = 5 * 60_000;
const STABLE_MS = 10_000; // a connection that lived this long has shown that its transport works
const MAX_STRIKES = 3; // short lives, or answers of somebody else's, before the next one is tried

/** What works, shared by the subscriptions of one client. */
export interface Memory {
  name?: string;
}

export interface Ended {
  /** What ended it. */
  readonly failure: TransportError;
  /** How long it gave batches, in milliseconds; undefined when it never gave one. */
  readonly livedMs: number | undefined;
  /** Whether the same may succeed later. */
  readonly mayPass: boolean;
}

export class Choice {
  readonly #transports: readonly Transport[];
  readonly #memory: Memory;
  readonly #now: () => number;
  #index: number;
  #strikes = 0;
  /** When a better one was tried last, or could have been. */
  #lookedAt: number;
  #looks = 0;
  /** Those that can never work, and why. */
  readonly #hopeless = new Map<Transport, TransportError>();

  /** @param transports the best first, at least one */
  constructor(
    transports: readonly Transport[],
    { memory = {}, now }: { memory?: Memory; now: () => number },
  ) {
    this.#transports = transports;
    this.#memory = memory;
    this.#now = now;
    this.#lookedAt = now();
    this.#index = Math.max(
      0,
      transports.findIndex(({ name }) => name === memory.name),
    );
  }

  get current(): Transport {
    return this.#transports[this.#index]!;
  }

  /** Until a better one is worth a look, in milliseconds; undefined when there is none. */
  get betterInMs(): number | undefined {
    if (this.#index === 0) return undefined;
    return Math.max(0, this.#lookedAt + BETTER_AFTER_MS - this.#now());
  }

  /** Each of the better ones in turn. The next look is a good while away again. */
  better(): Transport | undefined {
    if (this.#index === 0) return undefined;
    this.#lookedAt = this.#now();
    const transport = this.#transports[this.#looks % this.#index];
    this.#looks += 1;
    return transport;
  }

  /**
   * It has given a batch.
   * @returns whether it was not the current one, and is now
   */
  works(transport: Transport): boolean {
    this.#memory.name = transport.name;
    this.#hopeless.delete(transport);
    if (transport === this.current) return false;
    this.#choose(this.#transports.indexOf(transport));
    return true;
  }

  /**
   * The current one has ended: goes on to the next when it may be the transport's own fault.
   * @returns why there is no use in going on, if there is none
   */
  failed({ failure, livedMs, mayPass }: Ended): TransportError | undefined {
    if (!mayPass) return this.#giveUp(failure);
    if (livedMs !== undefined && livedMs >= STABLE_MS) this.#strikes = 0;
    if (says("nothing about the transport", failure)) return undefined;
    this.#strikes += 1;
    const isBlocked = livedMs === undefined && !says("that somebody is there", failure);
    if (isBlocked || this.#strikes >= MAX_STRIKES) this.#next();
    return undefined;
  }

  #giveUp(failure: TransportError): TransportError | undefined {
    if (!says("that this transport cannot work", failure)) return failure;
    this.#hopeless.set(this.current, failure);
    const reasons = this.#transports.map((transport) => this.#hopeless.get(transport));
    if (reasons.every((reason) => reason !== undefined)) return reasons[0];
    this.#next();
    return undefined;
  }

  #next(): void {
    const { length } = this.#transports;
    for (let step = 1; step <= length; step += 1) {
      const index = (this.#index + step) % length;
      if (!this.#hopeless.has(this.#transports[index]!)) return this.#choose(index);
    }
  }

  #choose(index: number): void {
    this.#index = index;
    this.#strikes = 0;
    this.#lookedAt = this.#now();
  }
}

type Meaning =
  "nothing about the transport" | "that somebody is there" | "that this transport cannot work";

/** What a failure tells about the way rather than about the server. */
function says(meaning: Meaning, { code }: TransportError): boolean {
  switch (meaning) {
    case "nothing about the transport":
      return /^(unreachable|not_connected|shutting_down|limit_exceeded|topic_not_found)$/.test(
        code,
      );
    case "that somebody is there":
      return /^http_5|^internal$/.test(code);
    case "that this transport cannot work":
      return /^http_|^close_|^(protocol_error|upgrade_required|method_not_allowed|unsupported_data)$/.test(
        code,
      );
  }
}
