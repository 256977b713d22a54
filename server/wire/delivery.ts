/**
 * How every transport that pushes is fed: in its turn, while there is room, one batch. It reads only
 * when there is room, so behind a client that stops reading nothing piles up but a cursor; and with
 * a store that answers at once nothing is made per event, no promise and no timer.
 *
 *      an event, or room again → bell → its turn → room? → read → write → more? → bell
 */
import type { Batch } from "../contract.ts";
import { PushError } from "../errors.ts";
import type { OnError } from "../hub.ts";
import { isEmpty, type Subscription } from "../subscription.ts";
import type { Turn } from "../turns.ts";

/** A transport's half: batches → bytes. None of it throws, whatever has become of the client. */
export interface Sink {
  /** Whether a batch may be written now. When it becomes true the transport calls `wake`. */
  hasRoom(): boolean;
  write(batch: Batch): void;
  /** A sign of life after `heartbeatMs` of silence. */
  heartbeat(empty: Batch): void;
  /** The last word: why it ends, and when to come back. */
  end(reason: PushError): void;
}

export interface DeliveryOptions {
  heartbeatMs: number;
  /** At most this many events in a batch. */
  limit?: number | undefined;
  /** Whether a sign of life goes out at once, unless there is a batch. */
  greets?: boolean;
  onError: OnError;
}

/** Delivers until the transport calls `stop` or the subscription is closed. */
export function deliver(
  subscription: Subscription,
  sink: Sink,
  options: DeliveryOptions,
): Delivery {
  const delivery = new Delivery(subscription, sink, options);
  delivery.wake();
  return delivery;
}

export class Delivery implements Turn {
  readonly #subscription: Subscription;
  readonly #sink: Sink;
  readonly #reads: { readonly limit?: number | undefined };
  readonly #onError: OnError;
  readonly #takeDown: () => void;
  readonly #heartbeatMs: number;
  #silence: NodeJS.Timeout;
  #wroteAt = performance.now();
  #signOfLifeIsDue: boolean;
  #inQueue = false;
  /** It has much to take, or has only just come: who has everything goes first. */
  #isBehind = true;
  #ended = false;
  /** A read is under way, with a store that answers by promise. */
  #reading = false;
  /** Since the last read began: there may be more than what that gave. */
  #woken = false;
  /** What was read, until there is room for it. */
  #held: Batch | undefined;

  /** Use `deliver`, which starts it. */
  constructor(
    subscription: Subscription,
    sink: Sink,
    { heartbeatMs, limit, greets = false, onError }: DeliveryOptions,
  ) {
    this.#subscription = subscription;
    this.#sink = sink;
    this.#reads = limit === undefined ? ALL : { limit };
    this.#onError = onError;
    this.#signOfLifeIsDue = greets;
    this.#takeDown = subscription.watch(this.wake);
    this.#heartbeatMs = heartbeatMs;
    this.#silence = setTimeout(breakSilence, heartbeatMs, this);
  }

  /** There may be something to write, and room for it. However often, it has one turn. */
  readonly wake = (): void => {
    this.#woken = true;
    this.#queue();
  };

  /** The client has left: nothing is written any more. May be called twice. */
  stop(): void {
    this.#ended = true;
    clearTimeout(this.#silence);
    this.#takeDown();
    this.#subscription.close();
  }

  /** A sign of life is due, unless something was written meanwhile. */
  breakSilence(): void {
    const silentMs = performance.now() - this.#wroteAt;
    // Looked at now and then, because to put a timer off at every write would cost more.
    const leftMs = Math.ceil(this.#heartbeatMs - silentMs);
    this.#silence = setTimeout(breakSilence, leftMs > 0 ? leftMs : this.#heartbeatMs, this);
    if (leftMs > 0) return;
    this.#signOfLifeIsDue = true;
    this.wake();
  }

  take(): void {
    this.#inQueue = false;
    if (this.#ended) return;
    const { closed } = this.#subscription;
    if (closed) return this.#end(closed);
    if (this.#reading || !this.#sink.hasRoom()) return;
    if (this.#held) return this.#give(this.#held);
    this.#woken = false;
    try {
      const reads = this.#isBehind ? { ...this.#reads, aligned: true } : this.#reads;
      const batch = this.#subscription.read(reads);
      if (batch instanceof Promise) void this.#hold(batch);
      else this.#give(batch);
    } catch (error) {
      this.#end(error);
    }
  }

  #give(batch: Batch): void {
    this.#held = undefined;
    this.#isBehind = this.#subscription.behind > 0;
    const empty = isEmpty(batch);
    if (!empty || this.#signOfLifeIsDue) {
      if (empty) this.#sink.heartbeat(batch);
      else this.#sink.write(batch);
      this.#signOfLifeIsDue = false;
      this.#wroteAt = this.#subscription.turns.now;
    }
    if (this.#woken || this.#isBehind) this.#queue();
  }

  /** Until its next turn: the room may be gone when a store answers by promise. */
  async #hold(reading: Promise<Batch>): Promise<void> {
    this.#reading = true;
    try {
      this.#held = await reading;
      this.#queue();
    } catch (error) {
      this.#end(error);
    } finally {
      this.#reading = false;
    }
  }

  #queue(): void {
    if (this.#inQueue) return;
    this.#inQueue = true;
    const { turns } = this.#subscription;
    if (this.#isBehind) turns.addBehind(this);
    else turns.add(this);
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.stop();
    this.#sink.end(toTell(error, this.#onError));
  }
}

const ALL = {}; // as many as a batch holds

function breakSilence(delivery: Delivery): void {
  delivery.breakSilence();
}

/** A client is told what a PushError says, and of any other failure only that it happened. */
function toTell(error: unknown, onError: OnError): PushError {
  if (error instanceof PushError) return error;
  onError(error, "delivery");
  return new PushError("internal", "internal error");
}
